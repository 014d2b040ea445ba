"""The page on detections, written from their files: `python -m entra_lake.detection_guide docs/detections.md`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from entra_lake.detections import RESULT_COLUMNS, Detection, read_detections
from entra_lake.parameters import Parameter
from entra_lake.settings import include_folder

_HEAD = """# Detections

Written from `include/sql/detections/` by `python -m entra_lake.detection_guide`; do not edit it by hand.

A detection is an SQL file that looks at one day and says what deserves a look. They read the streams that Entra Lake
keeps: interactive sign-ins and changes in the directory. What Graph v1.0 does not list, they cannot see: sign-ins of
service principals, refreshed tokens, device codes.

They ask the [views](data-dictionary.md#views-for-analysts), and only the partitions of the days that they need.
"""

_SETTINGS = """## Settings

In `lakes.yaml`, below a lake:

```yaml
detections:
  folder: /opt/entra/detections           # rules of your own; they need not be in the image
  parameters:                             # for every rule that has a parameter of the name
    break_glass_accounts: [break-glass@contoso.com]
    trusted_networks: ["192.0.2."]
  rules:                                  # for one rule alone
    password_spray: {min_users: 20}
    guest_invited: {enabled: false}
```

A rule's own value comes before the lake's, and that before the default. Texts are compared in lower case; a network is
what its addresses begin with. Names that no rule knows and values out of bounds are errors
([EL201](troubleshooting.md#el201)). Values become literals: whatever is written there, it stays a value.
"""

_WRITE = """## Write a rule

One file: its name is the rule's id. It begins with its front matter, YAML inside a comment:

| Field | Holds |
|---|---|
| `id` | the file's name without `.sql` |
| `title` | a few words |
| `severity` | `low`, `medium` or `high` |
| `attack` | techniques of MITRE ATT&CK: `[T1078.004]` |
| `streams` | the streams that it reads; a lake without one of them does not run it |
| `entity` | what a finding is about: `user`, `ip_address`, `application`, `role`, `policy`, `domain` or `stream` |
| `why` | why it matters |
| `false_positives`, `what_to_do` | lists of sentences |
| `look_back` | how many days before its day it reads; 0 without it |
| `needs_history` | how many days before its day the lake must hold; 0 without it |
| `parameters` | name: `type` (`integer`, `number`, `texts`), `default`, `description`, `minimum`, `maximum` |

Then a SELECT in Athena's SQL. `{{ first_day }}` and `{{ day }}` are the first and the last partition that it may read,
as texts: `dt BETWEEN {{ first_day }} AND {{ day }}`. A parameter is `{{ its_name }}`; a list is an array:
`contains({{ trusted_actors }}, lower(actor_name))`. Every finding has its last event on `{{ day }}`, but for
rules about a `stream`: they tell of what is missing, and name the last event before. The statement returns these
columns, in this order:

RESULTS

`tests/sql/detections/<id>/` holds cases: records as Graph sends them, and the findings to expect.
"""

_MEANING = {
    "entity": "id or name of what it is about; a finding is known by rule, day and entity",
    "first_event_time": "the first event that counts",
    "last_event_time": "the last one, on the day asked for unless the rule is about a `stream`",
    "event_count": "how many",
    "user_id": "object id of the user who did it, or to whom it happened; NULL where there are several",
    "user_principal_name": "the user's sign-in name",
    "ip_address": "where it came from; NULL where unknown or several",
    "summary": "what happened, in one sentence. It holds texts that attackers can choose: escape it",
    "evidence_json": "JSON list of at most 20 texts, `<stream>:<record id>`",
}


def guide(detections: Sequence[Detection] | None = None) -> str:
    """Return the whole page as Markdown."""
    rules = read_detections(include_folder() / "sql" / "detections") if detections is None else detections
    results = _table(("Column", "Type", "Holds"), [(f"`{n}`", kind, _MEANING[n]) for n, kind in RESULT_COLUMNS.items()])
    parts = [
        _HEAD,
        _overview(rules),
        _SETTINGS,
        _WRITE.replace("RESULTS", results),
        "## Rules\n",
        *map(_section, rules),
    ]
    return "\n".join(parts).rstrip() + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page to the file named, or print it."""
    names = sys.argv[1:] if arguments is None else arguments
    if names:
        Path(names[0]).write_text(guide(), encoding="utf-8")
    else:
        print(guide(), end="")
    return 0


def _overview(rules: Sequence[Detection]) -> str:
    rows = [
        (f"[{rule.title}](#{rule.id})", rule.severity, ", ".join(rule.attack), ", ".join(rule.streams), _days(rule))
        for rule in sorted(rules, key=lambda rule: (("high", "medium", "low").index(rule.severity), rule.id))
    ]
    return _table(("Rule", "Severity", "ATT&CK", "Streams", "Days read"), rows) + "\n"


def _days(rule: Detection) -> str:
    history = f", once the lake holds {rule.needs_history}" if rule.needs_history else ""
    return f"{rule.look_back + 1}{history}"


def _section(rule: Detection) -> str:
    lines = [f"### {rule.id}", "", f"{rule.title}. {rule.why}", ""]
    if rule.parameters:
        rows = [(f"`{p.name}`", p.type, _default(p), p.description) for p in rule.parameters]
        lines += [_table(("Parameter", "Type", "Default", "Means"), rows), ""]
    lines += (
        ["May be harmless:", "", *(f"- {text}" for text in rule.false_positives), ""] if rule.false_positives else []
    )
    return "\n".join([*lines, "What to do:", "", *(f"- {text}" for text in rule.what_to_do), ""])


def _default(parameter: Parameter) -> str:
    if not isinstance(parameter.default, tuple):
        return f"{parameter.default:g}"
    return ", ".join(f"`{text}`" for text in parameter.default) or "none"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" if line[0] != "---" else f"|{'|'.join(line)}|" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
