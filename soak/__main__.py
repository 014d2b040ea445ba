"""Soak from the command line; the exit code is 1 when anything was lost, doubled or wrong."""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from pathlib import Path

from soak.document import record, write_document
from soak.experiment import soak
from soak.options import Options


def main(arguments: list[str] | None = None) -> int:
    """Soak, print the report, and return the exit code."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--days", type=int, default=Options.days, help="days to simulate")
    parser.add_argument("--seed", type=int, default=Options.seed, help="what everything is drawn from")
    parser.add_argument("--sign-ins-per-day", type=int, default=Options.sign_ins_per_day)
    parser.add_argument("--retention-days", type=int, default=Options.retention_days)
    parser.add_argument("--allow-loss", action="store_true", help="let one outage outlast Microsoft's retention")
    parser.add_argument("--only", nargs="+", default=(), metavar="FAULT", help="these classes of faults alone")
    parser.add_argument("--verbose", action="store_true", help="show what the library logs")
    parser.add_argument("--write-doc", action="store_true", help="write what it finds into docs/no-record-lost.md")
    wanted = vars(parser.parse_args(arguments))
    is_recorded = wanted.pop("write_doc")
    wanted["only"] = tuple(wanted["only"])
    logging.basicConfig(level=logging.INFO if wanted.pop("verbose") else logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        report = soak(Options(**wanted), Path(folder))
    print(report.text())
    if is_recorded:
        record(report)
        write_document()
    return 0 if report.is_right else 1


if __name__ == "__main__":
    sys.exit(main())
