"""The page that shows which mails arrived. Their content is other people's: escaped, or locked in a frame."""

from __future__ import annotations

import re
from html import escape
from typing import Any

from sandbox.mail import Mailbox, as_json
from sandbox.web import Request, Response

_STYLE = """
:root{color-scheme:light dark;--ink:#1b2430;--paper:#f6f7f9;--card:#fff;--line:#d9dee5;--soft:#5c6878;
--warn:#8a4b00;--glow:#fff3dc}
@media(prefers-color-scheme:dark){:root{--ink:#e6eaf0;--paper:#12161c;--card:#1a2029;--line:#2d3644;--soft:#98a5b8;
--warn:#ffc46b;--glow:#33270f}}
*{box-sizing:border-box}
body{margin:0;font:16px/1.55 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
main{max-width:52rem;margin:0 auto;padding:1.5rem 1rem 4rem}
h1{font-size:1.35rem;margin:.2rem 0 1rem;overflow-wrap:anywhere}h2{font-size:1rem;margin:1.4rem 0 .5rem}
.banner{background:var(--glow);color:var(--warn);padding:.5rem 1rem;text-align:center;font-weight:600}
a{color:inherit}ul{list-style:none;margin:0;padding:0}small,dt{color:var(--soft)}
li,.card{background:var(--card);border:1px solid var(--line);border-radius:.6rem;margin:0 0 .7rem}
li a{display:block;padding:.8rem 1rem;text-decoration:none;overflow-wrap:anywhere}
li a:hover,li a:focus-visible{outline:2px solid currentColor;border-radius:.6rem}
.card{padding:1rem;overflow:auto}dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;margin:0}
dd{margin:0;overflow-wrap:anywhere}
pre{margin:0;white-space:pre-wrap;overflow-wrap:anywhere;font:14px/1.5 ui-monospace,monospace}
iframe{width:100%;height:34rem;border:0;background:#fff;border-radius:.4rem}
@media(max-width:34rem){dl{grid-template-columns:1fr}dd{margin-bottom:.5rem}}
"""
#: In escaped HTML, an address of this machine.
_OWN_ADDRESS = re.compile(r"https?://(?:127\.0\.0\.1|localhost)(?::\d+)?/(?:[\w./?=%+:~#-]|&amp;)*")
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)


class MailPage:
    """Answer the mail page and its JSON.

    `GET /` lists, `/mail/<id>` shows, `/mail/<id>/html` is what the frame loads, `/mail/<id>/raw` is the source;
    `GET /mails` and `DELETE /mails` are for programs.
    """

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    def answer(self, request: Request) -> Response:
        """Answer a request."""
        if request.path == "/mails":
            return self._programs(request)
        parts = request.path.strip("/").split("/")
        if parts == [""]:
            return _page("Mails", self._list())
        mail = next((mail for mail in self._mailbox.all() if parts[0] == "mail" and mail["id"] == parts[1:2][0]), None)
        if mail is None:
            return _page("No such mail", "<p>It is not here.</p>", status=404)
        if parts[2:] == ["raw"]:
            return Response(200, self._mailbox.raw(mail["id"]) or b"", _headers("text/plain; charset=utf-8"))
        if parts[2:] == ["html"]:
            return _frame(mail["html"] or "")
        return _page(mail["subject"] or "(no subject)", _show(mail))

    def _programs(self, request: Request) -> Response:
        if request.method == "DELETE":
            self._mailbox.clear()
        return Response(200, as_json(self._mailbox.all()), {"Content-Type": "application/json"})

    def _list(self) -> str:
        items = "".join(
            f'<li><a href="/mail/{mail["id"]}"><strong>{escape(mail["subject"] or "(no subject)")}</strong><br>'
            f"<small>{escape(mail['date'])} · to {escape(mail['to'])}</small></a></li>"
            for mail in reversed(self._mailbox.all())
        )
        return f"<ul>{items}</ul>" if items else "<p>No mail has arrived yet.</p>"


def _show(mail: dict[str, Any]) -> str:
    headers = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in mail["headers"])
    parts = [f'<p><a href="/">← All mails</a> · <a href="/mail/{mail["id"]}/raw">Source</a></p>']
    if mail["html"] is not None:
        frame = f'<iframe sandbox="" title="The mail as HTML" src="/mail/{mail["id"]}/html"></iframe>'
        parts.append(f'<h2>As HTML</h2><div class="card">{frame}</div>')
    if mail["text"] is not None:
        parts.append(f'<h2>As text</h2><div class="card"><pre>{_linked(mail["text"])}</pre></div>')
    parts.append(f'<h2>Headers</h2><div class="card"><dl>{headers}</dl></div>')
    return "".join(parts)


def _linked(text: str) -> str:
    """Return a text as HTML in which addresses of this very machine are links; others stay text."""
    return _OWN_ADDRESS.sub(lambda match: f'<a href="{match[0]}">{match[0]}</a>', escape(text))


def _page(title: str, content: str, *, status: int = 200) -> Response:
    text = (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)} · SIMULATED mail</title><style>{_STYLE}</style></head><body>"
        '<div class="banner">SIMULATED: these mails never left the sandbox</div>'
        f"<main><h1>{escape(title)}</h1>{content}</main></body></html>"
    )
    return Response(status, text.encode("utf-8", "replace"), _headers("text/html; charset=utf-8"))


def _frame(html: str) -> Response:
    headers = _headers("text/html; charset=utf-8")
    headers["Content-Security-Policy"] = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return Response(200, html.encode("utf-8", "replace"), headers)


def _headers(content_type: str) -> dict[str, str]:
    return {
        "Content-Type": content_type,
        "Content-Security-Policy": _POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
