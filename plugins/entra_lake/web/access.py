"""Who may see a page, and who may start something from it: Airflow's own login and DAG permissions decide.

A lake's records belong to its daily DAG: who may read that DAG in Airflow may read the lake's pages, and who
may start its runs may fill days from there.
"""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import get_user
from fastapi import Depends, HTTPException, Request, status

from entra_lake.settings import DEFAULT_LAKE, LakeSettings, read_lakes

#: A browser says with each request where it comes from; a form on another site cannot change these words.
_OWN_SITE = ("same-origin", "none")

User = Annotated[BaseUser, Depends(get_user)]


def readable_lakes(user: User) -> dict[str, LakeSettings]:
    """Return the lakes whose daily DAG this user may read, by name.

    :raises HTTPException: 403 when there is none.
    """
    lakes = {name: lake for name, lake in read_lakes().items() if _may(user, "GET", lake)}
    if not lakes:
        raise HTTPException(status.HTTP_403_FORBIDDEN, "Your account may read no DAG of Entra Lake.")
    return lakes


ReadableLakes = Annotated[dict[str, LakeSettings], Depends(readable_lakes)]


def chosen_lake(request: Request, lakes: ReadableLakes) -> LakeSettings:
    """Return the lake that the address names (`?lake=`, or the one of `?dag_id=`), else the first one.

    :raises HTTPException: 404 for a lake that there is not, or that the user may not read: both look the same.
    """
    name = request.query_params.get("lake") or _lake_of_dag(request.query_params.get("dag_id"), lakes)
    if name not in lakes:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "There is no such lake, or your account may not read it.")
    return lakes[name]


ChosenLake = Annotated[LakeSettings, Depends(chosen_lake)]


def trigger_lake(request: Request, user: User, lake: ChosenLake) -> LakeSettings:
    """Return the lake whose runs this user may start.

    :raises HTTPException: 403 when the user may not, or when another site's page sent the request.
    """
    refuse_other_sites(request)
    if not _may(user, "POST", lake, DagAccessEntity.RUN):
        raise HTTPException(status.HTTP_403_FORBIDDEN, f"Your account may not start runs of {daily_dag_id(lake)}.")
    return lake


TriggerLake = Annotated[LakeSettings, Depends(trigger_lake)]


def may_trigger(user: BaseUser, lake: LakeSettings) -> bool:
    """Tell whether this user may start runs of the lake's daily DAG."""
    return _may(user, "POST", lake, DagAccessEntity.RUN)


def refuse_other_sites(request: Request) -> None:
    """Refuse what a page of another site has sent with this user's cookie.

    :raises HTTPException: 403.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    is_own = site in _OWN_SITE if site else origin is not None and urlsplit(origin).netloc == request.url.netloc
    if not is_own or (origin and urlsplit(origin).netloc != request.url.netloc):
        raise HTTPException(status.HTTP_403_FORBIDDEN, "Another site sent this request. Start it from the page itself.")


def daily_dag_id(lake: LakeSettings) -> str:
    """Return the id of the lake's daily DAG."""
    return f"entra_logs{lake.dag_suffix}"


def _may(
    user: BaseUser, method: Literal["GET", "POST"], lake: LakeSettings, entity: DagAccessEntity | None = None
) -> bool:
    details = DagDetails(id=daily_dag_id(lake))
    return bool(get_auth_manager().is_authorized_dag(method=method, access_entity=entity, details=details, user=user))


def _lake_of_dag(dag_id: str | None, lakes: dict[str, LakeSettings]) -> str:
    """Return the lake whose DAG this is; the first readable one where the DAG is none of ours."""
    first = DEFAULT_LAKE if DEFAULT_LAKE in lakes else next(iter(lakes))
    if not dag_id:
        return first
    named = [lake.name for lake in lakes.values() if dag_id.removeprefix("entra_") in _dag_names(lake)]
    return named[0] if named else first


def _dag_names(lake: LakeSettings) -> set[str]:
    return {f"{name}{lake.dag_suffix}" for name in ("logs", "reconcile")}
