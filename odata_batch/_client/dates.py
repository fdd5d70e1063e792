"""Dates as HTTP has them, in three formats: RFC 9110, 5.6.7."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

# HTTP-date = IMF-fixdate / rfc850-date / asctime-date              RFC 9110, 5.6.7
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_MONTH = r"(?P<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_YEAR = r"(?P<year>[0-9]{4})"
_DAY_NAME = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_LONG_DAY_NAME = r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_DATES = (
    re.compile(rf"{_DAY_NAME}, (?P<day>[0-9]{{2}}) {_MONTH} {_YEAR} {_TIME} GMT"),
    re.compile(rf"{_LONG_DAY_NAME}, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT"),
    re.compile(rf"{_DAY_NAME} {_MONTH} (?P<day>[0-9 ][0-9]) {_TIME} {_YEAR}"),
)
_MONTHS = tuple("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split())


def parse_date(text: str, now: datetime | None) -> datetime | None:
    """Return the date that `text` is in one of the three formats of HTTP, or `None`.

    The name of the day is not compared with the date. `now` tells the century of a year of two
    digits; without it, it is the one that makes the year 1970 to 2069.
    """
    for pattern in _DATES:
        match = pattern.fullmatch(text)
        if match is not None:
            return _date(match, now)
    return None


def _date(match: re.Match[str], now: datetime | None) -> datetime | None:
    year = int(match["year"])
    if len(match["year"]) == 2:
        # RFC 9110, 5.6.7: more than 50 years in the future is the most recent such year in the past
        latest = 2069 if now is None else now.year + 50
        year = latest - (latest - year) % 100
    day, hour, minute, second = (int(match[name]) for name in ("day", "hour", "minute", "second"))
    if second > 60:
        return None
    try:
        date = datetime(year, _MONTHS.index(match["month"]) + 1, day, hour, minute, tzinfo=UTC)
        # 60 is a leap second, which belongs to the next minute.
        return date + timedelta(seconds=second)
    except (ValueError, OverflowError):
        return None
