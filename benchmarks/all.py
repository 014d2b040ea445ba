"""All benchmarks, one after the other: `python -m benchmarks.all --write` writes docs/benchmarks.md.

Each runs in a process of its own and writes its own section; claims that do not hold are named at the end.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

#: In the order of their sections.
NAMES = ("extraction", "transform", "query_cost", "layout", "day", "airflow_memory", "start")


def main() -> int:
    """Run the benchmarks; return 1 when a claim of one does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="the large sizes, too")
    parser.add_argument("--write", action="store_true", help="write the results into docs/benchmarks.md")
    parser.add_argument("--rounds", type=int, help="how often each thing is measured")
    parser.add_argument("--records", type=int, help="of how many records a measured day is")
    options = parser.parse_args()
    flags = [f"--{name}" for name in ("full", "write") if getattr(options, name)]
    flags += [f"--{name}={value}" for name in ("rounds", "records") if (value := getattr(options, name))]
    failed = [name for name in NAMES if subprocess.call([sys.executable, "-m", f"benchmarks.{name}", *flags])]
    if failed:
        print(f"Not every claim holds: {', '.join(failed)}.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
