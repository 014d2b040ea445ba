"""CloudFormation templates as plain data, and the policies in them: what the tests of this folder share."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import yaml

INFRA = Path(__file__).parents[2] / "infra"
TEMPLATES = sorted(INFRA.glob("*.yaml"))


class _Loader(yaml.SafeLoader):
    """Reads `!Ref X` as `{"Ref": "X"}` and `!Sub X` as `{"Fn::Sub": "X"}`."""


def _function(loader: yaml.Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {name: value}


_Loader.add_multi_constructor("!", _function)


@functools.cache
def load(name: str) -> dict[str, Any]:
    """Return a template of infra/."""
    return yaml.load((INFRA / name).read_text(encoding="utf-8"), _Loader)


def resolve(value: Any, conditions: Mapping[str, bool]) -> Any:
    """Return the value with every `Fn::If` decided, and what is `AWS::NoValue` left out."""
    if isinstance(value, dict):
        if set(value) == {"Fn::If"}:
            name, yes, no = value["Fn::If"]
            return resolve(yes if conditions[name] else no, conditions)
        found = {key: resolve(item, conditions) for key, item in value.items()}
        return {key: item for key, item in found.items() if item != {"Ref": "AWS::NoValue"}}
    if isinstance(value, list):
        found_items = [resolve(item, conditions) for item in value]
        return [item for item in found_items if item != {"Ref": "AWS::NoValue"}]
    return value


def variants(name: str) -> Iterator[dict[str, Any]]:
    """Return the template once for each combination of its conditions."""
    template = load(name)
    names = list(template.get("Conditions", {}))
    for choice in product([True, False], repeat=len(names)):
        yield resolve(template, dict(zip(names, choice, strict=True)))


@dataclass(frozen=True)
class Statement:
    """One statement of a policy, and where it stands."""

    template: str
    resource: str
    kind: str
    body: Mapping[str, Any]

    @property
    def sid(self) -> str:
        """Return `resource/Sid`."""
        return f"{self.resource}/{self.body.get('Sid', '')}"

    @property
    def actions(self) -> list[str]:
        """Return the actions."""
        return _listed(self.body["Action"])

    @property
    def resources(self) -> list[str]:
        """Return the resources as text; a reference to another resource is written as `${Name.Arn}`."""
        return [_text(item) for item in _listed(self.body.get("Resource", []))]

    @property
    def is_allowing(self) -> bool:
        """Tell whether it grants something."""
        return self.body["Effect"] == "Allow"


def statements(template: Mapping[str, Any], name: str) -> list[Statement]:
    """Return all statements of all policies in a template."""
    return [
        Statement(name, logical, resource["Type"], body)
        for logical, resource in template["Resources"].items()
        for body in _bodies(resource.get("Properties", {}))
    ]


def policy(template: Mapping[str, Any], logical: str) -> list[Statement]:
    """Return the statements of one policy."""
    return [item for item in statements(template, "") if item.resource == logical]


def _bodies(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, dict):
        if "Statement" in value:
            yield from value["Statement"]
        else:
            for item in value.values():
                yield from _bodies(item)
    elif isinstance(value, list):
        for item in value:
            yield from _bodies(item)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if "Fn::Sub" in value:
        return str(value["Fn::Sub"])
    if "Fn::GetAtt" in value:
        got = value["Fn::GetAtt"]
        return f"${{{got if isinstance(got, str) else '.'.join(got)}}}"
    return f"${{{value['Ref']}}}" if "Ref" in value else json.dumps(value)
