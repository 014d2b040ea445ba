"""What may be repeated of a text that came from outside: no token, no link's query, no control characters."""

from __future__ import annotations

import logging
import re
import unicodedata

#: Characters of a foreign text that a message quotes.
LONGEST_QUOTE = 300

_QUERY = re.compile(r"(https?://[^\s?\"'<>]+)\?[^\s\"'<>]*", re.IGNORECASE)
_NAMED = re.compile(
    r"(skip_?token|access_?token|client_?secret|client_?assertion|password|bearer)"
    r"(\"?\s*(?:%3d|[=:])\s*\"?|\s+(?=[\w-]{20}))[^\s&\"',;]+",
    re.IGNORECASE,
)
_JWT = re.compile(r"eyJ[\w-]{10,}(?:\.[\w-]*)*")
_OPAQUE = re.compile(r"\b(?:[0-9a-fA-F]{32,}(?:_+\d+)?|(?=[\w+/-]*\d)[\w+/-]{60,}={0,2})")
#: Unicode's categories of characters that show nothing, and of which some change how their neighbours show.
HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
#: Control characters, and those that change the direction of writing: both forge log lines.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]+")


def quote(text: str, *, secrets: tuple[str, ...] = ()) -> str:
    """Return a foreign text as a message may quote it: one short line without secrets.

    :param secrets: texts to remove wherever they occur.
    """
    text = text[: 20 * LONGEST_QUOTE]
    for secret in filter(None, secrets):
        text = text.replace(secret, "…")
    text = _QUERY.sub(r"\1?…", text)
    text = _NAMED.sub(r"\1\2…", text)
    text = _OPAQUE.sub("…", _JWT.sub("…", text))
    text = _UNPRINTABLE.sub(" ", text).strip()
    return text if len(text) <= LONGEST_QUOTE else text[: LONGEST_QUOTE - 1] + "…"


def without_hidden(text: str) -> str:
    """Return a text with a space in place of each character that shows nothing: it cannot steer mails or terminals."""
    return "".join(" " if unicodedata.category(char) in HIDDEN else char for char in text)


class _WithoutQueries(logging.Filter):
    """Cut the queries off the addresses that urllib3 logs: a next link is as good as its records."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(arg.split("?", 1)[0] if isinstance(arg, str) else arg for arg in record.args)
        return True


_WITHOUT_QUERIES = _WithoutQueries()


def hide_queries_in_logs() -> None:
    """Keep next links out of urllib3's own DEBUG lines, whatever level logging is set to."""
    # A filter works on its own logger only, and adding the same one twice adds it once.
    logging.getLogger("urllib3.connectionpool").addFilter(_WITHOUT_QUERIES)
