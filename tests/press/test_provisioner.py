"""Warm kernels through Jupyter's own doors: nbclient and Papermill, without our runner."""

import nbformat
import papermill
import pytest
from jupyter_client.provisioning import KernelProvisionerFactory
from nbclient import NotebookClient

from lib.press import warm
from lib.press.provisioner import WarmKernelManager

pytestmark = pytest.mark.skipif(not warm.AVAILABLE, reason="warm kernels need Linux")
PARENT = "import os\nprint(os.getppid())"
SPEC = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


@pytest.fixture(autouse=True)
def one_more(monkeypatch):
    """As if this process had started a kernel already."""
    monkeypatch.setattr(warm, "_started", max(1, warm._started))


def notebook():
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(PARENT)], metadata=SPEC)


def servers():
    return {server.process.pid for server in warm._servers.values()}


def printed(done):
    return int(done["cells"][-1]["outputs"][0]["text"])


def test_jupyter_knows_the_provisioner():
    assert "guidon-warm" in KernelProvisionerFactory.instance().provisioners


def test_nbclient_takes_warm_kernels():
    done = NotebookClient(notebook(), kernel_manager_class=WarmKernelManager).execute()
    assert printed(done) in servers()


def test_papermill_takes_warm_kernels_unless_told_not_to(tmp_path):
    source, target = str(tmp_path / "a.ipynb"), str(tmp_path / "b.ipynb")
    nbformat.write(notebook(), source)
    options = {"engine_name": "guidon", "kernel_name": "python3", "progress_bar": False}
    assert printed(papermill.execute_notebook(source, target, **options)) in servers()
    assert printed(papermill.execute_notebook(source, target, warm=False, **options)) not in servers()
