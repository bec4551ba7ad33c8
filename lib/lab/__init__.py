"""What a notebook imports. Knows data, models, statistics and figures; knows nothing of `lib.press`."""
