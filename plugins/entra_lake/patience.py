"""How often, and after which wait, a request is tried again."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from entra_lake.clock import Clock
from entra_lake.errors import CredentialError, EntraLakeError, LicenceMissingError, ThrottledError
from entra_lake.gate import Gate

#: Told of each wait: its seconds, and its reason in a few words.
OnWait = Callable[[float, str], None]

#: Tries where an error of this kind is no matter of luck. A 401 may mean that only the token has
#: ended; "not premium" came back nine times of ten on a tenant that is (microsoft-graph-docs 14118).
_TRIES: Final[dict[type[EntraLakeError], int]] = {CredentialError: 2, LicenceMissingError: 4}
#: Seconds before the second try without better advice; doubled for each one after it.
_FIRST_WAIT: Final = 2.0
_FIRST_PAUSE: Final = 10.0
#: Seconds that anybody may keep everybody waiting: one day.
_LONGEST_PAUSE: Final = 86_400.0


class Patience:
    """The tries that one request is worth.

    :param max_tries: tries in all, for trouble that may pass.
    :param longest_sleep: seconds that one wait may take; longer ones are the caller's to schedule.
    :param jitter: returns a number in [0, 1), so that many clients do not come back at once.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        max_tries: int,
        longest_sleep: float,
        jitter: Callable[[], float] = random.random,
        on_wait: OnWait | None = None,
    ) -> None:
        self._clock = clock
        self._max_tries = max_tries
        self._longest_sleep = longest_sleep
        self._jitter = jitter
        self._on_wait = on_wait
        self._spent: dict[type[EntraLakeError], int] = {}

    def spend(self, error: EntraLakeError) -> int:
        """Count one failed try and return how many there were.

        :raises EntraLakeError: this one, when no try is left.
        """
        kind = type(error) if type(error) in _TRIES else EntraLakeError
        spent = self._spent[kind] = self._spent.get(kind, 0) + 1
        if spent >= _TRIES.get(kind, self._max_tries):
            raise error
        return spent

    def pause(self, error: ThrottledError, gate: Gate, sent_at: float) -> None:
        """Count one refusal for haste, and let nobody send until Graph wants to be asked again.

        :param sent_at: the moment of the refused request, as the gate has written it down.
        :raises ThrottledError: when no try is left, or the pause is longer than `longest_sleep`.
        """
        doubled = _FIRST_PAUSE * 2.0 ** self._spent.get(EntraLakeError, 0)
        seconds = error.retry_after or min(doubled, self._longest_sleep)
        error.retry_after = min(seconds, _LONGEST_PAUSE)
        gate.pause(error.retry_after, refused=sent_at)
        self.spend(error)
        if seconds > self._longest_sleep:
            raise error

    def wait(self, error: EntraLakeError, retry_after: float | None = None, gate: Gate | None = None) -> None:
        """Count one failed try and sleep before the next.

        :param retry_after: seconds that the server asks for.
        :param gate: where nobody else may pass for those seconds either.
        :raises EntraLakeError: this one, when no try is left.
        :raises ThrottledError: when the server asks for more than `longest_sleep`.
        """
        if gate and retry_after:
            gate.pause(min(retry_after, _LONGEST_PAUSE))
        backoff = _FIRST_WAIT * 2 ** (self.spend(error) - 1) * (0.5 + 0.5 * self._jitter())
        seconds = max(min(backoff, self._longest_sleep), retry_after or 0.0)
        if seconds > self._longest_sleep:
            raise ThrottledError(error.message, retry_after=seconds, request_id=error.request_id)
        self._clock.sleep(seconds)
        if self._on_wait:
            self._on_wait(seconds, "trouble")
