"""Charts as SVG, drawn on the server from Vega-Lite specifications.

The drawing takes the page's own text colour, so that one picture serves light and dark. Colours are Okabe and
Ito's (https://jfly.uni-koeln.de/color/), which people who see colours differently can tell apart. What a chart
shows stands in a table below it, too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from markupsafe import Markup, escape

from entra_lake.web.templating import visible

#: Okabe and Ito's colours in the order in which series take them.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999")
OUTCOME_COLOURS = {"success": "#009E73", "interrupted": "#E69F00", "failure": "#D55E00"}

#: What a chart over time measures on a wide page and on a phone, in pixels: one that shrinks could not be read.
_WIDE, _NARROW = (1090, 190), (270, 150)
#: A ranking is as wide as a phone's card; names are cut so that bars have room.
_RANKING_WIDTH, _LONGEST_NAME = 430, 30
#: A browser's font may be wider than the one that the drawing is laid out with: room for each letter, in pixels.
_LETTER_WIDTH = 7.0
_TEXT = "currentColor"
_CONFIG: dict[str, Any] = {
    "background": None,
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": _TEXT,
        "titleColor": _TEXT,
        "domainColor": _TEXT,
        "tickColor": _TEXT,
        "gridColor": _TEXT,
        "gridOpacity": 0.12,
        "domainOpacity": 0.4,
        "tickOpacity": 0.4,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
    },
    "legend": {"labelColor": _TEXT, "titleColor": _TEXT, "orient": "top", "title": None, "labelFontSize": 12},
    "text": {"color": _TEXT, "fontSize": 12},
}

Row = Mapping[str, Any]


def draw(spec: Mapping[str, Any], title: str) -> Markup:
    """Return a Vega-Lite specification as an SVG element that scales with the page.

    :param title: what the chart shows, for those who hear the page.
    """
    svg = _draw(json.dumps({**spec, "config": _CONFIG}, sort_keys=True))
    label = f'<svg role="img" aria-label="{escape(visible(title))}" preserveAspectRatio="xMinYMin meet" '
    return Markup(svg.replace("<svg ", label, 1))  # noqa: S704 - Vega escapes the texts; tests hold it to that # nosec B704


def bars_over_time(
    rows: Sequence[Row], *, days: Sequence[str], series: Sequence[str], colours: Mapping[str, str], title: str
) -> Markup:
    """Draw stacked bars a day, once for wide pages and once for phones: `rows` hold `day`, `series` and `count`.

    :param days: all days of the axis: one without rows is a gap.
    """
    charts = [
        (name, draw(_over_time(rows, days, series, colours, size), title))
        for name, size in (("wide-only", _WIDE), ("narrow-only", _NARROW))
    ]
    return Markup("").join(Markup('<div class="{}">{}</div>').format(name, chart) for name, chart in charts)


def _over_time(
    rows: Sequence[Row], days: Sequence[str], series: Sequence[str], colours: Mapping[str, str], size: tuple[int, int]
) -> dict[str, Any]:
    width, height = size
    return {
        "width": width,
        "height": height,
        "data": {"values": [dict(row) for row in rows]},
        "mark": {"type": "bar", "width": {"band": 0.8}},
        "encoding": {
            "x": {"field": "day", "type": "ordinal", "title": None, "scale": {"domain": list(days)},
                  "axis": {"labelExpr": "utcFormat(toDate(datum.value), '%b %d')", "labelAngle": 0,
                           "labelOverlap": "greedy", "labelSeparation": 8}},
            "y": {"field": "count", "type": "quantitative", "title": None, "axis": {"tickMinStep": 1, "tickCount": 5}},
            "color": {"field": "series", "type": "nominal", "sort": list(series),
                      "scale": {"domain": list(series), "range": [colours[name] for name in series]}},
            "order": {"field": "rank", "type": "ordinal"},
        },
    }  # fmt: skip


def ranking(rows: Sequence[Row], *, title: str, colour: str = COLOURS[0]) -> Markup:
    """Draw horizontal bars, the longest first: `rows` hold `name` and `count`."""
    shown = [{"name": name, "count": row["count"]} for name, row in zip(_names(rows), rows, strict=True)]
    room = _LETTER_WIDTH * max(len(row["name"]) for row in shown) + 10
    count = {"field": "count", "type": "quantitative", "axis": None}
    spec = {
        "width": _RANKING_WIDTH - room - 60,
        "height": {"step": 22},
        "data": {"values": shown},
        "encoding": {
            "y": {"field": "name", "type": "nominal", "sort": None, "title": None,
                  "axis": {"labelLimit": 0, "minExtent": room, "ticks": False, "domain": False}},
            "x": count,
        },
        "layer": [
            {"mark": {"type": "bar", "color": colour}},
            {"mark": {"type": "text", "align": "left", "dx": 4},
             "encoding": {"text": {"field": "count", "type": "quantitative", "format": ",d"}}},
        ],
    }  # fmt: skip
    return draw(spec, title)


def histogram(rows: Sequence[Row], *, title: str) -> Markup:
    """Draw bars in the order of the rows: they hold `name` and `count`."""
    spec = {
        "width": {"step": 52},
        "height": 150,
        "data": {"values": [{"name": _short(row["name"]), "count": row["count"]} for row in rows]},
        "mark": {"type": "bar", "color": COLOURS[0], "width": {"band": 0.8}},
        "encoding": {
            "x": {"field": "name", "type": "ordinal", "sort": None, "title": None, "axis": {"labelAngle": 0}},
            "y": {"field": "count", "type": "quantitative", "title": None, "axis": {"tickMinStep": 1, "tickCount": 5}},
        },
    }
    return draw(spec, title)


def _names(rows: Sequence[Row]) -> list[str]:
    """Return the names, cut; two that are alike then stay two bars."""
    names = [_short(row["name"]) for row in rows]
    return [name + "\u200a" * names[:number].count(name) for number, name in enumerate(names)]


def _short(text: object) -> str:
    name = str(visible(str(text)))
    return (name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…") or "(empty)"


@lru_cache(maxsize=256)
def _draw(spec: str) -> str:
    import vl_convert  # noqa: PLC0415 - 100 MB that only a drawn chart needs

    svg: str = vl_convert.vegalite_to_svg(spec, vl_version="5.20")
    return svg
