"""How others page through Graph's logs, on simulated time: what extraction is compared with.

Each is given the whole day, follows next links, renews its token, and keeps nothing of what it reads.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

import requests

from benchmarks.scene import DAY, THROTTLED, Scene, simulated_time
from entra_lake.schema import Stream
from entra_lake.slices import Slice, filter_text
from sandbox.simulated_time import SimulatedTime

_UNAUTHORISED = 401


class Reader:
    """One client of Graph that waits as long as `Retry-After` says.

    :param until: the simulated second at which it gives up.
    """

    def __init__(self, scene: Scene, stream: Stream, until: float) -> None:
        self._time = simulated_time(scene)
        self._settings = scene.cloud.settings
        self._secret = scene.cloud.state.client_secret
        self._stream = stream
        self._until = until
        self._session = requests.Session()
        self._session.verify = self._settings["ca_bundle"]
        self._session.trust_env = False
        self._token = self._new_token()

    def read(self, window: Slice) -> None:
        """Read a slice to its end."""
        query = {"$filter": filter_text(self._stream, window), "$top": str(self._stream.page_size)}
        address = f"{self._settings['graph_url']}/v1.0/auditLogs/signIns"
        page = self._page(address, query)
        while page and (link := page.get("@odata.nextLink")):
            page = self._page(link)

    def _page(self, address: str, query: dict[str, str] | None = None) -> dict[str, Any] | None:
        while self._time.seconds() < self._until:
            headers = {"Authorization": f"Bearer {self._token}"}
            answer = self._session.get(address, params=query, headers=headers, timeout=120)
            if answer.status_code == THROTTLED:
                self._time.sleep(float(answer.headers["Retry-After"]))
            elif answer.status_code == _UNAUTHORISED:
                self._token = self._new_token()
            else:
                answer.raise_for_status()
                page: dict[str, Any] = answer.json()
                return page
        return None

    def _new_token(self) -> str:
        form = {
            "client_id": self._settings["client_id"],
            "client_secret": self._secret,
            "grant_type": "client_credentials",
            "scope": "https://graph.microsoft.com/.default",
        }
        answer = self._session.post(f"{self._settings['authority']}/oauth2/v2.0/token", data=form, timeout=120)
        answer.raise_for_status()
        return str(answer.json()["access_token"])


def parallel(scene: Scene, stream: Stream, longest: float, slices: int = 24, workers: int = 4) -> int:
    """Read slices of the day side by side, each reader for itself.

    :param longest: simulated seconds after which they give up.
    :returns: the pages that were read; 0 when they gave up.
    """
    time = simulated_time(scene)
    todo = deque(Slice.of_day(DAY).split(slices))
    until = time.seconds() + longest
    readers = [Reader(scene, stream, until) for _ in range(workers)]

    def work(reader: Reader) -> None:
        while todo:
            reader.read(todo.popleft())

    together(time, [partial(work, reader) for reader in readers])
    return 0 if time.seconds() >= until else scene.answered()


def together(time: SimulatedTime, works: list[Callable[[], None]]) -> None:
    """Begin activities at the same moment and wait for their ends; raise the first error of any."""
    ended = threading.Semaphore(0)
    errors: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - it is raised again, by who waits
            errors.append(error)
        finally:
            ended.release()

    def begin() -> None:
        for work in works:
            time.start(partial(run, work))

    time.start(begin)
    for _ in works:
        ended.acquire()
    if errors:
        raise errors[0]
