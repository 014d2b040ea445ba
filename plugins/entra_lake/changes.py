"""What is different between two versions of a record: the paths of its fields, never their values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

#: A pass names at most so many changed fields; the rest is counted as one.
MOST_FIELDS = 50
_MORE = "more fields"
_LONGEST_PATH = 120


def changed_paths(old: object, new: object, path: str = "") -> Iterator[str]:
    """Yield the paths at which two parsed records differ, such as `status.errorCode`; a list counts as one value."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in sorted({*old, *new}):
            inner = f"{path}.{name}" if path else str(name)
            if (name in old) != (name in new):
                yield inner
            elif name in old:
                yield from changed_paths(old[name], new[name], inner)
    elif type(old) is not type(new) or old != new:
        yield path


def add_up(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Add counts by field, and keep the most frequent; the same counts in any order give the same."""
    total: Counter[str] = Counter()
    for item in counts:
        total.update({_printable(name): number for name, number in item.items()})
    rest = total.pop(_MORE, 0)
    ranked = sorted(total.items(), key=lambda item: (-item[1], item[0]))
    rest += sum(number for _, number in ranked[MOST_FIELDS:])
    kept = dict(sorted(ranked[:MOST_FIELDS]))
    return {**kept, _MORE: rest} if rest else kept


def _printable(name: str) -> str:
    return name[:_LONGEST_PATH].encode(errors="replace").decode()
