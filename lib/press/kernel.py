"""IPython's kernel, which ends at once when it is shut down: `python -m lib.press.kernel -f connection.json`.

Python's own end frees, object by object, the libraries of a notebook: a second or two, for memory that the system takes
back anyway. Knows nothing of who starts it.
"""

import atexit
import os
import sys
from collections.abc import Sequence

LAUNCHER = ["-m", "ipykernel_launcher"]  # of this interpreter: the only command it can stand for


def stands_for(command: Sequence[str]) -> bool:
    """Whether a command starts the same kernel by ipykernel's launcher, in this interpreter."""
    return list(command[:3]) == [sys.executable, *LAUNCHER]


def serve(argv: Sequence[str]) -> int:
    """Be a kernel until it is shut down, then do what was put off to the exit; the status to leave with, by os._exit.

    Raises what the kernel raises when it cannot start.
    """
    from ipykernel.kernelapp import IPKernelApp

    status = 0
    try:
        IPKernelApp.launch_instance(list(argv))
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    # ipykernel's own way out may wait ten seconds: its control thread flushes to an output thread that has ended.
    atexit.unregister(IPKernelApp.instance().close)
    atexit._run_exitfuncs()
    return status


if __name__ == "__main__":
    sys.path.pop(0)  # the folder that `python -m` put there, as the launcher does
    os._exit(serve(sys.argv[1:]))
