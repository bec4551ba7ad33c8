"""The Papermill engine `guidon`: a kernel in a fixed environment, warm where it can be. Knows nothing of records."""

import asyncio
import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import nbformat
from nbclient.exceptions import CellExecutionError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine
from papermill.log import logger
from papermill.utils import merge_kwargs, remove_args
from traitlets.config import Config

from lib.press.environment import kernel_environment
from lib.press.provisioner import WarmKernelManager

LIMIT_MB = 20  # of outputs in one notebook: more is a loop that prints, and no post could show it
TOO_MUCH = f"the notebook printed more than {LIMIT_MB} MB; print less"


def _then(first: Callable[..., Any], second: Callable[[], None]) -> Callable[..., None]:
    def both(*args: Any, **kwargs: Any) -> None:
        first(*args, **kwargs)
        second()

    return both


class Client(PapermillNotebookClient):
    """Papermill's client, with a limit to what a notebook prints; what has failed is not given time to clean up."""

    room = LIMIT_MB * 1_000_000  # characters of output that are still taken

    def papermill_execute_cells(self) -> None:
        try:
            super().papermill_execute_cells()
        except Exception:
            self.shutdown_kernel = "immediate"
            raise

    def execute_cell(self, cell: Any, cell_index: int, **kwargs: Any) -> Any:
        done = super().execute_cell(cell, cell_index, **kwargs)
        if self.room < 0:  # it came to its end before the interruption came to it
            raise CellExecutionError(TOO_MUCH, "TooMuchOutput", TOO_MUCH)
        return done

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        """Take a message of the kernel, or leave the output in it when there were too many."""
        content = msg["content"]
        if msg["msg_type"] in ("stream", "display_data", "execute_result", "update_display_data"):
            had, self.room = self.room, self.room - _length(content)
            if self.room < 0:
                if had >= 0:
                    self._stop(cell)
                return None
        return super().process_message(msg, cell, cell_index)

    def _stop(self, cell: Any) -> None:
        """Say in the cell what is wrong, and interrupt it."""
        error = nbformat.v4.new_output("error", ename="TooMuchOutput", evalue=TOO_MUCH, traceback=[TOO_MUCH])
        cell.outputs.append(error)
        assert self.km is not None
        self.interruption = asyncio.ensure_future(self.km.interrupt_kernel())  # held, or it may never run


def _length(content: dict[str, Any]) -> int:
    """Characters of an output."""
    return len(content.get("text") or "") + sum(len(str(one)) for one in (content.get("data") or {}).values())


class GuidonEngine(NBClientEngine):
    """Papermill's own engine with a fixed kernel environment. Options: threads, workdir, on_cell, on_end, warm."""

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,
        kernel_name: str,
        log_output: bool = False,
        stdout_file: Any = None,
        stderr_file: Any = None,
        start_timeout: int = 60,
        execution_timeout: float | None = None,
        threads: int = 1,
        workdir: str | None = None,
        on_cell: Callable[[], None] | None = None,
        on_end: Callable[[Any], None] | None = None,
        warm: bool = True,
        **kwargs: Any,
    ) -> Any:
        """Execute the notebook; failures are kept in it, as Papermill does.

        execution_timeout: seconds for the whole notebook. on_end: called with the notebook, however far it came.
        warm: False starts a plain kernel.
        """
        if on_cell is not None:
            nb_man.cell_complete = _then(nb_man.cell_complete, on_cell)
        options = merge_kwargs(
            remove_args(["input_path", "timeout", "startup_timeout"], **kwargs),
            timeout_func=_until(execution_timeout or kwargs.get("timeout")),
            startup_timeout=start_timeout,
            kernel_name=kernel_name,
            log=logger,
            log_output=log_output,
            stdout_file=stdout_file,
            stderr_file=stderr_file,
            ipython_hist_file=":memory:",
        )
        if warm:
            options["kernel_manager_class"] = WarmKernelManager
        try:
            with _sockets() as config:
                client = Client(nb_man, config=config, **options)
                # A kernel's own words: a shutdown that comes at a bad moment has it print a traceback of its own.
                silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
                where = {"cwd": workdir} if workdir else {}
                return client.execute(env=kernel_environment(threads), **silent, **where)
        finally:
            if on_end is not None:
                on_end(nb_man.nb)


def _until(seconds: float | None) -> Callable[[Any], float | None]:
    """What is left for a cell, when all of them together have so many seconds."""
    end = time.monotonic() + seconds if seconds else None
    return lambda cell: None if end is None else max(end - time.monotonic(), 0.01)


@contextlib.contextmanager
def _sockets() -> Iterator[Config]:
    """Unix sockets in a folder of their own, where there are any: no port to race for, none open to other users."""
    if os.name != "posix":
        yield Config()
        return
    with tempfile.TemporaryDirectory(prefix="guidon-", ignore_cleanup_errors=True) as folder:
        yield Config({"ConnectionFileMixin": {"transport": "ipc", "ip": f"{folder}/kernel"}})
