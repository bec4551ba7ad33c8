"""A fork server: kernels whose heavy libraries are imported already. Knows processes; knows nothing of notebooks.

The server imports, starts no thread, seeds nothing, and forks: each kernel is a fresh process that shares nothing but
those imports, and the next one is always waiting. It ends with the process that started it. Where there is no fork to
be had, `launch` returns None and the caller starts a plain kernel.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from lib.press import kernel
from lib.press.environment import THREADS

LIBRARIES = (  # what notebooks wait for most; one that is missing is left out
    "numpy", "pandas", "scipy.stats", "matplotlib.figure", "matplotlib.backends.backend_svg", "sklearn.linear_model",
    "torch", "torch._inductor.config",  # the latter by use_deterministic_algorithms, in a second
    "transformers", "threadpoolctl", "ipykernel.kernelapp", "ipykernel.debugger", "tornado.platform.asyncio",
    "IPython.core.completerlib", "IPython.core.oinspect", "IPython.extensions.storemagic",
    "matplotlib_inline.backend_inline",
)  # fmt: skip
PATIENCE_S = 60.0  # for the imports
START = ("PYTHON", "LC_", "LANG", "LD_", "MPL", "CUDA", "HF_", "TRANSFORMERS_", "TOKENIZERS_", "PYTORCH", "TORCH")
AVAILABLE = sys.platform == "linux" and hasattr(os, "pidfd_open")


class Child:
    """A process that is not ours to wait for, with the methods of Popen that a kernel manager uses."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._handle = os.pidfd_open(pid)  # readable once the process has ended, reaped or not

    def poll(self) -> int | None:
        """0 once it has ended: a fork's own status is known to its parent alone."""
        if self.returncode is None and select.select([self._handle], [], [], 0)[0]:
            os.close(self._handle)
            self.returncode = 0
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end. Raises subprocess.TimeoutExpired."""
        if self.returncode is None and not select.select([self._handle], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("kernel", timeout or 0)
        return self.poll() or 0

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            signal.pidfd_send_signal(self._handle, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


class Server:
    """A fork server of this process."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="guidon-warm-", ignore_cleanup_errors=True)
        self.address = str(Path(self.folder.name) / "orders")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lib.press.warm", self.address],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=_alone(environment),
        )  # fmt: skip

    def is_ready(self, patience_s: float = PATIENCE_S) -> bool:
        """Wait for the imports; whether kernels can be had."""
        until = time.monotonic() + patience_s
        while self.process.poll() is None and time.monotonic() < until:
            if os.path.exists(self.address):
                return True
            time.sleep(0.02)
        return False

    def launch(self, argv: Sequence[str], environment: Mapping[str, str], cwd: str) -> Child:
        """Hand a command line of ipykernel to the process that waits. Raises OSError when the server is gone."""
        order = json.dumps({"argv": list(argv), "environment": dict(environment), "cwd": cwd})
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(PATIENCE_S)
            line.connect(self.address)
            line.sendall(order.encode() + b"\n")
            answer = line.makefile().readline()
            if not answer:
                raise OSError("the fork server gave no kernel")
            child = Child(int(answer))
            line.sendall(b"\n")  # held: the server may let go of it
            return child

    def close(self) -> None:
        """End the server and the process that waits; kernels that run end by themselves."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.folder.cleanup()


_servers: dict[tuple[tuple[str, str], ...], Server] = {}  # by what their interpreters read when they started
_turn = threading.Lock()
_started = 0  # kernels asked for by this process
_told: list[str] = []


def launch(command: Sequence[str], environment: Mapping[str, str], cwd: str) -> Child | None:
    """A warm kernel for a kernel's command line, or None where a plain one must do; says why, once.

    A process's first kernel is plain: a server would import for one run what that run can import itself.
    """
    global _started
    if not AVAILABLE:
        _say_once("kernels start plain: warm ones need Linux")
        return None
    if not kernel.stands_for(command):
        return None
    with _turn:
        _started += 1
        if _started == 1:
            return None
        start = _read_at_start(environment)
        if start not in _servers:
            _servers[start] = Server(environment)
            atexit.register(_servers[start].close)
        server = _servers[start]
    try:
        if server.is_ready():
            return server.launch(command[3:], environment, cwd)
        _say_once("kernels start plain: the fork server could not import what it hands out")
    except (OSError, ValueError) as error:
        _say_once(f"kernels start plain: {error}")
    return None


def expect_many() -> None:
    """Have the first kernel of this process warm too: many are to follow."""
    global _started
    _started = max(1, _started)


def _say_once(why: str) -> None:
    if why not in _told:
        from lib.press.console import say

        _told.append(why)
        say(why)


def _alone(environment: Mapping[str, str]) -> dict[str, str]:
    """One thread while it imports: a process that forks may have no others."""
    return {**environment, **dict.fromkeys(THREADS, "1"), "JE_ARROW_MALLOC_CONF": "background_thread:false"}


def _read_at_start(environment: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What an interpreter and its libraries read when they start, and a fork can no longer change."""
    return tuple(sorted((name, value) for name, value in environment.items() if name.startswith(START)))


def serve(address: str) -> None:
    """Import, then hand out forks until standard input ends."""
    for name in LIBRARIES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    threads = len(os.listdir("/proc/self/task"))
    if threads != 1:
        raise RuntimeError(f"{threads} threads after the imports: a fork would lose all but one")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system buries what has ended
    gc.collect()
    gc.freeze()  # what is shared stays shared
    with socket.socket(socket.AF_UNIX) as orders:
        orders.bind(f"{address}.new")
        orders.listen(64)
        pid, pipe = _fork(orders)
        os.rename(f"{address}.new", address)  # there: ready
        while True:
            asked, _, _ = select.select([orders, sys.stdin], [], [])
            if sys.stdin in asked:
                return
            line, _ = orders.accept()
            if not _is_alive(pid):  # killed while it waited
                os.close(pipe)
                pid, pipe = _fork(orders)
            with line:
                given = _hand_out(line, pid, pipe)
            if given:
                pid, pipe = _fork(orders)


def _is_alive(pid: int) -> bool:
    """Whether a fork of this process is alive; one that has ended is buried at once, so its number is gone."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _hand_out(line: socket.socket, pid: int, pipe: int) -> bool:
    """Give the waiting process its order, and the asker its number."""
    line.settimeout(PATIENCE_S)
    with contextlib.suppress(OSError), line.makefile() as said:
        order = said.readline()
        if not order.endswith("\n"):
            return False
        line.sendall(f"{pid}\n".encode())
        if said.readline():  # the asker holds the process: it may start, and end
            with os.fdopen(pipe, "w") as written:
                written.write(order)
            return True
    return False


def _fork(orders: socket.socket) -> tuple[int, int]:
    """(number, pipe to write its order to) of a process that waits to become a kernel."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(reading)
        return pid, writing
    status = 1
    try:
        os.close(writing)
        orders.close()
        with os.fdopen(reading) as waiting:
            order = waiting.read()  # until the server closes its end
        status = _become(json.loads(order)) if order else 0
    finally:
        os._exit(status)  # never back into the server's loop


def _become(order: dict[str, Any]) -> int:
    """Turn this fork into the kernel that was asked for, until it is shut down; its status."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    os.environ.clear()
    os.environ.update(order["environment"])
    time.tzset()
    os.chdir(order["cwd"])
    _null(sys.stdin)
    sys.path.pop(0)  # the folder that `python -m` put there, as the launcher does
    _set_threads(int(order["environment"].get("OMP_NUM_THREADS") or os.cpu_count() or 1))
    # It ends with the server, which ends with the process that started it.
    return kernel.serve([*order["argv"], f"--IPKernelApp.parent_handle={os.getppid()}"])


def _null(stream: IO[str]) -> None:
    """The kernel must not read what tells the server to end."""
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, stream.fileno())
    os.close(empty)


def _set_threads(count: int) -> None:
    """The threads of the libraries that were imported with one, and generators that no fork shares."""
    import numpy as np
    import threadpoolctl
    import torch

    threadpoolctl.threadpool_limits(count)
    torch.set_num_threads(count)
    np.random.seed()


if __name__ == "__main__":
    serve(sys.argv[1])
