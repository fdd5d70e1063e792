"""Media types (RFC 9110, 8.3.1): what Content-Type says of a body."""

from __future__ import annotations

import re
from typing import NamedTuple

from odata_batch._model.findings import Problem, fatal, quote, warning
from odata_batch._model.headers import Pair, Pairs
from odata_batch._wire import grammar

CONTENT_TYPE_SYNTAX = fatal("""
    content-type-syntax: A media type is type/subtype, followed by parameters after semicolons. [RFC
    9110, 8.3.1]
    Write the Content-Type as in multipart/mixed; boundary=batch_1.""")


class MediaType(NamedTuple):
    """A media type, read: `name` is `type/subtype` in lower case."""

    name: str
    parameters: Pairs
    problems: tuple[Problem, ...]

    @property
    def broken(self) -> bool:
        """Whether it could not be read to its end."""
        return any(rule is CONTENT_TYPE_SYNTAX for rule, _ in self.problems)

    def parameter(self, name: str) -> str | None:
        """Return the first value of a parameter, without regard to the case of its name."""
        return next((value for key, value in self.parameters if key == name), None)

    @property
    def is_json(self) -> bool:
        """Whether the content is JSON: `application/json`, or a suffix `+json` (RFC 6839)."""
        top, _, subtype = self.name.partition("/")
        return top == "application" and (subtype == "json" or subtype.endswith("+json"))

    @property
    def is_text(self) -> bool:
        """Whether the content is text, which a JSON batch carries as a string."""
        return self.name.startswith("text/")


def parse_media_type(text: str) -> MediaType:
    """Return the media type that `text` spells, with the problems found in it.

    A `CONTENT_TYPE_SYNTAX` among the problems means that nothing after it was read.
    """
    match = grammar.MEDIA_TYPE.match(text)
    if match is None:
        return MediaType("", (), ((CONTENT_TYPE_SYNTAX, _not_a_media_type(text)),))
    parameters: list[Pair] = []
    problems: list[Problem] = []
    position = match.end()
    while position < len(text):
        parameter = grammar.PARAMETER.match(text, position)
        if parameter is None or not _read_parameter(parameter, parameters, problems):
            problems.append((CONTENT_TYPE_SYNTAX, _not_a_media_type(text)))
            break
        position = parameter.end()
    return MediaType(match[1].lower(), tuple(parameters), tuple(problems))


def _not_a_media_type(text: str) -> str:
    return f"found {quote(text)}, expected type/subtype and parameters"


BOUNDARY_UNQUOTED = warning("""
    boundary-unquoted: A boundary that is not a token is written between double quotes. [RFC 2046,
    5.1.1]
    Put the boundary between double quotes in the Content-Type, but not in the delimiter lines.""")
PARAMETER_WHITE_SPACE = warning("""
    parameter-white-space: No white space is around the equals sign of a parameter. [RFC 9110,
    5.6.6]
    Remove the white space around the equals sign.""")


def _read_parameter(match: re.Match[str], parameters: list[Pair], problems: list[Problem]) -> bool:
    """Add the parameter of `match`, if it is not an empty one; return whether it can be read."""
    name, before, after, quoted, bare = match.groups()
    if name is None:
        return True
    name = name.lower()
    if before or after:
        problems.append((PARAMETER_WHITE_SPACE, f"white space around the = of parameter {name}"))
    value = bare if quoted is None else grammar.QUOTED_PAIR.sub(r"\1", quoted)
    parameters.append((name, value))
    if quoted is None and not grammar.TOKEN.fullmatch(bare):
        if name != "boundary":
            return False
        if bare:
            problems.append((BOUNDARY_UNQUOTED, f"boundary {quote(bare)} is not quoted"))
    return True
