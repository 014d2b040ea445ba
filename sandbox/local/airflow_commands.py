"""Several commands of Airflow in one process: to start it takes longer than most of them.

python -m sandbox.local.airflow_commands '[["db", "migrate"], ["pools", "set", "graph", "1", "Graph"]]'
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence

from airflow.cli.cli_parser import get_parser
from airflow.configuration import write_default_airflow_configuration_if_needed


def run_commands(commands: Iterable[Sequence[str]]) -> None:
    """Run commands as `airflow` would, one after the other.

    :raises SystemExit: of the first that fails.
    """
    write_default_airflow_configuration_if_needed()
    parser = get_parser()
    for command in commands:
        options = parser.parse_args(command)
        options.func(options)


if __name__ == "__main__":
    run_commands(json.loads(sys.argv[1]))
