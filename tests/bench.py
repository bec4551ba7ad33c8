"""`make bench`: what Guidon's own work costs, as ratios measured side by side in one run."""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path


def seconds(work: Callable[[], object], repeats: int = 5) -> float:
    """Median wall time of a piece of work."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def python(*words: str) -> Callable[[], object]:
    return lambda: subprocess.run([sys.executable, *words], capture_output=True)


def render() -> None:
    """Publish into an empty folder with smalldocs."""
    from lib.press import site

    with tempfile.TemporaryDirectory() as folder:
        site.publish(renderer="smalldocs", out=Path(folder) / "_site")


def site_pages() -> int:
    """How many pages the site has."""
    from lib.press import pages

    return len(pages.manifest())


def main() -> None:
    """Print one line a measure: seconds, and the ratio to a bare interpreter or to the page count."""
    bare = seconds(python("-c", "pass"))
    print(f"bare interpreter          {bare:7.3f} s")
    for words in (["--help"], ["list"], ["check"], ["publish"]):
        took = seconds(python("-m", "lib.cli", *words))
        print(f"guidon {words[0]:<18} {took:7.3f} s   {took / bare:5.1f} times a bare interpreter")
    pages, whole = site_pages(), seconds(render, 3)
    print(f"site rendered whole       {whole:7.3f} s   {whole / pages:5.3f} s for each of its {pages} pages")
    torch = seconds(python("-c", "import torch, transformers"), 3)
    print(f"import torch, transformers {torch:6.3f} s   what --help and list do without")


if __name__ == "__main__":
    main()
