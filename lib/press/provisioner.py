"""Jupyter's way to warm kernels: a kernel provisioner, and a kernel manager that asks for it. Knows no fork server.

Registered as `guidon-warm` in the group `jupyter_client.kernel_provisioners`; nbclient takes the manager as its
`kernel_manager_class`.
"""

import contextlib
import os
import signal
import time
import weakref
from queue import Empty
from typing import Any

import zmq
from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner
from traitlets import Type

from lib.press import kernel, warm

_running: weakref.WeakSet[Any] = weakref.WeakSet()  # provisioners whose kernel may be alive


class WarmProvisioner(LocalProvisioner):
    """Jupyter's local provisioner, whose process is a warm one where there is one to be had."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Take the process that waits, or start a plain one."""
        _running.add(self)
        cwd = kwargs.get("cwd") or os.getcwd()
        child = warm.launch(cmd, kwargs.get("env") or os.environ, str(cwd))
        if child is None:
            plain = [cmd[0], "-m", "lib.press.kernel", *cmd[3:]] if kernel.stands_for(cmd) else cmd
            return await super().launch_kernel(plain, **kwargs)
        self.process = child  # type: ignore[assignment]
        self.pid = self.pgid = child.pid
        self.cwd = cwd
        return self.connection_info

    async def cleanup(self, restart: bool = False) -> None:
        """End what the kernel started and left behind, then clean up as usual."""
        self.end_all()
        _running.discard(self)
        await super().cleanup(restart)

    def end_all(self) -> None:
        """Kill the kernel and its children, in whatever state they are."""
        if self.pgid and hasattr(os, "killpg") and self.pgid != os.getpgrp():
            with contextlib.suppress(OSError):  # none is left
                os.killpg(self.pgid, signal.SIGKILL)


def end_kernels() -> None:
    """Kill every kernel that this process started and has not ended."""
    for one in list(_running):
        one.end_all()


class WarmKernelClient(AsyncKernelClient):
    """Jupyter's client, ready as soon as the kernel is: Jupyter's own waits another fifth of a second."""

    def _create_connected_socket(self, *given: Any, **named: Any) -> Any:
        """Try again after 2 ms, not 100, where the kernel has not opened its end yet."""
        self.context.setsockopt(zmq.RECONNECT_IVL, 2)
        return super()._create_connected_socket(*given, **named)

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until the kernel answers and its output is heard. Raises RuntimeError when it dies or is too slow."""
        until, patience_s = time.monotonic() + (timeout or float("inf")), 0.02
        while not await self._answers(self.kernel_info(), patience_s):
            patience_s = min(2 * patience_s, 0.5)
            if not await self.is_alive():
                raise RuntimeError("Kernel died before replying to kernel_info")
            if time.monotonic() > until:
                raise RuntimeError(f"Kernel didn't respond in {timeout:.0f} seconds")

    async def _answers(self, asked: str, patience_s: float) -> bool:
        """Whether the reply to a request came, and soon after it the sign that all its output was sent."""
        try:
            while (reply := await self.get_shell_msg(timeout=1))["parent_header"].get("msg_id") != asked:
                pass
            self._handle_kernel_info_reply(reply)
            while True:
                said = await self.get_iopub_msg(timeout=patience_s)
                about = said["parent_header"].get("msg_id")
                if about == asked and said["content"].get("execution_state") == "idle":
                    return True
        except Empty:  # the output channel was not joined yet when the kernel spoke: ask again
            return False


class WarmKernelManager(AsyncKernelManager):
    """A kernel manager that asks the provisioner above for its kernels, whatever their specification says."""

    client_factory = Type(WarmKernelClient)

    @property
    def kernel_spec(self) -> KernelSpec | None:
        """The kernel's specification, with the provisioner's name in it."""
        found = super().kernel_spec
        if found is not None:
            found.metadata["kernel_provisioner"] = {"provisioner_name": "guidon-warm", "config": {}}
        return found

    async def _async_wait(self, pollinterval: float = 0.01) -> None:
        """Wait for the kernel's end, looking more often than every tenth of a second."""
        await super()._async_wait(0.01)
