"""Where a listing may go next: only to the configured Graph, and never to a page it has seen.

The bearer token travels with every page's request. A next link comes from outside, so its origin is
compared before anything is sent, and so strictly that no two readers of the address can disagree
about its host.
"""

from __future__ import annotations

import re
from hashlib import sha256

from entra_lake.errors import ListingBrokenError, UntrustedLinkError

#: Pages of one listing; a slice is halved long before.
MAX_PAGES = 100_000

#: No user, no IDN or escapes in the host, no control characters anywhere, no backslash before the query.
_ADDRESS = re.compile(
    r"(?P<scheme>[a-z]+)://(?P<host>[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?:/[^\\?#\x00-\x20\x7f]*)?(?:\?[^\x00-\x1f\x7f]*)?",
    re.IGNORECASE,
)
_PORTS = {"https": 443, "http": 80}


def origin_of(url: str) -> tuple[str, str, int] | None:
    """Return scheme, host and port of an address; None when it has not the plainest form."""
    match = _ADDRESS.fullmatch(url)
    if not match:
        return None
    scheme = match["scheme"].lower()
    return scheme, match["host"].lower(), int(match["port"] or _PORTS.get(scheme, 0))


def check_origin(link: str, graph_url: str) -> None:
    """Refuse a link that leads away from Graph.

    :raises UntrustedLinkError: when scheme, host or port differ, or the link is malformed.
    """
    origin = origin_of(link)
    if origin is None or origin != origin_of(graph_url):
        message = (
            "Graph's answer links to a page on another server than the connection names; nothing was sent there. "
            "Check extra.graph_url of the connection, and who answers in Graph's place."
        )
        raise UntrustedLinkError(message)


class Trail:
    """The pages that one listing has asked for; only their hashes, in bounded memory."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()

    def add(self, link: str) -> None:
        """Note a page before it is asked for.

        :raises ListingBrokenError: when it repeats, or the listing does not end.
        """
        digest = sha256(link.encode("utf-8", "surrogatepass")).digest()[:16]
        if digest in self._seen:
            message = "the listing repeats: a next link leads back to a page that was read already"
            raise ListingBrokenError(message)
        if len(self._seen) >= MAX_PAGES:
            message = f"the listing does not end after {MAX_PAGES} pages"
            raise ListingBrokenError(message)
        self._seen.add(digest)
