"""The documents, and how tests read them."""

from __future__ import annotations

import ast
import re
import textwrap
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
DOCUMENTS = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", REPOSITORY / "CHANGELOG.md"]
DOCUMENTS += sorted((REPOSITORY / "docs").glob("*.md")) + sorted((REPOSITORY / "docs" / "adr").glob("*.md"))
#: The text between two markers is written by a program.
BLOCK = r"<!-- {0} -->\n(.*?)\n<!-- /{0} -->"

every_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)


def read(name: str) -> str:
    """Return a document, named from the repository's root."""
    return (REPOSITORY / name).read_text(encoding="utf-8")


def fences(text: str, language: str) -> list[str]:
    """Return the code blocks of a language, without the indentation of the list that they stand in."""
    found = re.findall(rf"^([ ]*)```{language}\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(body) for _, body in found]


def prose(text: str) -> str:
    """Return a document without its code blocks."""
    return re.sub(r"^[ ]*```.*?^[ ]*```$", "", text, flags=re.MULTILINE | re.DOTALL)


def section(text: str, heading: str) -> str:
    """Return what stands below a heading of the second level."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"there is no section {heading!r}"
    return found[1]


def row_of(text: str, first_cell: str) -> str:
    """Return the table row that begins with this cell."""
    found = re.search(rf"^\| {re.escape(first_cell)} \|.*$", text, re.MULTILINE)
    assert found, f"no table row begins with {first_cell}"
    return found[0]


def make_targets() -> set[str]:
    """Return the targets that `make` lists."""
    return set(re.findall(r"^([a-z-]+):.*## ", read("Makefile"), re.MULTILINE))


def dag_params() -> set[str]:
    """Return the names of all parameters of the DAGs: keys of a dict whose values are `Param(…)`."""
    sources = [*(REPOSITORY / "dags").glob("*.py"), *(REPOSITORY / "plugins" / "entra_lake").glob("*.py")]
    dicts = [node for path in sources for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Dict)]
    return {
        str(key.value)
        for node in dicts
        for key, value in zip(node.keys, node.values, strict=True)
        if isinstance(key, ast.Constant) and isinstance(value, ast.Call) and getattr(value.func, "id", "") == "Param"
    }
