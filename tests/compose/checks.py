"""What must hold of a stack that runs; `check` starts it. Each check says what it found; the first failure ends all."""

from __future__ import annotations

import re
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stack import API, DAG, MAILS, Failed, Stack, days_ago, hold, until

REPOSITORY = Path(__file__).parents[2]
ONE_SHOTS = {"secrets", "set-up"}
#: `uv pip sync` leaves to the base image what installs packages.
INSTALLERS = {"pip", "uv", "setuptools", "wheel"}
#: Each is killed while a backfill of a day of its own runs, so that every kill meets work.
VICTIMS = ("scheduler", "api-server", "postgres", "sandbox", "dag-processor", "triggerer")
LONG = 1200.0


def healthy(stack: Stack) -> str:
    """Every service is healthy, what runs once has ended well, and ports are this machine's only."""
    services = stack.services()
    for name, facts in services.items():
        is_well = facts["ExitCode"] == 0 if name in ONE_SHOTS else facts["Health"] == "healthy"
        hold(that=is_well, else_say=f"{name}: {facts['Status']}")
        outside = [port for port in facts["Publishers"] or [] if port["PublishedPort"] and port["URL"] != "127.0.0.1"]
        hold(that=not outside, else_say=f"{name} listens outside of this machine: {outside}")
    return ", ".join(sorted(services))


def log_in(stack: Stack) -> str:
    """The generated password opens the API, another does not, and nothing is open without one."""
    hold(that=stack.log_in(stack.password), else_say="the password of the first start is refused")
    for guess in ("admin", "airflow", ""):
        hold(that=stack.log_in(guess) is None, else_say=f"the password {guess!r} is accepted")
    hold(that=_status(f"{API}/api/v2/dags") == 401, else_say="the API is open without a login")
    return f"a password of {len(stack.password)} characters"


def connected(stack: Stack) -> str:
    """The DAGs are there, not paused and without import errors; so are the pool and the connections."""
    dags = {dag["dag_id"]: dag for dag in stack.api("dags")["dags"]}
    hold(that=DAG in dags and not any(dag["is_paused"] for dag in dags.values()), else_say=f"DAGs: {dags}")
    errors = stack.api("importErrors")["import_errors"]
    hold(that=not errors, else_say=f"import errors: {errors}")
    hold(that=stack.api("pools/entra_graph")["slots"] == 1, else_say="the pool has not one slot")
    ids = sorted(item["connection_id"] for item in stack.api("connections")["connections"])
    hold(that={"aws_default", "graph_default", "smtp_default"} <= set(ids), else_say=f"connections: {ids}")
    return f"DAGs {', '.join(sorted(dags))}; connections {', '.join(ids)}"


def watched(stack: Stack) -> str:
    """The watch has found Airflow's connections, and has looked at the lake."""
    lines = stack.compose("logs", "watch").splitlines()
    hold(that=not [line for line in lines if "No connections" in line], else_say=f"the watch is without: {lines}")
    looks = [line for line in lines if "default: " in line]
    hold(that=looks, else_say=f"the watch has not looked: {lines}")
    return looks[-1].partition("default: ")[2]


def backfill(stack: Stack) -> str:
    """A backfill of three days turns green, without a step in between."""
    days = [days_ago(number) for number in (4, 3, 2)]
    began = time.monotonic()
    stack.backfill(days[0], days[-1])
    stack.wait_until_green(days, LONG)
    return f"{days[0]} to {days[-1]} in {time.monotonic() - began:.0f} s; {compare(stack, days)}"


def mail_page(stack: Stack) -> str:
    """The page of mails answers, says SIMULATED, and holds none: nothing has failed."""
    with urllib.request.urlopen(MAILS, timeout=10) as answer:
        hold(that="SIMULATED" in answer.read().decode(), else_say="the page of mails does not say SIMULATED")
    subjects = [mail["subject"] for mail in stack.mails()]
    hold(that=not subjects, else_say=f"mails although nothing failed: {subjects}")
    return "no mail"


def image(stack: Stack) -> str:
    """Production has no compiler, no test tools and no sandbox; it holds exactly packages of the lock; no root."""
    code = """
import importlib.metadata, importlib.util, json, os, pathlib, shutil
tools = "gcc cc g++ c++ clang make ld as cmake rustc go pytest mypy ruff hypothesis moto_server".split()
modules = "pytest moto hypothesis ruff mypy sandbox tests soak aiosmtpd flask duckdb sqlglot".split()
names = {d.metadata["Name"].lower().replace("_", "-").replace(".", "-"): d.version
         for d in importlib.metadata.distributions() if "plugins" not in str(d.locate_file(""))}
print(json.dumps({
    "tools": [t for t in tools if shutil.which(t)],
    "modules": [m for m in modules if importlib.util.find_spec(m)],
    "files": [str(p) for p in pathlib.Path("/opt/entra-lake").rglob("*") if "sandbox" in p.name or "test" in p.name],
    "packages": names, "uid": os.getuid(),
    "writable": [p for p in ("/opt/entra-lake", "/opt/entra-lake/plugins", "/entrypoint") if os.access(p, os.W_OK)],
}))
"""
    facts = _json(stack.docker("run", "--rm", "--entrypoint", "python", "entra-lake:0.1.0", "-c", code))
    for what in ("tools", "modules", "files", "writable"):
        hold(that=not facts[what], else_say=f"production holds {what}: {facts[what]}")
    lock: dict[str, set[str]] = {}
    locked = (REPOSITORY / "requirements.lock").read_text()
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", locked, re.MULTILINE):
        lock.setdefault(name.lower().replace(".", "-"), set()).add(version)
    packages = {name: version for name, version in facts["packages"].items() if name not in INSTALLERS}
    foreign = {name: version for name, version in packages.items() if version not in lock.get(name, ())}
    hold(that=not foreign, else_say=f"packages that the lock does not have: {foreign}")
    hold(that=facts["uid"] == 50000, else_say="it runs as root")
    size = int(stack.docker("image", "inspect", "--format", "{{.Size}}", "entra-lake:0.1.0")) / 1e6
    return f"{len(packages)} packages, all of the lock; {size:.0f} MB"


def kills(stack: Stack) -> str:
    """Whatever container is killed while a backfill runs: everything heals by itself, and truth equals lake."""
    told = [_kill(stack, victim, days_ago(6 + number)) for number, victim in enumerate(VICTIMS)]
    return "; ".join(told)


def _kill(stack: Stack, victim: str, day: str) -> str:
    began = time.monotonic()
    stack.backfill(day, day)
    stack.wait_until_busy(day)
    stack.crash(victim)
    until(f"{victim} is back", stack.all_healthy, 300)
    back = time.monotonic() - began
    stack.wait_until_green([day], LONG)
    line = (
        f"{victim}: healthy after {back:.0f} s, green after {time.monotonic() - began:.0f} s, {compare(stack, [day])}"
    )
    print(f"       {line}", flush=True)
    return line


def broken_secret(stack: Stack) -> str:
    """With a client secret that is no longer right, exactly one mail is sent; the right one heals."""
    day = days_ago(1)
    before = len(stack.mails())
    stack.control("secret", {"rotate": True})
    state = stack.wait_for_end(stack.trigger(day), LONG)
    hold(that=state == "failed", else_say=f"the run with a broken secret ended with {state}")
    time.sleep(45)  # another mail would have come by now
    fresh = stack.mails()[before:]
    hold(that=len(fresh) == 1, else_say=f"{len(fresh)} mails: {[mail['subject'] for mail in fresh]}")
    hold(that="SIMULATED" in fresh[0]["subject"] + fresh[0]["text"], else_say="the mail does not say SIMULATED")
    stack.compose("up", "--detach", "--wait")
    state = stack.wait_for_end(stack.trigger(day), LONG)
    hold(that=state == "success", else_say=f"the run with the new secret ended with {state}")
    return f"one mail, {fresh[0]['subject']!r}; then green, {compare(stack, [day])}"


def go_live(stack: Stack) -> str:
    """Without its profile the sandbox is gone for good: its connections too, and your own stay through every `up`."""
    off = ("--profile", "celery") if "worker" in stack.services() else ("--profile", "none")
    stack.compose("--profile", "*", "down")
    settings = REPOSITORY / ".env"
    shipped = settings.read_text()
    try:
        settings.write_text(shipped.replace("COMPOSE_PROFILES=sandbox", "COMPOSE_PROFILES="))
        stack.compose(*off, "up", "--detach", "--wait")
        stack.__dict__.pop("_kept_token", None)
        hold(that="sandbox" not in stack.services(), else_say="the sandbox is back")
        hold(that=not stack.api("connections")["connections"], else_say="connections of the sandbox are left")
        own = {"connection_id": "graph_default", "conn_type": "entra_graph", "login": "mine", "password": "mine",
               "extra": '{"tenant_id": "11111111-2222-3333-4444-555555555555"}'}  # fmt: skip
        stack.api("connections", own)
        settings.write_text(shipped)
        stack.compose("up", "--detach", "--wait")
        found = {item["connection_id"]: item for item in stack.api("connections")["connections"]}
        hold(that=found["graph_default"]["login"] == "mine", else_say="your own connection was written over")
        state = stack.wait_for_end(stack.trigger(days_ago(1)), LONG)
        hold(that=state == "failed", else_say="another tenant was let into the lake")
        mail = stack.mails()[-1]
        hold(that="EL207" in mail["subject"] + mail["text"], else_say=f"the mail says {mail['subject']!r}")
    finally:
        settings.write_text(shipped)
    return f"gone without its profile; back with it, a lake of another tenant is refused: {mail['subject']!r}"


def compare(stack: Stack, days: list[str]) -> str:
    """Compare lake and truth of these days record by record.

    :raises Failed: when a record is lost, made up or doubled, or Athena counted otherwise.
    """
    facts = stack.differences(days)
    for name, found in facts.items():
        is_equal = not found["lost"] and not found["made_up"] and not found["doubled"]
        hold(that=is_equal and found["rows"] == found["counted"], else_say=f"{name}: {found}")
    return f"{sum(found['rows'] for found in facts.values())} records, truth equals lake"


def _status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def _json(text: str) -> Any:
    import json  # noqa: PLC0415 - only here

    return json.loads(text)


CHECKS: dict[str, Callable[[Stack], str]] = {
    check.__name__.replace("_", "-"): check
    for check in (healthy, log_in, connected, watched, mail_page, backfill, image, broken_secret, kills, go_live)
}


def main(arguments: list[str]) -> int:
    """Run the checks of these names, or all; return 1 when one does not hold."""
    if arguments == ["--list"]:
        print(*(f"{name:14} {check.__doc__}" for name, check in CHECKS.items()), sep="\n")
        return 0
    stack = Stack()
    for name in arguments or CHECKS:
        began = time.monotonic()
        try:
            found = CHECKS[name](stack)
        except (Failed, OSError) as error:
            print(f"FAILED {name}: {error}")
            return 1
        print(f"ok     {name} ({time.monotonic() - began:.0f} s): {found}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
