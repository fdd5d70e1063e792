"""Outcomes by the octets of an answer, sound or damaged, against the model service.

What the service of `test_matching_model` answers is written as a service writes it, and damaged at
random on the way: an octet, a line or a part is changed, removed, doubled, swapped or cut off. Of a
sound answer everything is told; of a damaged one nothing that is not so. Damage after which nothing
more is found to be wrong with the answer, beside its request, is none that a reader could notice:
the service could have sent it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from hypothesis import event, given, settings
from hypothesis import strategies as st

from odata_batch import (
    BatchResponse,
    BatchResult,
    ChangeSetResponse,
    Headers,
    OperationResponse,
    check_response,
    outcomes,
)
from odata_batch.dialects import PRESETS

from .batches import payload
from .helpers import PROFILE
from .test_matching_model import UNORDERED, Exchange, Fate, check_claims, check_told, exchanges

ALL = (*PRESETS.values(), UNORDERED)
EXCHANGES = exchanges(damaged=False, dialects=ALL)
MANY = settings(max_examples=100_000 if PROFILE == "thorough" else settings().max_examples * 3)
CONTENT = {"Content-Type": "application/json"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """An exchange, and its answer as octets."""

    exchange: Exchange
    body: bytes
    content_type: str

    def found(self, body: bytes) -> Counter[str]:
        """Return what is wrong with an answer beside its request."""
        report = check_response(
            body,
            self.content_type,
            dialect=self.exchange.dialect,
            request=self.exchange.request,
            request_format=self.exchange.format,
        )
        return Counter(each.rule.slug for each in report.diagnostics)

    def is_noticed(self, body: bytes) -> bool:
        """Tell whether more is wrong with an answer, and no status is another one.

        What reads well with another status could have been sent so, whatever else is wrong.
        """
        told, before = (
            Counter((each.id, each.status) for each in self.read(octets).responses())
            for octets in (body, self.body)
        )
        ids = {id for id, _ in before}
        statuses = Counter(status for _, status in before)
        if any(id in ids and (id, status) not in before for id, status in told):
            return False
        if not Counter(status for _, status in told).keys() <= statuses.keys():
            return False
        found, found_before = self.found(body), self.found(self.body)
        singles = [each for each in self.read(body).items if isinstance(each, OperationResponse)]
        if not any(each.id for each in singles):
            # A service may say identifiers in change sets alone.
            found -= Counter({"response-id": len(singles)})
        if None in {id for id, _ in told} and told.total() > before.total():
            # One more without identifier, of which no more is said than of each: so could it be.
            return not found.keys() <= found_before.keys()
        return not found <= found_before

    def read(self, body: bytes) -> BatchResponse:
        value = check_response(body, self.content_type, dialect=self.exchange.dialect).value
        return BatchResponse(()) if value is None else value


def filled(
    draw: st.DrawFn, item: object, with_length: bool
) -> OperationResponse | ChangeSetResponse:
    """Give a response a body, and perhaps its length."""
    if isinstance(item, ChangeSetResponse):
        inner = [filled(draw, each, with_length) for each in item.items]
        return ChangeSetResponse(inner, id=item.id)
    assert isinstance(item, OperationResponse)
    body = item.body or (b"" if item.status in (204, 304) else draw(st.sampled_from(BODIES)))
    pairs = [*item.headers.pairs, *(CONTENT.items() if body else ())]
    pairs += [("Content-Length", str(len(body)))] if body and with_length else []
    return replace(item, headers=Headers(pairs), body=body)


BODIES = (b"", b'{"a":1}', b'{"b":"\\r\\n","c":[]}')


@st.composite
def sent(draw: st.DrawFn) -> Sent:
    exchange = draw(EXCHANGES)
    with_length = draw(st.booleans())
    items = tuple([filled(draw, item, with_length) for item in exchange.response.items])
    response = replace(exchange.response, items=items)
    body, content_type = payload(response, exchange.answers_in, made_up=False)
    return Sent(exchange=exchange, body=body, content_type=content_type)


@MANY
@given(sent())
def test_a_sound_answer_tells_what_was_done(sent: Sent) -> None:
    check_told(sent.exchange, told(sent, sent.body))


def told(sent: Sent, body: bytes) -> BatchResult:
    exchange = sent.exchange
    fields = {"Content-Type": sent.content_type}
    return outcomes(
        exchange.request, 200, fields, body, format=exchange.format, dialect=exchange.dialect
    )


def damage_done(draw: st.DrawFn, body: bytes, is_json: bool) -> bytes:
    """Change, remove, double, swap or cut off an octet, a line or a part."""
    unit = draw(st.sampled_from(("octet", "octet", "line", "part")))
    if unit == "octet":
        pieces, glue = [body[at : at + 1] for at in range(len(body))], b""
    else:
        marks = {("line", False): b"\r\n", ("line", True): b",", ("part", False): b"--b"}
        glue = marks.get((unit, is_json), b'{"id"')
        pieces = body.split(glue)
    if not pieces:
        return b""
    places = st.integers(0, len(pieces) - 1)
    place, how = draw(places), draw(st.sampled_from(("change", "remove", "double", "swap", "cut")))
    if how == "change":
        octets = st.sampled_from((b"x", b" ", b"\r\n", b"--b\r\n", b"\0", b'"', b"-", b"9", b":"))
        pieces[place] = draw(octets)
    elif how == "remove":
        del pieces[place]
    elif how == "double":
        pieces.insert(place, pieces[place])
    elif how == "swap":
        other = draw(places)
        both = pieces[place], pieces[other]
        # Nobody can tell that two statuses have changed places.
        if len([each for each in both if b"status" in each or b"HTTP/1.1" in each]) < 2:
            pieces[other], pieces[place] = both
    else:
        del pieces[place:]
    return glue.join(pieces)


@MANY
@given(sent(), st.data())
def test_a_damaged_answer_claims_nothing_that_was_not_done(sent: Sent, data: st.DataObject) -> None:
    damaged = data.draw(damages(sent))
    if not sent.is_noticed(damaged):
        event("no reader can notice")
        return
    result = told(sent, damaged)
    fates = [
        # What was accepted is done, if the answer has lost where its result will be.
        Fate.APPLIED
        if fate is Fate.LATER and outcome.status == 202 and not outcome.location
        else fate
        for fate, outcome in zip(sent.exchange.fates, result, strict=True)
    ]
    check_claims(replace(sent.exchange, fates=tuple(fates)), result)


@st.composite
def damages(draw: st.DrawFn, sent: Sent) -> bytes:
    return damage_done(draw, sent.body, sent.exchange.answers_in == "json")
