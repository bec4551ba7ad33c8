"""Guidon: `lib.lab` is what notebooks import, `lib.press` is what the command line runs."""
