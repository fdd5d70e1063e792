"""Validate captured payloads with all processors: HTTP messages, bare bodies, HAR and SAZ files.

python -m examples.validate_captures captures/*
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from odata_batch import Diagnostic, Severity, check_request, check_response
from odata_batch.capture import CapturedExchange, Message, parse_capture


@dataclass(frozen=True, kw_only=True)
class Validated:
    """What is wrong with one file; positions count from the start of a body. It pickles."""

    file: str
    findings: tuple[Diagnostic, ...] = ()
    error: str = ""
    """Why the file could not be read."""

    @property
    def ok(self) -> bool:
        return not self.error and all(each.severity < Severity.ERROR for each in self.findings)


def validate(file: str) -> Validated:
    """Return what is wrong with the batches in a file, whatever it holds."""
    try:
        exchanges = parse_capture(Path(file).read_bytes())
    except OSError as error:
        return Validated(file=file, error=str(error))
    batches = (exchange for exchange in exchanges if exchange.is_batch)
    return Validated(file=file, findings=tuple(each for batch in batches for each in _check(batch)))


def _check(exchange: CapturedExchange) -> Iterator[Diagnostic]:
    yield from exchange.diagnostics
    check = check_response
    if (message := exchange.request) is not None:
        sent = check_request(message.body, message.content_type, headers=message.headers)
        yield from _of_message(message, sent.diagnostics)
        if sent.ok:
            json = message.content_type.lower().startswith("application/json")
            check = partial(
                check, request=sent.value, request_format="json" if json else "multipart"
            )
    if (message := exchange.response) is not None:
        answered = check(message.body, message.content_type, headers=message.headers)
        yield from _of_message(message, answered.diagnostics)


def _of_message(message: Message, found: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
    yield from message.diagnostics
    if message.is_readable:
        # What lost octets explain is the capture's fault, and nobody else's.
        yield from (each for each in found if not (message.lossy and "lossy" in each.rule.tags))


def report(results: Sequence[Validated]) -> Iterator[str]:
    """Yield the findings of each file, and then how often each rule is broken."""
    for result in results:
        for found in filter(None, (result.error, *result.findings)):
            yield f"{result.file}: {found}"
    slugs = Counter(found.rule.slug for result in results for found in result.findings)
    yield from (f"{count:6} {slug}" for slug, count in slugs.most_common())
    yield f"{len(results)} files, {sum(not each.ok for each in results)} with errors"


if __name__ == "__main__":
    # Spawned processes share nothing with the threads of this one, on every platform.
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        print(*report(list(pool.map(validate, sys.argv[1:], chunksize=8))), sep="\n")
