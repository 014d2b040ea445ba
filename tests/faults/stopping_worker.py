"""A worker that is stopped before chosen writes, as by SIGSTOP from outside: `python stopping_worker.py FACTS`."""

from __future__ import annotations

import json
import os
import signal
import sys
from datetime import date
from pathlib import Path
from typing import Any

from entra_lake.aws import Aws
from entra_lake.collect import collect_day
from entra_lake.connections import read_connection
from entra_lake.lake import open_lake
from entra_lake.settings import LakeSettings
from entra_lake.store import S3Store
from entra_lake.streams import STREAMS
from sandbox.clock import Clock
from sandbox.environment import environment
from soak.world import MovedClock


class StoppingStore(S3Store):
    """S3 as it is, by a process that stops before the first write of each of these places."""

    places: list[str]

    def _put(self, key: str, content: bytes | Path, condition: dict[str, str]) -> str | None:
        for place in [place for place in self.places if place in key]:
            self.places.remove(place)
            os.kill(os.getpid(), signal.SIGSTOP)
        return super()._put(key, content, condition)


def main(facts: dict[str, Any]) -> None:
    """Take one day through all steps."""
    variables = environment(Path(facts["cloud"]))
    source = Clock(frozen_at=facts["ticks"])
    aws = Aws.from_connection(read_connection("aws_default", variables))
    settings = LakeSettings(**{**facts["settings"], "streams": tuple(facts["settings"]["streams"])})
    lake = open_lake(
        settings,
        get_connection=lambda name: read_connection(name, variables),
        aws=aws,
        clock=MovedClock(sleep=source.advance, monotonic=source.seconds, source=source),
    )
    store = StoppingStore(aws.client("s3"), settings.bucket, settings.prefix)
    store.places = facts["places"]
    lake.__dict__["store"] = store
    collect_day(lake, STREAMS["sign_ins"], date.fromisoformat(facts["day"]), facts["run_id"])


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
