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

from markupsafe import Markup

from entra_lake.web.templating import visible

#: Okabe and Ito's colours in the order in which series take them.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999")
OUTCOME_COLOURS = {"success": "#009E73", "interrupted": "#E69F00", "failure": "#D55E00"}

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
    "text": {"color": _TEXT},
}

Row = Mapping[str, Any]


def draw(spec: Mapping[str, Any], description: str) -> Markup:
    """Return a Vega-Lite specification as an SVG element that scales with the page.

    :param description: what the chart shows, for those who hear the page.
    """
    text = json.dumps({**spec, "description": description, "config": _CONFIG}, sort_keys=True)
    return Markup(_draw(text))  # noqa: S704 - Vega escapes the texts; tests hold it to that # nosec B704


def bars_over_time(rows: Sequence[Row], *, series: Sequence[str], colours: Mapping[str, str], title: str) -> Markup:
    """Draw stacked bars a day: `rows` hold `day`, `series` and `count`."""
    spec = {
        "width": 720,
        "height": 180,
        "data": {"values": [dict(row) for row in rows]},
        "mark": {"type": "bar"},
        "encoding": {
            "x": {"field": "day", "type": "temporal", "timeUnit": "utcyearmonthdate", "title": None,
                  "axis": {"format": "%b %d", "labelOverlap": True}},
            "y": {"field": "count", "type": "quantitative", "title": None, "axis": {"tickMinStep": 1}},
            "color": {"field": "series", "type": "nominal", "sort": list(series),
                      "scale": {"domain": list(series), "range": [colours[name] for name in series]}},
            "order": {"field": "rank", "type": "ordinal"},
        },
    }  # fmt: skip
    return draw(spec, title)


def ranking(rows: Sequence[Row], *, title: str, colour: str = COLOURS[0]) -> Markup:
    """Draw horizontal bars, the longest first: `rows` hold `name` and `count`."""
    shown = [{"name": _short(row["name"]), "count": row["count"]} for row in rows]
    spec = {
        "width": 300,
        "height": {"step": 22},
        "data": {"values": shown},
        "encoding": {
            "y": {"field": "name", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 170}},
            "x": {"field": "count", "type": "quantitative", "title": None, "axis": {"tickMinStep": 1, "tickCount": 4}},
        },
        "layer": [
            {"mark": {"type": "bar", "color": colour}},
            {"mark": {"type": "text", "align": "left", "dx": 4}, "encoding": {"text": {"field": "count"}}},
        ],
    }
    return draw(spec, title)


def histogram(rows: Sequence[Row], *, title: str) -> Markup:
    """Draw bars in the order of the rows: they hold `name` and `count`."""
    spec = {
        "width": 420,
        "height": 150,
        "data": {"values": [{"name": _short(row["name"]), "count": row["count"]} for row in rows]},
        "mark": {"type": "bar", "color": COLOURS[0]},
        "encoding": {
            "x": {"field": "name", "type": "ordinal", "sort": None, "title": None, "axis": {"labelAngle": 0}},
            "y": {"field": "count", "type": "quantitative", "title": None, "axis": {"tickMinStep": 1}},
        },
    }
    return draw(spec, title)


def _short(text: object) -> str:
    return str(visible(str(text)))[:60] or "(empty)"


@lru_cache(maxsize=256)
def _draw(spec: str) -> str:
    import vl_convert  # noqa: PLC0415 - 100 MB that only a drawn chart needs

    svg: str = vl_convert.vegalite_to_svg(spec, vl_version="5.20")
    return svg.replace("<svg ", '<svg role="img" preserveAspectRatio="xMinYMin meet" ', 1)
