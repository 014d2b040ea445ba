"""Which contents the lake owes: the oracle of the soak, made of the tenant's own history and of nothing that we read.

The promise is about *complete* passes. When one was begun at instant *b* and complete at *e*, its listing was taken
somewhere in between; a content that the tenant showed during all of `[b, e]` was in it, wherever that was. So:

- **owed** is every content that was visible throughout the time of an acknowledged complete pass, from the first
  attempt of its run on, unless a listing of that time was silently short. The history must hold all of them.
- Not owed is a content that came and went between two passes, or that only a failed or a short listing held: the
  tenant's `GET /truth` tells it, because a page with it was served, and no complete listing of ours can show it.
- **possible** is every content that was visible before now. The history must hold nothing else.
- The **view** of a day whose last reading was complete, not short and alone must show, for every id visible at *b*,
  a content that the tenant showed in `[b, e]`, and no id that was not visible by *e*. An id that has left the day,
  because its event was moved over midnight, stays with a content that it had there: a lake forgets nothing.
- A day that ages out without an acknowledged complete pass owes everything that was ever current in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from entra_lake.schema import Stream
from soak.contents import Content, Era

Key = tuple[Stream, date]


@dataclass
class Attempt:
    """A run's listing of a day, from its first try on.

    :param began: instant (ticks) of the first try.
    :param cut: listings, of whatever day, that had been silently short by then.
    :param ended: instant at which the listing was complete or given up.
    :param is_whole: whether the listing was complete, and not silently short.
    :param is_alone: whether no other run listed the same day meanwhile.
    """

    run_id: str
    began: int
    cut: int = 0
    ended: int | None = None
    pass_id: str | None = None
    is_whole: bool = False
    is_alone: bool = True


@dataclass
class Ledger:
    """All attempts to list a day, in the order of their beginning."""

    attempts: dict[Key, list[Attempt]] = field(default_factory=dict)

    def begin(self, key: Key, run_id: str, now: int, cut: int) -> Attempt:
        """Note that a run lists a day; a run that tries again goes on with its attempt."""
        known = self.attempts.setdefault(key, [])
        for attempt in known:
            if attempt.run_id == run_id and attempt.ended is None:
                return attempt
        known.append(Attempt(run_id, now, cut))
        return known[-1]

    def finish(self, key: Key, attempt: Attempt, pass_id: str, now: int, cut: int) -> None:
        """Note that the listing is complete."""
        attempt.ended, attempt.pass_id, attempt.is_whole = now, pass_id, cut == attempt.cut
        others = [item for item in self.attempts[key] if item is not attempt]
        attempt.is_alone = not any(item.ended is None or item.ended >= attempt.began for item in others)

    def forget(self, key: Key, attempt: Attempt) -> None:
        """Forget an attempt that has asked for nothing: the run took up what another one had left."""
        self.attempts[key].remove(attempt)

    def give_up(self, key: Key, run_id: str, now: int) -> None:
        """Note that the run lists no more: what it has not finished stays unfinished."""
        for attempt in self.attempts.get(key, ()):
            if attempt.run_id == run_id and attempt.ended is None:
                attempt.ended = now

    def owed(self, key: Key, acknowledged: Iterable[str], eras: list[Era]) -> set[Content]:
        """Return the contents that the history must hold."""
        names = set(acknowledged)
        passes = [item for item in self.attempts.get(key, ()) if item.is_whole and item.pass_id in names]
        return {
            (era.id, era.content)
            for item in passes
            for era in eras
            if item.ended is not None and era.covers(item.began, item.ended)
        }

    def last_clean(self, key: Key, acknowledged: Iterable[str]) -> Attempt | None:
        """Return the last attempt, if the view must show what it saw."""
        made = self.attempts.get(key)
        if not made or not (made[-1].is_whole and made[-1].is_alone and made[-1].pass_id in set(acknowledged)):
            return None
        return made[-1]


def wrong_in_view(view: dict[str, str], seen: Attempt, eras: list[Era]) -> set[str]:
    """Return the ids that a view shows wrongly, or not, after a clean reading."""
    began, ended = seen.began, seen.ended or seen.began
    right = {(era.id, era.content) for era in eras if era.meets(began, ended)}
    visible = {era.id for era in eras if era.covers(began, began)}
    gone = {era.id for era in eras if era.start <= began} - {name for name, _ in right}
    shown = {name for name, content in view.items() if (name, content) not in right}
    return (shown - gone) | (visible - view.keys())
