"""Small objects that several runs change: read, changed, and written under the condition that nobody else has."""

from __future__ import annotations

from collections.abc import Callable

from entra_lake.store_protocol import Store

#: Lost races after which a change is given up: each means that another run has changed the object meanwhile.
MOST_RACES = 8


def rewrite(store: Store, key: str, change: Callable[[bytes | None], bytes | None]) -> bool:
    """Replace an object by what the function makes of its content; once more when another run was first.

    :param change: gets the object's content, None where there is none; returns what to write, None to leave it.
        It may be called several times: what it notes elsewhere must be of its last call alone.
    :returns: whether the object is now as wanted; False when others kept being first.
    """
    for _ in range(MOST_RACES):
        found = store.read(key)
        content = change(found[0] if found else None)
        if content is None or store.replace(key, content, found[1] if found else None):
            return True
    return False
