"""What Python code says, without comments, docstrings and layout. Knows nothing of other files."""

import ast
import hashlib
import inspect
import textwrap

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def _shape(node: object) -> object:
    """Nested lists of node names and fields; empty fields are left out, so that Python versions agree."""
    if isinstance(node, list):
        return [_shape(item) for item in node]
    if not isinstance(node, ast.AST):
        return repr(node)
    body = list(ast.iter_fields(node))
    if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
        body = [(name, value[1:] if name == "body" else value) for name, value in body]
    return [type(node).__name__, *([name, _shape(value)] for name, value in body if value not in (None, []))]


def normalize(source: str) -> str:
    """Text that changes when the code's meaning may change, and only then. Raises SyntaxError."""
    return repr(_shape(ast.parse(textwrap.dedent(source))))


def digest(*parts: str) -> str:
    """Hexadecimal SHA-256 of the parts, each told apart from the next."""
    total = hashlib.sha256()
    for part in parts:
        total.update(f"{len(part)}:".encode() + part.encode())
    return total.hexdigest()


def code_digest(thing: object) -> str:
    """Digest of the normalized source of a function, a class or a module."""
    return digest(normalize(inspect.getsource(thing)))  # type: ignore[arg-type]
