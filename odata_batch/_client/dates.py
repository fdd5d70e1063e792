"""Dates as HTTP writes them (RFC 9110, 5.6.7): in English whatever the locale, and in GMT."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from odata_batch._model.findings import of_type

# HTTP-date = IMF-fixdate / rfc850-date / asctime-date              RFC 9110, 5.6.7
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_DAYS = tuple("Mon Tue Wed Thu Fri Sat Sun".split())
_MONTHS = tuple("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split())
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})"
_YEAR = r"(?P<year>[0-9]{4})"
_DAY_NAME = rf"(?:{'|'.join(_DAYS)})"
_LONG_DAY_NAME = r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_DATES = (
    re.compile(rf"{_DAY_NAME}, (?P<day>[0-9]{{2}}) {_MONTH} {_YEAR} {_TIME} GMT"),
    re.compile(rf"{_LONG_DAY_NAME}, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT"),
    re.compile(rf"{_DAY_NAME} {_MONTH} (?P<day>[0-9 ][0-9]) {_TIME} {_YEAR}"),
)


def http_date(date: datetime) -> str:
    """Return the date as HTTP writes it, in English whatever the locale.

    IMF-fixdate = day-name "," SP date1 SP time-of-day SP GMT            RFC 9110, 5.6.7
    """
    it = date.astimezone(UTC)
    day = f"{_DAYS[it.weekday()]}, {it.day:02} {_MONTHS[it.month - 1]} {it.year:04}"
    return f"{day} {it.hour:02}:{it.minute:02}:{it.second:02} GMT"


def check_now(now: datetime | None) -> None:
    """Raise `TypeError` for what is no time, and `ValueError` where it has no time zone."""
    if now is not None and of_type(now, datetime, "now").utcoffset() is None:
        raise ValueError("now has no time zone")


def date_of(text: str, now: datetime | None) -> datetime | None:
    """Return the date that `text` is in one of the three formats of HTTP, or `None`.

    The name of the day is not compared with the date. `now` tells the century of a year of two
    digits; without it, it is the one that makes the year 1970 to 2069.
    """
    match = next(filter(None, (pattern.fullmatch(text) for pattern in _DATES)), None)
    if match is None:
        return None
    year, day, hour, minute, second = (
        int(match[name]) for name in ("year", "day", "hour", "minute", "second")
    )
    if len(match["year"]) == 2:
        # RFC 9110, 5.6.7: more than 50 years in the future is the most recent such year in the past
        latest = 2069 if now is None else now.year + 50
        year = latest - (latest - year) % 100
    if second > 60:
        return None
    try:
        date = datetime(year, _MONTHS.index(match["month"]) + 1, day, hour, minute, tzinfo=UTC)
        # 60 is a leap second, which belongs to the next minute.
        return date + timedelta(seconds=second)
    except (ValueError, OverflowError):
        return None
