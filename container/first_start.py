"""Make the stack's secrets at its first start, and refuse weak ones at every start.

    first_start.py [FOLDER]     FOLDER holds airflow/, database/ and broker/: one volume each, so that a container
                                sees only what it needs

A file that exists is kept: write your own before the first start, or replace one later. Nothing has a default.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

FOLDER = Path("/run/entra-lake")
USER = "admin"
SHORTEST = 16
#: What documentation, examples and other people's compose files put where a secret belongs.
KNOWN_BAD = {
    "",
    "81HqDtbqAywKSOumSha3BhWNOdQ26slT6K0YaZeZyPs=",
    "46BKJoQYlPPOexq0OhDZnIlNepKFf87WFwLbfzqDDho=",
    "FB0o_zt4e3Ziq3LdUUO7F2Z95cvFFx16hU8jTeR1ASM=",
    "airflow_jwt_secret",
    "temporary_key",
    "a_very_secret_key",
    "your_secret_key_here",
}
#: Words that make a value worthless whatever surrounds them.
WEAK = ("airflow", "password", "changeme", "change-me", "secret", "admin", "postgres", "12345", "qwerty")
#: Settings that would be taken instead of the files.
OVERRIDES = (
    "AIRFLOW__CORE__FERNET_KEY",
    "AIRFLOW__API_AUTH__JWT_SECRET",
    "AIRFLOW__API__SECRET_KEY",
    "AIRFLOW__WEBSERVER__SECRET_KEY",
)


class WeakSecretError(Exception):
    """A secret that somebody could guess, or that others can read."""


def main(arguments: list[str]) -> int:
    """Make what is missing, check everything; return 1 with the reason when a secret is weak."""
    folder = Path(arguments[0]) if arguments else FOLDER
    try:
        made = make_secrets(folder)
        check_secrets(folder)
        check_overrides(os.environ)
    except WeakSecretError as error:
        print(f"REFUSED: {error}", file=sys.stderr)
        return 1
    print(f"Made: {', '.join(made)}." if made else "All secrets are there.")
    print(f"Log in as {USER}; the password is in {folder / 'airflow' / 'admin_password'}.")
    return 0


def make_secrets(folder: Path) -> list[str]:
    """Write each secret that does not exist yet; return their names."""
    made = [name for name, make in MAKERS.items() if _create(folder / name, make)]
    # Written anew each time: they only repeat what others hold.
    for name, text in _derived(folder).items():
        _write(folder / name, text)
    return made


def check_secrets(folder: Path) -> None:
    """Refuse a secret that is known, short or readable by others.

    :raises WeakSecretError: naming the file.
    """
    for name in MAKERS:
        path = folder / name
        if path.stat().st_mode & 0o077:
            message = f"{path} can be read by others than its owner. Run: chmod 600 {path}"
            raise WeakSecretError(message)
        check_value(str(path), path.read_text().strip())
    check_fernet(folder / "airflow" / "fernet_key")


def check_value(where: str, value: str) -> None:
    """Refuse a value that somebody could guess.

    :raises WeakSecretError: naming where it stands, and never the value.
    """
    if value in KNOWN_BAD or any(word in value.lower() for word in WEAK):
        message = f"{where} holds a value that everybody knows. Delete it: the next start makes a new one."
        raise WeakSecretError(message)
    if len(value) < SHORTEST:
        message = f"{where} is shorter than {SHORTEST} characters. Delete it: the next start makes a new one."
        raise WeakSecretError(message)


def check_fernet(path: Path) -> None:
    """Refuse what is no Fernet key; several, separated by commas, are a rotation.

    :raises WeakSecretError: naming the file.
    """
    for key in path.read_text().strip().split(","):
        try:
            size = len(base64.urlsafe_b64decode(key))
        except (binascii.Error, ValueError):
            size = 0
        if size != 32:  # noqa: PLR2004 - the length of a Fernet key
            message = f"{path} holds no Fernet key. Restore it: without it, stored connections cannot be read."
            raise WeakSecretError(message)


def check_overrides(environ: Mapping[str, str]) -> None:
    """Refuse weak values in settings that go before the files.

    :raises WeakSecretError: naming the variable.
    """
    for name in OVERRIDES:
        if name in environ:
            check_value(name, environ[name])


def _derived(folder: Path) -> dict[str, str]:
    database, broker = (_read(folder / name) for name in ("database/password", "broker/password"))
    admin = _read(folder / "airflow/admin_password")
    address = f"airflow:{database}@postgres:5432/airflow"
    return {
        "airflow/database_url": f"postgresql+psycopg2://{address}",
        "airflow/result_backend": f"db+postgresql://{address}",
        "airflow/broker_url": f"redis://:{broker}@redis:6379/0",
        "airflow/passwords.json": json.dumps({USER: admin}),
    }


def _read(path: Path) -> str:
    return path.read_text().strip()


def _create(path: Path, make: Callable[[], str]) -> bool:
    if path.exists():
        return False
    _write(path, make())
    return True


def _write(path: Path, text: str) -> None:
    """Replace a file as a whole; a kill in between leaves the old one, or none."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _key(size: int, *, padded: bool = False) -> Callable[[], str]:
    """Return a maker of random text that no weak word is in by chance; nothing in it needs quoting in an address."""

    def make() -> str:
        while any(word in (text := secrets.token_urlsafe(size)).lower() for word in WEAK):
            pass
        return text + "=" * (-len(text) % 4) if padded else text

    return make


MAKERS: dict[str, Callable[[], str]] = {
    "airflow/fernet_key": _key(32, padded=True),
    "airflow/jwt_secret": _key(64),
    "airflow/secret_key": _key(32),
    "airflow/admin_password": _key(18),
    "database/password": _key(24),
    "broker/password": _key(24),
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
