"""`python -m sandbox serve` and `python -m sandbox env`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from sandbox.clock import parse_moment
from sandbox.tenant.throttle import KINDS, Limit


def main(arguments: list[str] | None = None) -> int:
    """Run the command that was asked for; return the exit status."""
    options = _parser().parse_args(arguments)
    return _env(options) if options.command == "env" else _serve(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sandbox", description="A SIMULATED cloud for Entra Lake.")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="start everything and run until SIGTERM or SIGINT")
    serve.add_argument("--state-dir", type=Path, required=True, help="where the sandbox remembers everything")
    serve.add_argument("--seed", type=int, help="which tenant to invent (only at the first start)")
    serve.add_argument("--now", type=parse_moment, help="what the clock shows, ISO 8601, UTC without a zone")
    serve.add_argument("--sign-ins-per-day", type=int, help="400 is a family, 1000000 a big MSP")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on")
    serve.add_argument("--public-name", help="what clients call this host: certificate, links, printed addresses")
    for name in ("graph", "aws", "smtp", "mail", "control"):
        serve.add_argument(f"--{name}-port", type=int, default=0, help="0: any free one")
    serve.add_argument("--hand-over", type=Path, metavar="DIR", help="write Airflow's connections and the CA there")
    serve.add_argument("--no-aws", action="store_true", help="only tenant, mail and control")
    serve.add_argument("--unthrottled", action="store_true", help="without Graph's limit of 5 requests in 10 seconds")
    serve.add_argument("--limit", type=int, default=5, help="requests in 10 seconds that are let in; below 5: secretly")
    serve.add_argument("--limiter", choices=KINDS, default="sliding", help="how they are counted")
    serve.add_argument("--latency", type=float, default=0.0, metavar="SECONDS", help="how long Graph takes for a page")
    env = commands.add_parser("env", help="print the settings for Airflow and Entra Lake")
    env.add_argument("--state-dir", type=Path, required=True)
    env.add_argument("--format", choices=("shell", "json"), default="shell")
    return parser


def _serve(options: argparse.Namespace) -> int:
    # Loaded here so that `env` and `--help` answer at once.
    from sandbox.serve import Ports, Sandbox, serve_until_signalled  # noqa: PLC0415

    sandbox = Sandbox(
        options.state_dir,
        seed=options.seed,
        now=options.now,
        sign_ins_per_day=options.sign_ins_per_day,
        with_aws=not options.no_aws,
        throttle=None if options.unthrottled else Limit(limit=options.limit, kind=options.limiter),
        latency_seconds=options.latency,
        host=options.host,
        public_name=options.public_name,
        hand_over_to=options.hand_over,
        ports=Ports(
            graph=options.graph_port,
            aws=options.aws_port,
            smtp=options.smtp_port,
            mail=options.mail_port,
            control=options.control_port,
        ),
    )
    try:
        serve_until_signalled(sandbox)
    except OSError as error:
        print(f"The sandbox cannot start: {error}", file=sys.stderr)
        return 1
    return 0


def _env(options: argparse.Namespace) -> int:
    # Loaded here so that `serve` and `--help` do without it.
    from sandbox.environment import as_shell, environment  # noqa: PLC0415

    try:
        variables = environment(options.state_dir)
    except FileNotFoundError:
        print(f"No sandbox was started in {options.state_dir}. Run: python -m sandbox serve", file=sys.stderr)
        return 1
    print(json.dumps(variables, indent=1) if options.format == "json" else as_shell(variables), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
