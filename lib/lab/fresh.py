"""What a function costs in a process of its own: seconds, and how far memory rises at its highest.

Knows processes; knows nothing of what they compute.
"""

import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

POOLS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
# glibc then gives large buffers back to the system when they are freed, instead of keeping ever larger ones for later.
GIVE_BACK = {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}  # bytes: where it starts from


def measure(call: str, threads: int = 1, **arguments: Any) -> dict[str, Any]:
    """What a function of `lib.lab` returns and costs in a fresh process: {"result", "import_mib", "added_mib", "s"}.

    call: `module.function`; arguments and result go through JSON. import_mib: memory held once the module is imported;
    added_mib: how far above that it rose; s: of the call, without imports. Raises RuntimeError with the last line that
    the process wrote on its way down.
    """
    done = subprocess.run(
        [sys.executable, "-m", "lib.lab.fresh", call],
        input=json.dumps(arguments),
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env=os.environ | GIVE_BACK | {name: str(threads) for name in POOLS},
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{call} failed in its process: {(done.stderr.strip().splitlines() or ['no word'])[-1]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def memory_mib() -> tuple[float, float]:
    """(held now, held at most) by this process, in MiB of resident memory.

    On Linux the mark of the running program: getrusage's also counts what the parent held before the program started.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        lines = dict(line.split(":", 1) for line in status.read_text(encoding="utf-8").splitlines() if ":" in line)
        held, most = (int(lines[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
        return held, most
    import resource

    import psutil

    unit = 2**20 if sys.platform == "darwin" else 2**10
    return psutil.Process().memory_info().rss / 2**20, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def main(call: str) -> None:
    """Import, take stock, call with the arguments on standard input, and print one line of JSON."""
    module, _, name = call.partition(".")
    function = getattr(importlib.import_module(f"lib.lab.{module}"), name)
    arguments = json.load(sys.stdin)
    mark = Path("/proc/self/clear_refs")
    if mark.exists():
        mark.write_text("5", encoding="ascii")  # the highest is counted from what is held now
    before, _ = memory_mib()
    start = time.perf_counter()
    result = function(**arguments)
    seconds = time.perf_counter() - start
    print(json.dumps({"result": result, "import_mib": before, "added_mib": memory_mib()[1] - before, "s": seconds}))


if __name__ == "__main__":
    main(sys.argv[1])
