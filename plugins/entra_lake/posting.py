"""Post a letter to everybody whom lakes.yaml names, through the lake's mail connection."""

from __future__ import annotations

import logging
import os
from datetime import datetime
from typing import Any

from entra_lake import __version__
from entra_lake.errors import EntraLakeError
from entra_lake.lake import GetConnection
from entra_lake.mail import Letter, address, send, sender_of
from entra_lake.redaction import quote
from entra_lake.settings import LakeSettings

log = logging.getLogger(__name__)


def post(letter: Letter, settings: LakeSettings, now: datetime, get_connection: GetConnection) -> bool:
    """Send the letter; tell whether it was sent, or nobody is to be told."""
    if not settings.mail.to:
        log.warning("Lake %s names nobody to mail to: %s", settings.name, letter.subject)
        return True
    try:
        connection = get_connection(settings.mail.smtp_conn_id)
        sender = sender_of(connection)
        send(address(letter, sender=sender, to=settings.mail.to, list_name=settings.name, now=now), connection)
    except (OSError, EntraLakeError) as error:
        log.error("No mail could be sent (%s): %s", said(error), letter.subject)  # noqa: TRY400 - says all
        return False
    log.info("Mailed to %s: %s", ", ".join(settings.mail.to), letter.subject)
    return True


def said(error: BaseException) -> str:
    """Return what an exception says, without what only machines may read."""
    return f"{type(error).__name__}: {quote(str(error))}"


def always() -> dict[str, Any]:
    """Return the facts that every letter has."""
    return {"version": __version__, "is_simulated": os.environ.get("ENTRA_LAKE_SIMULATED") == "1"}
