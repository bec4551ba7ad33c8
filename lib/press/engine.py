"""The Papermill engine `guidon`: a kernel in a fixed environment, warm where it can be. Knows nothing of records."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine
from papermill.log import logger
from papermill.utils import merge_kwargs, remove_args
from traitlets.config import Config

from lib.press.environment import kernel_environment
from lib.press.provisioner import WarmKernelManager


def _then(first: Callable[..., Any], second: Callable[[], None]) -> Callable[..., None]:
    def both(*args: Any, **kwargs: Any) -> None:
        first(*args, **kwargs)
        second()

    return both


class GuidonEngine(NBClientEngine):
    """Papermill's own engine with a fixed kernel environment. Options: threads, workdir, on_cell, warm."""

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,
        kernel_name: str,
        log_output: bool = False,
        stdout_file: Any = None,
        stderr_file: Any = None,
        start_timeout: int = 60,
        execution_timeout: int | None = None,
        threads: int = 1,
        workdir: str | None = None,
        on_cell: Callable[[], None] | None = None,
        warm: bool = True,
        **kwargs: Any,
    ) -> Any:
        """Execute the notebook; failures are kept in it, as Papermill does. warm: False starts a plain kernel."""
        if on_cell is not None:
            nb_man.cell_complete = _then(nb_man.cell_complete, on_cell)
        options = merge_kwargs(
            remove_args(["input_path", "timeout", "startup_timeout"], **kwargs),
            timeout=execution_timeout or kwargs.get("timeout"),
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
        with _sockets() as config:
            client = PapermillNotebookClient(nb_man, config=config, **options)
            return client.execute(env=kernel_environment(threads), **({"cwd": workdir} if workdir else {}))


@contextlib.contextmanager
def _sockets() -> Iterator[Config]:
    """Unix sockets in a folder of their own, where there are any: no port to race for, none open to other users."""
    if os.name != "posix":
        yield Config()
        return
    with tempfile.TemporaryDirectory(prefix="guidon-", ignore_cleanup_errors=True) as folder:
        yield Config({"ConnectionFileMixin": {"transport": "ipc", "ip": f"{folder}/kernel"}})
