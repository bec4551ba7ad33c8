"""`make bench`: what Guidon's own work costs, as ratios measured side by side in one run.

Names choose parts (`python tests/bench.py commands kernels alone sweep cells site cluster`); all take six minutes.
"""

import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SPEC = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
FIVE = "import matplotlib.pyplot\nimport pandas\nimport sklearn.linear_model\nimport torch\nimport transformers"
WORK = "import time\n\ntime.sleep(0.1)"
PLOOMBER = (  # installed for this measure only, without what Guidon has already
    "ploomber-engine==0.0.33", "ploomber-core==0.2.27", "ploomber-extension==0.1.1", "debuglater==1.4.4",
    "posthog==7.91.1", "backoff==2.2.1", "distro==1.9.0", "colorama==0.4.6",
)  # fmt: skip


def timed(work: Callable[[], object]) -> float:
    """Wall time in seconds."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def seconds(work: Callable[[], object], repeats: int = 5) -> float:
    """Median wall time of a piece of work."""
    return statistics.median(timed(work) for _ in range(repeats))


def python(*words: str, **environment: str) -> Callable[[], object]:
    """A command of this interpreter, which must end well."""
    return lambda: subprocess.run(
        [sys.executable, *words], capture_output=True, check=True, env={**os.environ, **environment}
    )


def tell(what: str, took: float, note: str = "") -> None:
    print(f"{what:<44}{took:9.3f} s   {note}", flush=True)


def commands() -> None:
    """What a command costs before it does anything."""
    bare = seconds(python("-c", "pass"))
    tell("bare interpreter", bare)
    for words in (["--help"], ["list"], ["check"], ["publish"]):
        took = seconds(python("-m", "lib.cli", *words))
        tell(f"guidon {words[0]}", took, f"{took / bare:5.1f} times a bare interpreter")
    torch = seconds(python("-c", "import torch, transformers"), 3)
    tell("import torch, transformers", torch, "what --help and list do without")


def write(path: Path, *cells: str, parameters: str = "") -> str:
    """A notebook of these code cells."""
    import nbformat

    made = [nbformat.v4.new_code_cell(source) for source in cells]
    if parameters:
        made.insert(0, nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    nbformat.write(nbformat.v4.new_notebook(cells=made, metadata=SPEC), path)
    return str(path)


def papermill(source: str, target: str | None, engine: str | None = None, **options: Any) -> None:
    """One run through Papermill's API, in this process."""
    from papermill import execute_notebook
    from papermill.log import logger

    logger.setLevel("ERROR")
    execute_notebook(source, target, engine_name=engine, kernel_name="python3", progress_bar=False, **options)


def kernels() -> None:
    """What a run costs before it does anything: Papermill as it is, and with our engine's warm kernels."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = write(Path(folder) / "five.ipynb", FIVE), f"{folder}/done.ipynb"
        plain = seconds(lambda: papermill(source, target), 5)
        found = [timed(lambda: papermill(source, target, "guidon")) for _ in range(42)]
    warm = sorted(found[2:])  # the first is plain, the second waits for the server's imports
    median, late = statistics.median(warm), warm[int(0.95 * len(warm))]
    tell("papermill, five imports", plain, "median of 5")
    tell("guidon, five imports", median, f"median of {len(warm)}, {plain / median:.1f} times less")
    tell("  its 95th percentile", late, f"{plain / late:.1f} times less; slowest {warm[-1]:.3f} s")


def alone() -> None:
    """What surrounds a single run: its derived files asked for, or listed; its kernel ended by Python, or at once."""
    from unittest.mock import patch

    from lib.press import inputs, kernel, notebooks, warm

    (notebook,) = notebooks.select(["curation"])  # has one derived file
    assert inputs.prepare(notebook) == ""

    def asked() -> None:
        inputs._list("text.french_bpe").unlink()
        inputs.prepare(notebook)

    listed = seconds(lambda: inputs.prepare(notebook))
    tell("a derived file, listed", listed)
    tell("asked for in a process", took := seconds(asked), f"{took / listed:5.0f} times")
    with tempfile.TemporaryDirectory() as folder:
        source = write(Path(folder) / "five.ipynb", FIVE)

        def run() -> None:
            warm._started = 0  # so that it is a first run, which starts plain
            papermill(source, None, "guidon")

        at_once = seconds(run)
        with patch.object(kernel, "stands_for", lambda command: False):
            by_python = seconds(run)
    tell("a first run of five imports", at_once)
    tell("its kernel ended by Python", by_python, f"{by_python / at_once:5.2f} times")


def sweep() -> None:
    """Fifty runs of the five imports and 0.1 s of work: seconds a run, each way started from nothing."""
    with tempfile.TemporaryDirectory() as folder:
        source = write(Path(folder) / "five.ipynb", FIVE, WORK, parameters="seed = 0")
        with project(Path(folder) / "project") as environment:
            notebook = Path(environment["GUIDON_ROOT"]) / "notebooks/data/01_five.ipynb"
            tiny(notebook, FIVE, WORK)
            ours = timed(python("-m", "lib.cli", "sweep", "five", "-p", "seed=0:50", **environment)) / 50
        tell("guidon sweep", ours, "a run, of 50, start-up included")
        words = ["-m", "papermill", "--no-progress-bar", "-k", "python3", source, f"{folder}/done.ipynb", "-p", "seed"]
        loop = timed(lambda: [python(*words, str(seed))() for seed in range(10)]) / 10
        tell("a loop over the papermill command", loop, f"a run, of 10; {loop / ours:.1f} times guidon's")
        api = timed(python(__file__, "--two-processes", source, "20")) / 20
        tell("papermill's API in 2 processes", api, f"a run, of 20; {api / ours:.1f} times guidon's")
        place = ploomber()
        if place:
            quiet = {"PYTHONPATH": str(place), "PLOOMBER_STATS_ENABLED": "false"}
            other = timed(python(__file__, "--ploomber", source, "50", **quiet)) / 50
            told = f"a run, of 50; {other / ours:.1f} times guidon's; one process for all, no isolation"
            tell("ploomber-engine", other, told)


def ploomber() -> Path | None:
    """A folder that holds ploomber-engine, or None where it cannot be had."""
    place = ROOT / "build" / "bench"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(place), *PLOOMBER]
    if not (place / "ploomber_engine").is_dir() and subprocess.run(command, capture_output=True).returncode:
        print("ploomber-engine could not be installed")
        return None
    return place


def one_of_two(source: str, seed: int) -> None:
    """A run of Papermill's API, in one of two processes."""
    papermill(source, None, parameters={"seed": seed})


def two_processes(source: str, times: int) -> None:
    from concurrent.futures import ProcessPoolExecutor
    from functools import partial

    with ProcessPoolExecutor(2) as pool:
        list(pool.map(partial(one_of_two, source), range(times)))


def in_one_process(source: str, times: int) -> None:
    from ploomber_engine import execute_notebook

    for seed in range(times):
        execute_notebook(source, None, parameters={"seed": seed}, progress_bar=False, verbose=False)


def cells() -> None:
    """Three hundred cells of small output, after a kernel's start: Papermill without its save per cell, and ours."""
    with tempfile.TemporaryDirectory() as folder:
        source = write(Path(folder) / "many.ipynb", *[f"print({number})" for number in range(300)])
        target, empty = f"{folder}/done.ipynb", write(Path(folder) / "empty.ipynb", "pass")
        off = {"request_save_on_cell_execute": False}
        for _ in range(2):  # until kernels are warm
            papermill(empty, target, "guidon")
        took: dict[str | None, list[float]] = {None: [], "guidon": []}
        for _ in range(5):  # in turn: the machine is as noisy for one as for the other
            for engine, found in took.items():
                start = timed(lambda engine=engine: papermill(empty, target, engine, **off))
                found.append(timed(lambda engine=engine: papermill(source, target, engine, **off)) - start)
    theirs, ours = (statistics.median(found) for found in took.values())
    tell("papermill, 300 cells", theirs, "median of 5, kernel's start taken off, no save per cell")
    tell("guidon, 300 cells", ours, f"{ours / theirs:.2f} times papermill's")


@contextlib.contextmanager
def project(root: Path) -> Iterator[dict[str, str]]:
    """An empty project in a folder; yield the environment in which commands work on it."""
    (root / "data").mkdir(parents=True)
    (root / "data" / "sources.toml").touch()
    shutil.copyfile(ROOT / "requirements.lock", root / "requirements.lock")
    yield {"GUIDON_ROOT": str(root), "GUIDON_BUILD": str(root / "build")}


def tiny(path: Path, *cells: str) -> None:
    """A demonstration that records its seed."""
    sys.path.insert(0, str(ROOT))
    from tests.conftest import SETUP, notebook_json

    path.parent.mkdir(parents=True, exist_ok=True)
    body = [*cells, 'results.record("drawn", seed)']
    content = notebook_json(body=body, head={"kind": "demonstration", "claim": {}})
    assert SETUP in json.dumps(content).encode().decode("unicode_escape")
    path.write_text(json.dumps(content), encoding="utf-8")


def site() -> None:
    """The site as it is, and one of thirty notebooks: rendered, published again, a sentence changed."""
    from lib.press import pages

    whole = seconds(lambda: render(ROOT), 3)
    tell("site rendered whole", whole, f"{whole / len(pages.manifest()):.3f} s for each of its pages")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "site"
        sources = thirty(root)
        environment = {"GUIDON_ROOT": str(root), "GUIDON_BUILD": str(root / "build")}
        publish = python("-m", "lib.cli", "publish", "--renderer", "smalldocs", **environment)
        first = timed(publish)
        count = len(list((root / "_site").rglob("*.html")))
        tell(f"first publish of {len(sources)} notebooks", first, f"{count} pages in two languages")
        tell("  again, nothing changed", seconds(publish, 3))
        changed = []
        for number in range(3):
            retell(sources[-1], f"Une phrase nouvelle, la {number}e.")
            changed.append(timed(publish))
            pages_found = list((root / "_site").rglob(f"{slug_of(sources[-1])}.html"))
            assert any(f"la {number}e." in page.read_text(encoding="utf-8") for page in pages_found)
        tell("  again, a sentence changed", statistics.median(changed), "it is on its page; no kernel was started")


def render(root: Path) -> None:
    """Publish into an empty folder with smalldocs."""
    from lib.press import site

    with tempfile.TemporaryDirectory() as folder:
        site.publish(renderer="smalldocs", out=Path(folder) / "_site")


def slug_of(path: Path) -> str:
    return re.sub(r"^\d+_", "", path.stem)


def thirty(root: Path) -> list[Path]:
    """A copy of the project in which its experiments, with their results, are there as often as makes thirty."""
    ignored = shutil.ignore_patterns(
        ".git", ".venv", "build", "posts", "_site", "raw", "cache", ".*_cache", ".hypothesis"
    )
    shutil.copytree(ROOT, root, ignore=ignored)
    found = sorted((root / "notebooks").glob("*/[0-9]*.ipynb"))
    for number in range(30 - len(found)):
        source = found[number % len(found)]
        copy = source.with_name(f"{50 + number}_{slug_of(source)}_{number}.ipynb")
        shutil.copyfile(source, copy)
        results = root / "data/results/quick"
        shutil.copytree(results / slug_of(source), results / slug_of(copy))
        record = results / slug_of(copy) / "record.json"
        record.write_text(json.dumps(json.loads(record.read_text()) | {"slug": slug_of(copy)}), encoding="utf-8")
    return sorted((root / "notebooks").glob("*/[0-9]*.ipynb"))


def retell(path: Path, sentence: str) -> None:
    """Put a sentence at the end of the first French cell."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cell = next(cell for cell in notebook["cells"] if "fr" in cell["metadata"].get("tags", ()))
    source = "".join(cell["source"])
    cell["source"] = f"{source.partition('Une phrase nouvelle')[0].rstrip()} {sentence}"
    path.write_text(json.dumps(notebook, ensure_ascii=False), encoding="utf-8")


SLEEP_S, SLEEPS, THREADS = 0.05, 1000, 8


def only_sleep(*asked: object) -> dict[str, Any]:
    """A run that sleeps, and answers with as much as a run does."""
    time.sleep(SLEEP_S)
    return {"error": "it only slept", "reused": False, "files": {"executed.ipynb": os.urandom(50_000)}}


def cluster() -> None:
    """What one client and one scheduler cost for each run, on loopback, with runs that only sleep."""
    from lib.press import cluster, places
    from lib.press.notebooks import find

    with tempfile.TemporaryDirectory() as folder:
        os.environ["GUIDON_BUILD"] = f"{folder}/build"  # what comes back is kept there
        file = f"{folder}/scheduler.json"
        dask = [sys.executable, "-m", "dask"]
        quiet: Mapping[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": ROOT}
        started = [
            subprocess.Popen([*dask, "scheduler", "--port", "0", "--scheduler-file", file, "--no-dashboard"], **quiet)
        ]
        worker = [*dask, "worker", "--scheduler-file", file, "--no-nanny", "--no-dashboard", "--nthreads", str(THREADS)]
        started += [subprocess.Popen(worker, **quiet) for _ in range(2)]
        try:
            while not Path(file).exists():
                time.sleep(0.1)
            address = json.loads(Path(file).read_text())["address"]
            notebook = find()[0]
            orders = [places.Order(notebook, "smoke", {"seed": seed}, force=True) for seed in range(SLEEPS)]
            cluster.work = sys.modules["tests.bench"].only_sleep  # as workers know it
            with cluster.Cluster(address, orders[:1]) as place:
                while len(place.good) < 2:
                    time.sleep(0.1)
                places.perform(orders[:32], place)
                took = timed(lambda: places.perform(orders, place))
        finally:
            for process in started:
                process.terminate()
                process.wait()
            del os.environ["GUIDON_BUILD"]
    cost = (took - SLEEPS * SLEEP_S / (2 * THREADS)) / SLEEPS
    told = f"a run, of {SLEEPS} that sleep {SLEEP_S} s on {2 * THREADS} threads; at most {1 / cost:.0f} runs a second"
    tell("Dask and its client", cost, told)


PARTS = {part.__name__: part for part in (commands, kernels, alone, sweep, cells, site, cluster)}


def main(words: list[str]) -> None:
    """Print one line a measure: seconds, and the ratio to what stands beside it."""
    if words and words[0].startswith("--"):
        {"--two-processes": two_processes, "--ploomber": in_one_process}[words[0]](words[1], int(words[2]))
        return
    sys.path.insert(0, str(ROOT))
    import tests.bench  # noqa: F401  the name by which other processes know what is here

    for name in words or PARTS:
        PARTS[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
