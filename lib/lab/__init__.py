"""What a notebook imports. Knows data, models, statistics and figures; knows nothing of `lib.press`."""

import logging

logging.getLogger("torchao").setLevel(logging.ERROR)  # it warns, with a path, of its parts for GPUs that do not load
