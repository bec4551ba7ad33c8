"""What the command line runs: notebooks, runs, records, posts and the site. Never imports a notebook's science."""
