"""The Airflow plugin: Entra Lake's pages in Airflow's web UI, which are in `entra_lake/web/`, and the rule of turns."""

from __future__ import annotations

import sys
from typing import Any, ClassVar

from airflow.plugins_manager import AirflowPlugin

from entra_lake.turns import TurnsOfRuns

#: Only the process that serves the web UI loads the pages; Airflow loads plugins in every process.
_SERVES_PAGES = any(part in {"api-server", "standalone", "api_server"} for part in sys.argv[:3])


def _apps() -> list[dict[str, Any]]:
    if not _SERVES_PAGES:
        return []
    from entra_lake.web.app import create_app  # noqa: PLC0415 - see above
    from entra_lake.web.templating import PREFIX  # noqa: PLC0415

    return [{"app": create_app(), "url_prefix": PREFIX, "name": "Entra Lake"}]


def _view(name: str, path: str, route: str, destination: str = "nav") -> dict[str, Any]:
    """Return a page of ours inside Airflow's, at `/plugin/<route>` or as a tab."""
    place = {"category": "Entra Lake"} if destination == "nav" else {}
    return {"name": name, "href": f"/entra-lake/{path}", "destination": destination, "url_route": route, **place}


class EntraLakePlugin(AirflowPlugin):
    """Pages in the navigation, tabs on DAGs and on their runs, and the rule by which the DAGs' tasks wait."""

    name = "entra_lake"
    priority_weight_strategies: ClassVar[list[Any]] = [TurnsOfRuns]
    fastapi_apps: ClassVar[list[dict[str, Any]]] = _apps()
    external_views: ClassVar[list[dict[str, Any]]] = [
        _view("Coverage", "coverage", "entra-lake-coverage"),
        _view("Security overview", "overview", "entra-lake-overview"),
        _view("Findings", "findings", "entra-lake-findings"),
        _view("Query book", "queries", "entra-lake-queries"),
        _view("Coverage", "coverage?dag_id={DAG_ID}", "entra-lake-dag-coverage", "dag"),
        _view("Days", "run?dag_id={DAG_ID}&run_id={RUN_ID}", "entra-lake-run", "dag_run"),
    ]
