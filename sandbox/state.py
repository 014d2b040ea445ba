"""What a sandbox remembers between two starts: who the tenant is, its secrets, its clock and its story's day."""

from __future__ import annotations

import json
import os
import random
import uuid
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from pathlib import Path
from threading import Lock
from typing import Any, Self

from sandbox.clock import Clock

_WRITING = Lock()


def write_private(path: Path, text: str) -> None:
    """Replace a file as a whole, readable by its owner only; a kill in between leaves the old one."""
    with _WRITING:
        fresh = path.with_name(f"{path.name}.new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        fresh.replace(path)


@dataclass
class State:
    """The tenant's identity and settings, kept in `state.json`.

    :param story_day: the day of the story's climax.
    :param token_generation: tokens of an older generation were revoked.
    :param secret_expired: whether the client secret is past its end.
    """

    folder: Path
    seed: int
    sign_ins_per_day: int
    tenant_id: str
    client_id: str
    client_secret: str
    signing_key: str
    story_day: str
    clock: dict[str, Any] = field(default_factory=dict)
    token_generation: int = 0
    secret_expired: bool = False

    @classmethod
    def open(cls, folder: Path, seed: int | None, sign_ins_per_day: int | None, clock: Clock | None) -> Self:
        """Resume the folder's tenant, or begin one; a clock that is given wins over the stored one."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / "state.json"
        if path.exists():
            state = cls(folder=folder, **json.loads(path.read_text()))
            state.sign_ins_per_day = sign_ins_per_day or state.sign_ins_per_day
        else:
            state = cls._begin(folder, 1 if seed is None else seed, sign_ins_per_day or 400, clock or Clock())
        if clock is not None:
            state.clock = clock.state()
        state.save()
        return state

    @classmethod
    def _begin(cls, folder: Path, seed: int, sign_ins_per_day: int, clock: Clock) -> Self:
        names = random.Random(f"identity/{seed}")
        yesterday: date = clock.now().date() - timedelta(days=1)
        return cls(
            folder=folder,
            seed=seed,
            sign_ins_per_day=sign_ins_per_day,
            tenant_id=str(uuid.UUID(int=names.getrandbits(128), version=4)),
            client_id=str(uuid.UUID(int=names.getrandbits(128), version=4)),
            client_secret=new_secret(),
            signing_key=os.urandom(32).hex(),
            story_day=yesterday.isoformat(),
            clock=clock.state(),
        )

    def save(self) -> None:
        """Write `state.json`."""
        facts = asdict(self)
        del facts["folder"]
        write_private(self.folder / "state.json", json.dumps(facts, indent=1))


def new_secret() -> str:
    """Return a client secret that says what it is."""
    return f"simulated~{os.urandom(18).hex()}"
