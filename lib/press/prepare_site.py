"""`project.pre-render` of _quarto.yml: write the posts, so that `quarto render` and `quarto preview` show today's."""

import os
import sys

from lib.press import posts


def main() -> int:
    """Write the posts unless `guidon publish`, which did so already, is the caller; return the exit status."""
    if os.environ.get("GUIDON_PUBLISHING"):
        return 0
    try:
        posts.write()
    except ValueError as error:
        print(f"guidon: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
