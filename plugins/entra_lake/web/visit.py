"""One look at a page: whose lake, which days, by whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse

from entra_lake.settings import LakeSettings
from entra_lake.web.access import ChosenLake, ReadableLakes
from entra_lake.web.lake_reader import LakeReader, open_reader
from entra_lake.web.periods import Period, period_of
from entra_lake.web.templating import page


@dataclass(frozen=True)
class Visit:
    """What all pages need.

    :param lake: the chosen lake, which the user may read.
    :param lakes: all lakes that the user may read.
    :param period: the days that the address names.
    """

    request: Request
    lake: LakeSettings
    lakes: dict[str, LakeSettings]
    reader: LakeReader
    period: Period

    def page(self, template: str, *, title: str, **values: Any) -> HTMLResponse:  # noqa: ANN401
        """Return the page that this template makes of the values."""
        return page(
            self.request,
            template,
            title=title,
            lake=self.lake,
            lakes=self.lakes,
            simulated=self.reader.is_simulated,
            period=self.period,
            **values,
        )


def visit(request: Request, lake: ChosenLake, lakes: ReadableLakes, first: str = "", last: str = "") -> Visit:
    """Put a visit together from the address: `?lake=`, `?first=`, `?last=`.

    :raises HTTPException: when there is no such lake, or no such period.
    """
    reader = open_reader(lake)
    return Visit(request, lake, lakes, reader, period_of(first, last, reader.now))


Here = Annotated[Visit, Depends(visit)]
