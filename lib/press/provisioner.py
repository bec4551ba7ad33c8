"""Jupyter's way to warm kernels: a kernel provisioner, and a kernel manager that asks for it. Knows no fork server.

Registered as `guidon-warm` in the group `jupyter_client.kernel_provisioners`; nbclient takes the manager as its
`kernel_manager_class`.
"""

import os
from typing import Any

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner

from lib.press import warm


class WarmProvisioner(LocalProvisioner):
    """Jupyter's local provisioner, whose process is a warm one where there is one to be had."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Take the process that waits, or start a plain one."""
        cwd = kwargs.get("cwd") or os.getcwd()
        child = warm.launch(cmd, kwargs.get("env") or os.environ, str(cwd))
        if child is None:
            return await super().launch_kernel(cmd, **kwargs)
        self.process = child  # type: ignore[assignment]
        self.pid = self.pgid = child.pid
        self.cwd = cwd
        return self.connection_info


class WarmKernelManager(AsyncKernelManager):
    """A kernel manager that asks the provisioner above for its kernels, whatever their specification says."""

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
