"""The OData multipart batch format (OData Protocol, 11.7.7), written."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable

from odata_batch._model import values
from odata_batch._model.findings import Diagnostic, Reporter, error, quote
from odata_batch._model.headers import Headers
from odata_batch._model.limits import Limits
from odata_batch._wire import grammar, http
from odata_batch._wire.mime import NO_PARTS
from odata_batch._wire.multipart import BOUNDARY_CHARACTERS
from odata_batch._wire.sections import NOT_EXPRESSIBLE

_SETS = (values.ChangeSet, values.ChangeSetResponse)

# How many boundaries are tried until one does not occur in the content. With 128 bits the first
# will do, unless the content was made to hold it.
_ATTEMPTS = 8


BOUNDARY_IN_CONTENT = error("""
    boundary-in-content: A boundary does not occur in what it delimits. [RFC 2046, 5.1]
    Choose another boundary, or none, so that one is made up.""")


class MultipartEncoder:
    """Encodes the items of a multipart batch, prepared ones that have been checked.

    Without a `boundary` one is made of 128 random bits; with one, everything is reproducible.
    """

    def __init__(
        self, role_name: str, boundary: str | None, limits: Limits, report: Reporter
    ) -> None:
        self.headers_total = 0
        self._report = report
        self._suffix = "" if role_name == "request" else "response"
        self._items = self._change_sets = 0
        self._given = boundary
        if boundary is not None:
            self._check_boundary(boundary, min(limits.boundary, 70))
        self._boundary = boundary or self._random("batch")

    def _check_boundary(self, boundary: str, longest: int) -> None:
        """Report what a caller's boundary must not be (RFC 2046, 5.1.1)."""
        if not isinstance(boundary, str):
            raise TypeError(f"boundary is a str, not {type(boundary).__name__}")
        if not grammar.BOUNDARY.fullmatch(boundary):
            found = f"found the boundary {quote(boundary)}"
            message = f"{found}, expected digits, letters, '()+_,-./:=? and blanks"
            self._report(Diagnostic(BOUNDARY_CHARACTERS, message))
        if len(boundary) > longest:
            message = f"the boundary has {len(boundary)} characters, at most {longest} are allowed"
            self._report(Diagnostic(BOUNDARY_CHARACTERS, message))

    @property
    def content_type(self) -> str:
        """The Content-Type of the batch, its boundary quoted where it is not a token."""
        boundary = self._boundary
        quoted = boundary if grammar.TOKEN.fullmatch(boundary) else f'"{boundary}"'
        return f"multipart/mixed; boundary={quoted}"

    # -- what a multipart batch cannot carry --

    def check_batch(self, batch: values.BatchRequest | values.BatchResponse, items: int) -> None:
        """Report what is wrong beside the items, whose number is given."""
        if not items and isinstance(batch, values.BatchRequest):
            self._report(Diagnostic(NO_PARTS, "a multipart batch has at least one item"))
        lost = [f"the annotation {quote(name)}" for name, _ in batch.annotations]
        if isinstance(batch, values.BatchResponse):
            lost += ["next_link"] if batch.next_link is not None else []
            lost += ["truncated"] if batch.truncated else []
        self._refuse(lost, None, "")

    def check(self, item: values.Item) -> None:
        """Report what is lost of the next item."""
        self._check(item, f"items[{self._items}]")
        self._items += 1

    def _check(self, item: values.Item, path: str) -> None:
        if isinstance(item, _SETS):
            for index, inner in enumerate(item.items):
                self._check(inner, f"{path}.items[{index}]")
            return
        lost = [f"the annotation {quote(name)}" for name, _ in item.annotations]
        if isinstance(item, values.Operation):
            lost += ["depends_on"] if item.depends_on else []
            lost += ["condition"] if item.condition is not None else []
        self._refuse(lost, item.position, path)

    def _refuse(self, lost: list[str], position: int | None, path: str) -> None:
        for name in lost:
            message = f"a multipart batch cannot carry {name}"
            self._report(Diagnostic(NOT_EXPRESSIBLE, message, position, path))

    # -- octets --

    def send(self, item: values.Item) -> bytes:
        """Return the octets of the item, its delimiter in front."""
        part = self._part(item)
        self._refuse_within(self._boundary, [part])
        return b"--%b\r\n%b\r\n" % (self._boundary.encode("ascii"), part)

    def close(self, annotations: values.Annotations, next_link: str | None) -> bytes:
        """Return the close delimiter; multipart has no place for what is given."""
        return _joined((), self._boundary)

    def whole(
        self, items: Iterable[values.Item], annotations: values.Annotations, next_link: str | None
    ) -> bytes:
        """Return the octets of the batch; a random boundary is chosen to suit the content."""
        parts = [self._part(item) for item in items]
        if self._given is None:
            self._boundary = self._absent(parts, lambda attempt: self._random("batch"))
        else:
            self._refuse_within(self._boundary, parts)
        return _joined(parts, self._boundary)

    def _part(self, item: values.Item) -> bytes:
        if isinstance(item, _SETS):
            parts = [self._part(inner) for inner in item.items]
            boundary = self._absent(parts, self._inner_boundary)
            self._change_sets += 1
            outer = f"Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n".encode("ascii")
            self.headers_total += len(outer)
            return outer + _joined(parts, boundary)
        headers = item.headers
        head = "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n"
        if item.id is not None and item.id_in_message:
            headers = Headers((*headers.pairs, ("Content-ID", item.id)))
        elif item.id is not None:
            head += f"Content-ID: {item.id}\r\n"
        if isinstance(item, values.Operation):
            line = f"{item.method} {item.url} HTTP/1.1"
        else:
            phrase = item.reason
            phrase = http.REASONS.get(item.status, "") if phrase is None else phrase
            line = f"HTTP/1.1 {item.status} {phrase}"
        fields = "".join([f"{name}: {value}\r\n" for name, value in headers.pairs])
        octets = f"{head}\r\n{line}\r\n{fields}\r\n".encode("latin-1")
        self.headers_total += len(octets)
        return octets + item.body

    # -- boundaries --

    def _random(self, prefix: str) -> str:
        return f"{prefix}{self._suffix}_{secrets.token_hex(16)}"

    def _inner_boundary(self, attempt: int) -> str:
        if self._given is None:
            return self._random("changeset")
        seed = f"{self._given}/{self._change_sets}/{attempt}".encode("ascii")
        return f"changeset{self._suffix}_{hashlib.sha256(seed).hexdigest()[:32]}"

    def _absent(self, parts: list[bytes], make: Callable[[int], str]) -> str:
        """Return the first boundary that does not occur in the parts."""
        for attempt in range(_ATTEMPTS):
            boundary = make(attempt)
            if not _occurs(boundary, parts):
                return boundary
        self._refuse_within(boundary, parts)
        return boundary

    def _refuse_within(self, boundary: str, parts: list[bytes]) -> None:
        if _occurs(boundary, parts):
            message = f"{quote('--' + boundary)} occurs in the content"
            self._report(Diagnostic(BOUNDARY_IN_CONTENT, message))


def _occurs(boundary: str, parts: list[bytes]) -> bool:
    token = b"--" + boundary.encode("ascii")
    return any(token in part for part in parts)


def _joined(parts: Iterable[bytes], boundary: str) -> bytes:
    """Return the body whose parts these are; a CRLF that some parsers want comes last."""
    token = b"--" + boundary.encode("ascii")
    first = token + b"\r\n"
    chunks: list[bytes] = []
    for part in parts:
        chunks += (first, part, b"\r\n")
    return b"".join((*chunks, token, b"--\r\n"))
