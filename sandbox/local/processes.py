"""Child processes that end when we do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_STOP_SECONDS = 15.0


class Processes:
    """A group of child processes; leaving the `with` block stops them all and waits for them.

    :param log_folder: what each of them prints goes to `<name>.log` in it.
    """

    def __init__(self, log_folder: Path) -> None:
        self._log_folder = log_folder
        self._running: list[tuple[str, subprocess.Popen[str]]] = []
        log_folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        """Begin an empty group."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop what runs, the youngest first."""
        self.stop()

    def start(self, name: str, command: Sequence[str], env: Mapping[str, str]) -> subprocess.Popen[str]:
        """Start a process in a session of its own, so that a Ctrl-C at the terminal reaches only us."""
        with (self._log_folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if name == "sandbox" else log,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        self._running.append((name, process))
        return process

    def start_sandbox(self, state_folder: Path, *options: str) -> dict[str, Any]:
        """Start the simulated cloud and return its settings when it is ready.

        :raises RuntimeError: when it does not start.
        """
        command = [sys.executable, "-m", "sandbox", "serve", "--state-dir", str(state_folder), *options]
        process = self.start("sandbox", command, os.environ)
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            message = f"The simulated cloud did not start; see {self._log_folder / 'sandbox.log'}."
            raise RuntimeError(message)
        settings: dict[str, Any] = json.loads(line)
        return settings

    def first_dead(self) -> str | None:
        """Return the name of a process that has ended, None while all run."""
        return next((name for name, process in self._running if process.poll() is not None), None)

    def stop(self) -> None:
        """Ask all to stop, and end those that do not."""
        for _, process in reversed(self._running):
            _signal_group(process, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        for _, process in reversed(self._running):
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, deadline - time.monotonic()))
            _signal_group(process, signal.SIGKILL)
            process.wait()
        self._running.clear()


def _signal_group(process: subprocess.Popen[str], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return
