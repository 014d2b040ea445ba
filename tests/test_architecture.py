"""Imports go one way, and the library does not know Airflow."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

LIBRARY = Path(__file__).parents[1] / "plugins" / "entra_lake"
AIRFLOW_AWARE = {"hooks", "web", "alerts", "notices", "tasks", "stream_day", "lake_dag", "retries", "turns"}
#: The pure core, tested without network, disk or cloud.
PURE = {
    "errors", "schema", "streams", "clock", "slices", "flatten", "identity", "versions", "layout", "passes", "manifest",
    "tombstones", "subject",
    "progress", "runs", "rereading", "lake_facts", "day_state", "due", "coverage", "coverage_text", "concerns",
    "advice", "failures", "dictionary", "pace", "budget", "cutting", "changes",
    "json_text", "shape", "finding_columns",
}  # fmt: skip
#: Lower layers first; a module may import its own layer and those below.
LAYERS = [
    {"errors", "schema", "clock", "streams", "redaction"},
    {"slices", "flatten", "identity", "layout", "versions", "passes", "manifest", "progress", "runs", "connections",
     "changes", "tombstones", "subject",
     "pace", "cutting",
     "json_text", "structs", "shape", "odd", "filters", "columns", "cells", "group_columns",
     "settings", "budget", "pages", "arrow", "sql", "next_links", "answers", "login_errors", "refusals",
     "rereading", "lake_facts", "day_state", "due", "coverage", "coverage_text", "concerns", "advice",
     "failures", "dictionary",
     "scratch", "freed_memory", "front_matter", "views", "parameters", "detections", "detection_guide", "rules",
     "finding_columns"},
    {"aws", "store", "store_protocol", "folder_store", "athena", "gate", "patience", "transport", "access_token",
     "asking", "graph", "rewriting"},
    {"removal", "sightings", "raw", "footer", "tally", "row_groups", "windows", "resolve", "known_rows", "row_file",
     "stretches", "few_rows", "known", "changed_records", "news", "build", "checkpoints", "checks", "moved",
     "expected"},
    {"lake"},
    {"findings", "findings_table", "examinations", "readiness", "mutes", "turn"},
    {"crew", "distinct", "listing", "metrics", "expiry", "retention"},
    {"extract", "load", "tables", "commit", "verify", "acknowledge", "audit"},
    {"holdings", "examine"},
    {"collect", "rebuild"},
    {"purge", "sweep"},
    {"erasure"},
    {"reconcile"},
    {"report", "mail", "incidents", "posting", "told"},
    {"watch", "digest", "digest_letter"},
    {"commands", "upkeep_commands", "detect_command", "erase_command", "pandas_absence", "__main__"},
    AIRFLOW_AWARE,
]  # fmt: skip


def modules() -> dict[str, set[str]]:
    """Return each module or subpackage of the library and what it imports of the library."""
    found: dict[str, set[str]] = {}
    for path in LIBRARY.rglob("*.py"):
        name = path.relative_to(LIBRARY).with_suffix("").parts[0]
        if name != "__init__":
            found.setdefault(name, set()).update(_imports(path) - {name})
    return found


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("entra_lake."):
            names.add(node.module.split(".")[1])
    return names


def test_every_module_has_a_layer() -> None:
    """A new module says where it belongs."""
    assert set(modules()) == set().union(*LAYERS)


@pytest.mark.parametrize("name", sorted(set().union(*LAYERS)))
def test_imports_go_down(name: str) -> None:
    """No module imports one of a higher layer."""
    height = next(number for number, layer in enumerate(LAYERS) if name in layer)
    allowed = set().union(*LAYERS[: height + 1])
    assert modules().get(name, set()) <= allowed


def loaded_by(statement: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter has loaded behind the statement."""
    code = f"import sys\n{statement}\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    env = {"PYTHONPATH": str(LIBRARY.parent)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    return set(done.stdout.split())


def test_the_library_loads_without_airflow() -> None:
    """Everything but the Airflow-aware modules can be used where Airflow is not installed."""
    names = sorted(set().union(*LAYERS) - AIRFLOW_AWARE - {"__main__"})
    assert "airflow" not in loaded_by("; ".join(f"import entra_lake.{name}" for name in names))


def test_the_core_is_pure() -> None:
    """The pure modules load nothing that talks to the outside."""
    outside = {"requests", "boto3", "botocore", "msal", "pyarrow", "airflow", "urllib3"}
    assert not loaded_by("; ".join(f"import entra_lake.{name}" for name in sorted(PURE))) & outside


def test_modules_fit_in_the_head() -> None:
    """No module is longer than 350 lines; streams are data and may be."""
    long = {path.name: len(path.read_text().splitlines()) for path in LIBRARY.glob("*.py")}
    assert {name: lines for name, lines in long.items() if lines > 350} == {}
