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


FIVE = "import matplotlib.pyplot\nimport pandas\nimport sklearn.linear_model\nimport torch\nimport transformers"


def runs_of(engine: str | None, times: int) -> list[float]:
    """Seconds that Papermill takes for a notebook that only imports five libraries, in this process."""
    import nbformat
    import papermill
    from papermill.log import logger

    logger.setLevel("ERROR")
    took = []
    with tempfile.TemporaryDirectory() as folder:
        source, target = f"{folder}/five.ipynb", f"{folder}/done.ipynb"
        spec = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(FIVE)], metadata=spec), source)
        for _ in range(times):
            started = time.perf_counter()
            papermill.execute_notebook(source, target, engine_name=engine, kernel_name="python3", progress_bar=False)
            took.append(time.perf_counter() - started)
    return took


def kernels() -> None:
    """What a run costs before it does anything: Papermill as it is, and with our engine's warm kernels."""
    plain = statistics.median(runs_of(None, 5))
    warm = sorted(runs_of("guidon", 42)[2:])  # the first is plain, the second waits for the server's imports
    median, late = statistics.median(warm), warm[int(0.95 * len(warm))]
    print(f"papermill, five imports   {plain:7.3f} s   median of 5")
    print(f"guidon, five imports      {median:7.3f} s   median of {len(warm)}, {plain / median:.1f} times less")
    print(f"  95th percentile         {late:7.3f} s   {plain / late:.1f} times less; slowest {warm[-1]:.3f} s")


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
    kernels()


if __name__ == "__main__":
    main()
