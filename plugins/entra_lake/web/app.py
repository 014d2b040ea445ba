"""The application that Airflow mounts: all pages, one login for each of their paths, and headers that keep them in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from airflow.api_fastapi.core_api.security import get_user
from fastapi import Depends, FastAPI, HTTPException, Request, Response, status
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from entra_lake.errors import EntraLakeError
from entra_lake.web.templating import PREFIX, page

STATIC = Path(__file__).parent / "static"
#: Files that pages load, by name: nothing else below the folder can be asked for.
_ASSETS = {"pages.css": "text/css", "pages.js": "text/javascript"}

#: Pages load nothing from elsewhere, run no inline script, and show in no other site's frame.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self' 'unsafe-inline'; script-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def create_app() -> FastAPI:
    """Return the application; every path of it, also one that does not exist, demands Airflow's login."""
    app = FastAPI(title="Entra Lake", docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(get_user)])
    app.middleware("http")(_add_headers)
    app.add_exception_handler(EntraLakeError, _show_trouble)
    app.add_exception_handler(StarletteHTTPException, _show_refusal)
    app.add_exception_handler(RequestValidationError, _show_incomplete)
    app.add_api_route("/", _home, methods=["GET"])
    app.add_api_route("/static/{name}", _asset, methods=["GET"])
    _add_pages(app)
    methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    app.add_api_route("/{path:path}", _nothing, methods=methods)
    return app


def _add_pages(app: FastAPI) -> None:
    from entra_lake.web import (  # noqa: PLC0415 - pages need the application's parts
        coverage_page,
        day_page,
        findings_page,
        overview_page,
        people_page,
        query_page,
        run_page,
    )

    for module in (coverage_page, day_page, findings_page, overview_page, people_page, query_page, run_page):
        app.include_router(module.router)


async def _home() -> RedirectResponse:
    return RedirectResponse(f"{PREFIX}/coverage")


async def _asset(name: str) -> FileResponse:
    if name not in _ASSETS:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "There is no such file.")
    return FileResponse(STATIC / name, media_type=_ASSETS[name])


async def _nothing(path: str) -> None:
    _ = path
    raise HTTPException(status.HTTP_404_NOT_FOUND, "There is no such page.")


async def _add_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _show_trouble(request: Request, error: Exception) -> HTMLResponse:
    """Say what failed and what to do, as a page."""
    code = getattr(error, "code", "")
    message = getattr(error, "message", "")
    return page(request, "trouble.html", title="This page cannot be shown", code=code, message=message, status_code=503)


def _show_incomplete(request: Request, _error: Exception) -> HTMLResponse:
    """Say that the address lacks something, or holds what cannot be read, without repeating it."""
    message = "The address is incomplete, or a part of it is not of the right kind."
    return page(request, "trouble.html", title="Not available", code="", message=message, status_code=422)


def _show_refusal(request: Request, error: Exception) -> HTMLResponse:
    number = getattr(error, "status_code", 500)
    headers = getattr(error, "headers", None)
    message = str(getattr(error, "detail", "")) or "The request was refused."
    title = "Not signed in" if number == status.HTTP_401_UNAUTHORIZED else "Not available"
    answer = page(request, "trouble.html", title=title, code="", message=message, status_code=number)
    answer.headers.update(headers or {})
    return answer
