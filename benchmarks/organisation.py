"""A large organisation for the simulated tenant: as many people, places, devices and policies as real ones have.

The tenant's default cast is a family: its records repeat one another, and so would compress far better than real ones.
Here each person has networks and devices of their own, user agents come in the versions of a year, cities are many,
and what each Conditional Access policy decides depends on the person and the application. A sign-in takes some 5.6 KB
and an audit some 1.4 KB of JSON: with 22 policies, where Graph's own samples hold up to 55 in one record. People have
four addresses a day: the office's, which is everybody's there, the one at home, and two of a mobile network.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from random import Random
from typing import Any
from zlib import crc32

from benchmarks.audit_details import detailed
from sandbox.tenant.people import Cast, Device, Person, Place, guid
from sandbox.tenant.versions import Row, Version

Json = dict[str, Any]
#: Sign-ins that each person makes a day.
EACH = 20
_CITIES, _POLICIES, _OFFICES = 400, 22, 40
_COUNTRIES = ("DE", "CH", "FR", "SE", "IN", "BR", "US", "KE", "JP", "NZ", "GB", "NL", "PL", "ES", "IT", "ZA")
_BROWSERS = ("Chrome", "Edge", "Firefox", "Safari", "Mobile Safari", "Chrome Mobile")
_SYSTEMS = (
    ("Windows10", "Windows NT 10.0; Win64; x64"),
    ("Windows11", "Windows NT 10.0; Win64; x64"),
    ("MacOs", "Macintosh; Intel Mac OS X 10_15_7"),
    ("Ios 18.1", "iPhone; CPU iPhone OS 18_1 like Mac OS X"),
    ("Android", "Linux; Android 14; Pixel 8"),
)
_GIVEN, _FAMILY = 120, 2_000
#: Results of a policy that does not apply, and of one that does: in force, or only reported.
_IDLE, _AT_WORK = ("notApplied", "reportOnlyNotApplied"), ("success", "reportOnlySuccess")
_MEMBER = b'"appliedConditionalAccessPolicies":'


def organisation(cast: Cast, sign_ins_per_day: int) -> Cast:
    """Return a cast of many people in the place of a small one."""
    random = Random(f"organisation/{cast.seed}")
    cities = [_city(random, number) for number in range(_CITIES)]
    offices = [Place(random.choice(cities).location, f"203.0.{number}.", 7) for number in range(_OFFICES)]
    count = max(20, sign_ins_per_day // EACH)
    people = tuple(_person(random, number, cities, offices) for number in range(count))
    return replace(cast, people=people, policies=tuple(_policy(random, number) for number in range(_POLICIES)))


def decided(cast: Cast, rows: Iterator[Row]) -> Iterator[Row]:
    """Give the rows with what each policy decided for the person and the application, and audits with their details."""
    same = _MEMBER + _text(cast.policies)
    decisions = cache(partial(_decisions, cast.policies))
    for row in rows:
        yield row._replace(versions=tuple(_decided(version, same, decisions) for version in row.versions))


def _decided(version: Version, same: bytes, decisions: Callable[[int, int], bytes]) -> Version:
    if b'"targetResources":' in version.body:
        return version._replace(body=detailed(version.body))
    if same not in version.body:
        return version
    person, app = (crc32(_value(version.body, name)) for name in (b'"userId":"', b'"appId":"'))
    # Of the people only their groups matter, and of the applications which of them a policy names.
    return version._replace(body=version.body.replace(same, _MEMBER + decisions(person % 64, app % 16)))


def _value(body: bytes, before: bytes) -> bytes:
    start = body.find(before) + len(before)
    return body[start : body.find(b'"', start)]


def _decisions(policies: Sequence[Json], groups: int, app: int) -> bytes:
    found = []
    for number, policy in enumerate(policies):
        is_at_work = bool(groups >> (number % 6) & 1) and (number % 3 > 0 or bool(app >> (number % 4) & 1))
        is_reporting = number % 4 == 3  # noqa: PLR2004 - one in four is tried out before it is enforced
        found.append({**policy, "result": (_AT_WORK if is_at_work else _IDLE)[is_reporting]})
    return _text(found)


def _text(policies: Sequence[Json]) -> bytes:
    return json.dumps(policies, separators=(",", ":"), ensure_ascii=False).encode()


def _city(random: Random, number: int) -> Place:
    coordinates = {
        "altitude": None,
        "latitude": round(random.uniform(-50, 65), 5),
        "longitude": round(random.uniform(-180, 180), 5),
    }
    location = {
        "city": f"{_name(random)} {number}",
        "state": f"{_name(random)} {number // 8}",
        "countryOrRegion": _COUNTRIES[number % len(_COUNTRIES)],
        "geoCoordinates": coordinates,
    }
    return Place(location, "")


def _person(random: Random, number: int, cities: Sequence[Place], offices: Sequence[Place]) -> Person:
    given = _name(Random(f"given/{random.randrange(_GIVEN)}"))
    family = _name(Random(f"family/{random.randrange(_FAMILY)}"))
    home = random.choice(cities).location
    network = f"198.{18 + random.randrange(2)}.{random.randrange(256)}."
    places = (random.choice(offices), Place(home, network, random.randrange(1, 255)), *_mobile(random, home))
    devices = tuple(_device(random, number, slot) for slot in range(2))
    upn = f"{given}.{family}{number}@customer{number % 7}.example".lower()
    return Person(guid(random), f"{given} {family}", upn, places, devices)


def _mobile(random: Random, home: Json) -> Iterator[Place]:
    """Give the addresses that a telephone has in the course of a day."""
    for _ in range(2):
        network = ":".join(f"{random.randrange(65536):x}" for _ in range(5))
        yield Place(home, f"2001:db8:{network}:", random.randrange(1, 255))


def _device(random: Random, number: int, slot: int) -> Device:
    system, platform = random.choice(_SYSTEMS)
    browser, version = random.choice(_BROWSERS), f"{118 + int(random.random() ** 3 * 12)}.0.0"
    is_known = slot == 0
    detail = {
        "deviceId": guid(random) if is_known else "",
        "displayName": f"PC-{number:06d}" if is_known else "",
        "operatingSystem": system,
        "browser": f"{browser} {version}",
        "isCompliant": is_known,
        "isManaged": is_known,
        "trustType": "Azure AD joined" if is_known else "",
    }
    agent = f"Mozilla/5.0 ({platform}) AppleWebKit/537.36 (KHTML, like Gecko) {browser}/{version}.0 Safari/537.36"
    return Device(detail, agent, "Browser" if random.random() < 0.6 else "Mobile Apps and Desktop clients")  # noqa: PLR2004


def _policy(random: Random, number: int) -> Json:
    return {
        "id": guid(random),
        "displayName": f"CA{number:03}: {_name(random)} for {_name(random)}",
        "enforcedGrantControls": ["Block"] if number % 4 == 0 else ["Mfa", "RequireCompliantDevice"][: 1 + number % 2],
        "enforcedSessionControls": [],
        "result": "notApplied",
    }


def _name(random: Random) -> str:
    """Return a made-up word."""
    return "".join(
        random.choice("bdfgklmnprstvz") + random.choice("aeiou") for _ in range(random.randrange(2, 5))
    ).title()
