"""`%%prose fr` and `%prose fr`: prose as it will read, while it is written in JupyterLab. Writes nothing.

`%load_ext lib.press.magic` brings both. Names are filled from what this kernel has recorded so far, else from the
accepted run of the notebook.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_cell_magic, magics_class
from IPython.display import Markdown, display

from lib.lab.results import Results
from lib.press import prose, record, store
from lib.press.notebooks import LANGS, Notebook, NotebookError, load


@magics_class
class ProseMagics(Magics):
    """The magics of an interactive shell."""

    @line_cell_magic
    def prose(self, line: str, cell: str | None = None) -> None:
        """Show a text filled in, in fr (default) or en; as `%prose` alone, all the prose of this notebook."""
        lang = line.strip() or LANGS[0]
        if lang not in LANGS:
            raise UsageError(f"write %%prose fr or %%prose en, not {lang}")
        assert self.shell is not None
        notebook = current_notebook()
        context = prose.Context(known(self.shell.user_ns, notebook), _accepted)
        try:
            for where, text in _texts(cell, notebook, lang):
                display(Markdown(prose.fill(text, context, lang, where)))
        except prose.ProseError as error:
            raise UsageError(str(error)) from error


def _texts(cell: str | None, notebook: Notebook | None, lang: str) -> Iterator[tuple[prose.Where, str]]:
    if cell is not None:
        yield prose.Where("this cell"), cell
        return
    if notebook is None:
        raise UsageError("this kernel does not know its notebook; put %%prose above the text instead")
    for one in notebook.cells:
        if one.kind == "markdown" and one.lang in (lang, None):
            yield prose.Where(notebook.path.name, one.index), one.source


def current_notebook() -> Notebook | None:
    """The notebook of this kernel, as it was last saved: JupyterLab tells the kernel where it is."""
    try:
        return load(Path(os.environ.get("JPY_SESSION_NAME") or ""))
    except NotebookError:
        return None


def known(names: Mapping[str, Any], notebook: Notebook | None) -> dict[str, Any]:
    """A record of what a kernel holds, over the accepted one."""
    accepted = _accepted(notebook.slug) if notebook else None
    made: dict[str, Any] = {"results": {}, "parameters": {}, **(accepted or {})}
    for one in names.values():
        if isinstance(one, Results):
            made["results"] = {**made["results"], **one.values}
    if notebook:
        mine = {name: names[name] for name in notebook.parameters if name in names}
        made["parameters"] = {**made["parameters"], **mine}
    return made


def _accepted(slug: str) -> dict[str, Any] | None:
    try:
        return store.deciding_record(slug)
    except record.RecordError:
        return None


def load_ipython_extension(shell: InteractiveShell) -> None:
    """What `%load_ext lib.press.magic` calls."""
    shell.register_magics(ProseMagics)
