"""What the page that checks a batch shows: every function answers a script of the page in JSON.

The octets of what was pasted or dropped are files in the current directory, where the command line
reads them; its report is the one source of the findings. Unless secrets are asked for, `masked` has
replaced them in these files before anything reads them, so nothing that is shown or saved has them.
"""

from __future__ import annotations

import base64
import io
import json
import re
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import redirect_stderr, suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from odata_batch import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    ChangeSetResponse,
    Codec,
    DecodeError,
    Headers,
    ItemStart,
    Limits,
    Operation,
    OperationResponse,
    Unreadable,
    __version__,
)
from odata_batch.__main__ import main
from odata_batch.capture import CapturedExchange, Message, parse_capture
from odata_batch.dialects import PRESETS

_Json = dict[str, Any]
_Parsed = list[tuple[str, tuple[CapturedExchange, ...]]]
_Batch = BatchRequest | BatchResponse
_Item = Operation | OperationResponse | ChangeSet | ChangeSetResponse | Unreadable
_SETS = (ChangeSet, ChangeSetResponse)
MOST = Limits().message
"""Octets of a file that are read at most."""


def about() -> str:
    """Return the version of the library, and the dialects by the names of the command line."""
    names = {key: dialect.name for key, dialect in PRESETS.items()}
    return json.dumps({"version": __version__, "dialects": names})


# -- secrets -------------------------------------------------------------------------------------

# Fields that are masked: credentials, cookies, and whatever is named as a token, a key or a secret.
_NAME = (
    rb"(?:(?:proxy-)?authorization|(?:set-)?cookie2?|[\w-]{0,60}(?:token|secret|password|api-?key"
    rb"|-key|signature)[\w-]{0,60})"
)
_MEMBER = rb'"((?:[^"\\\r\n]|\\.)*)'


def _patterns(*patterns: bytes) -> list[re.Pattern[bytes]]:
    return [re.compile(each, re.IGNORECASE | re.MULTILINE) for each in patterns]


# One of these is in every name and in every other secret.
_WORDS = (
    *(b"authorization", b"cookie", b"token", b"secret", b"password", b"apikey", b"-key"),
    *(b"signature", b"sig=", b"curl"),
)
# Octets around a word in which its secret is searched
_NEAR = 1 << 16

# The value is the group.
_SECRETS = _patterns(
    # A field on a line of its own, quoted or not.
    rb"^[ \t>|*<]*" + _NAME + rb"[ \t]*:([^\r\n]*)",
    # A field after a line end that is spelt out, as JSON spells it, or in quotes, as for curl.
    rb"(?:\\[nr]|[\"'])" + _NAME + rb"[ \t]*:((?:[^\\\"'\r\n]|\\\")*)",
    # A member of JSON, and the same in JSON that is a string of another JSON.
    rb'"' + _NAME + rb'"\s*:\s*' + _MEMBER,
    rb'\\"' + _NAME + rb'\\+"\s*:\s*\\+"([^"\r\n]*)',
    # A field or a cookie of a HAR file.
    rb'"name"\s*:\s*"' + _NAME + rb'"\s*,\s*"value"\s*:\s*' + _MEMBER,
    rb'"value"\s*:\s*' + _MEMBER + rb'"\s*,\s*"name"\s*:\s*"' + _NAME + rb'"',
    # A parameter of a URL, such as the signature of a storage account.
    rb"[?&](?:sig|" + _NAME + rb")=([^&\s\"'\\]*)",
)
# The lines that continue such a field, and what curl is told of cookies and of users.
_FOLDED = _patterns(
    rb"^[ \t]*" + _NAME + rb"[ \t]*:[^\r\n]*((?:\r?\n[ \t]+(?!--)[^\s:][^\r\n:]*(?=[\r\n]|\Z))+)"
)
_CURL = _patterns(rb"\s(?:-b|--cookie|-u|--user) ?\^?([\"'][^\"'\r\n]*|[^\s\"']+)")
_CODED = re.compile(rb'"text"\s*:\s*"([A-Za-z0-9+/]{16,}={0,2})"')
# Schemes and attributes say nothing that is secret.
_KEPT = re.compile(
    rb"(?P<kept>^\s*(?:basic|bearer|digest|negotiate|ntlm|sharedkey|sharedkeylite)\s)"
    rb"|(?P<mark>[^\s\"'\\,;:=*])",
    re.IGNORECASE,
)
# How a ZIP file begins
_ARCHIVE = b"PK\x03\x04"


def masked(data: bytes) -> bytes:
    r"""Return the octets with asterisks for secrets, as many as these have octets.

    >>> masked(b"Authorization: Bearer abc.def\r\nAccept: */*")
    b'Authorization: Bearer *******\r\nAccept: */*'
    """
    if data.startswith(_ARCHIVE):
        return _masked_archive(data)
    if data.count(0) * 3 < len(data):
        return _masked_text(data)
    planes = bytearray(data)  # UTF-16: of ASCII every other octet is zero
    for start in (0, 1):
        planes[start::2] = _masked_text(data[start::2])
    return bytes(planes)


def _masked_text(data: bytes) -> bytes:
    """Return the octets with asterisks; the patterns are slow, so they search near words only."""
    lower = data.lower()
    pieces, last, end = [], 0, 0
    for at in sorted(at for word in _WORDS for at in _places(lower, word)):
        if at - _NEAR > end:
            pieces += [_masked_piece(data[last:end]), data[end : at - _NEAR]]
            last = at - _NEAR
        end = at + _NEAR
    data = b"".join((*pieces, _masked_piece(data[last:end]), data[end:]))
    return _CODED.sub(_masked_base64, data) if b'"base64"' in lower else data


def _places(data: bytes, word: bytes) -> Iterator[int]:
    at = data.find(word)
    while at >= 0:
        yield at
        at = data.find(word, at + 1)


def _masked_piece(data: bytes) -> bytes:
    for pattern in (*_FOLDED, *(_CURL if b"curl" in data else ())):
        data = pattern.sub(_starred, data)
    return _masked_lines(data)


def _masked_lines(data: bytes) -> bytes:
    for pattern in _SECRETS:
        data = pattern.sub(_starred, data)
    return data


def _starred(match: re.Match[bytes]) -> bytes:
    start, end = (each - match.start() for each in match.span(1))
    value = _KEPT.sub(lambda each: each["kept"] or b"*", match[1])
    return match[0][:start] + value + match[0][end:]


def _masked_base64(match: re.Match[bytes]) -> bytes:
    try:
        octets = base64.b64decode(match[1], validate=True)
    except ValueError:
        return match[0]
    return match[0].replace(match[1], base64.b64encode(_masked_text(octets)))


def _masked_archive(data: bytes) -> bytes:
    """Return the archive anew; one that cannot be read is reported by whoever reads it."""
    written = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(written, "w") as new:
            if sum(info.file_size for info in old.infolist()) > 4 * MOST:
                return data
            for info in old.infolist():
                new.writestr(info.filename, masked(old.read(info)), zipfile.ZIP_DEFLATED)
    except Exception:
        return data
    return written.getvalue()


# -- what is checked -----------------------------------------------------------------------------

# The dialect of a service by its URL; the first that is found.
_SERVICES = [
    (re.compile(pattern, re.IGNORECASE), dialect)
    for pattern, dialect in (
        (r"//(?:graph|dod-graph|canary\.graph|microsoftgraph)\.", "graph"),
        (
            r"//[^/]+\.crm\d*\.(?:dynamics|microsoftdynamics|appsplatform)\.|/api/data/v\d",
            "dataverse",
        ),
        (r"//api\.businesscentral\.|/v2\.0/[^?]*/api/(?:v\d|[^/]+/[^/]+/)", "business-central"),
        (
            r"\.table\.(?:core|cosmos|storage|cosmosdb)\.|/devstoreaccount1|//[^/]+:10002/"
            r"|Windows-Azure-Table",
            "azure-tables",
        ),
        (r"\.sharepoint\.|/_api/|/_vti_bin/", "sharepoint"),
        (r"/b1s/v\d", "sap-business-one"),
        (r"/sap/opu/odata4/", "4.0"),
        (r"/sap/opu/odata/", "sap-gateway"),
        (r"//[^/]+:4004/(?:odata/)?v2/", "sap-v2-adapter"),
        (r"//[^/]+:4004/", "sap-cap"),
    )
]
_OLD = re.compile(r"\s*[12]\.0")
# A URL of the service in a body: of an operation, of what was made, or of a context
_URL = re.compile(
    rb"""^(?:Location:|DataServiceId:|[A-Z]+)[ ](https?://[^\s"]+)
    | "(?:@?odata\.(?:context|metadata)|uri|url)"\s*:\s*"(https?://[^"\\]+)""",
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)


def guessed(url: str, messages: Iterable[Message] = ()) -> tuple[str, str]:
    """Return the dialect of the service at a URL, and what it was guessed from.

    >>> guessed("https://graph.microsoft.com/v1.0/$batch")[0], guessed("/odata/$batch")
    ('graph', ('4.01', ''))
    """
    for message in messages:
        host = message.headers.get("host")
        if host and url.startswith("/"):
            url = f"https://{host}{url}"
    told = [url]
    for message in messages:
        found = _URL.search(message.body, 0, _NEAR)
        told += [message.headers.get("server", "")]
        told += [(found[1] or found[2]).decode("utf-8", "replace")] if found else []
    for each in told:
        for pattern, dialect in _SERVICES:
            if pattern.search(each):
                return dialect, each
    for message in messages:
        for name in ("dataserviceversion", "maxdataserviceversion"):
            if _OLD.match(message.headers.get(name, "")):
                return "2", message.headers[name]
    return "4.01", ""


@dataclass(slots=True)
class _Session:
    """What was checked last, so that more of it can be asked for."""

    files: list[str] = field(default_factory=list)
    dialect: str = "4.01"
    secrets: bool = False
    exchanges: list[tuple[str, CapturedExchange]] = field(default_factory=list)
    """Those that are batches, each after the name of its file."""
    found: dict[tuple[str, str], list[_Json]] = field(default_factory=dict)
    """The findings of the report by file and message."""
    rules: dict[str, _Json] = field(default_factory=dict)
    read: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    """How a message was read, in place of findings that say nothing else."""
    names: dict[str, str] = field(default_factory=dict)
    """The files that are now messages of an archive, by the names of these messages."""
    is_masked: bool = True
    """Whether no secret is left in the files, but in what they hold compressed."""
    converted: bytes = b""


_now = _Session()
_HOW_READ = ("capture-text", "capture-bare-body", "capture-decoded")
_ORDER = ("error", "warning", "note")


def check(names: str, dialect: str, url: str, secrets: bool) -> str:
    """Check files of the current directory, and return what is found.

    `names` are theirs, as a JSON array.

    Without `dialect`, it is guessed from `url`, or else from the URL of the first batch. A request
    and a response that are alone become a pair: the two messages of a SAZ file.
    """
    files: list[str] = json.loads(names)
    problems: dict[str, str] = {}
    left = [] if secrets else [file for file in files if not _mask(Path(file))]
    _now.is_masked = not left
    parsed = _parsed(files)
    _now.names = {}
    if sorted(_sides(parsed)) == ["request", "response"]:
        files = [_paired(parsed)]
        parsed = _parsed(files)
    batches = [(file, each) for file, all in parsed for each in all if each.is_batch]
    reason = ""
    if not dialect:
        first = batches[0][1] if batches else None
        exchange = next((each for _, each in batches if url or each.url), first)
        messages = () if exchange is None else _messages(exchange)
        dialect, reason = guessed(url or (exchange.url if exchange else ""), messages)
    _now.files, _now.dialect, _now.secrets, _now.exchanges = files, dialect, secrets, batches
    report = json.loads(save("json"))
    _now.found, _now.read, _now.rules = {}, {}, report["rules"]
    for each in report["files"]:
        if each["error"]:
            problems[each["file"]] = each["error"]
        for finding in each["findings"]:
            key = each["file"], finding["source"]
            if finding["rule"] in _HOW_READ:
                _now.read.setdefault(key, []).append(finding["message"])
                report["totals"]["notes"] -= 1
            else:
                _now.found.setdefault(key, []).append(finding)
    return _answer(
        {
            "files": files,
            "problems": problems,
            "dialect": {"name": PRESETS[dialect].name, "guessed": reason},
            "totals": report["totals"],
            "exchanges": [_summary(file, each) for file, each in batches],
        }
    )


def _mask(path: Path) -> bool:
    """Mask a file, unless it is too large to be read; return whether that could be done."""
    if path.stat().st_size > MOST:
        return True
    octets = path.read_bytes()
    hidden = masked(octets)
    path.write_bytes(hidden)
    # An archive that is damaged stays as it is.
    return hidden is not octets or not octets.startswith(_ARCHIVE)


def _parsed(files: list[str]) -> _Parsed:
    read = ((file, Path(file)) for file in files)
    return [
        (file, parse_capture(path.read_bytes()))
        for file, path in read
        if path.stat().st_size <= MOST
    ]


def _messages(exchange: CapturedExchange) -> list[Message]:
    return [each for each in (exchange.request, exchange.response) if each is not None]


def _sides(parsed: _Parsed) -> list[str]:
    """Return who has sent two messages that are a file each; nothing if there are more."""
    messages = [each for _, all in parsed for exchange in all for each in _messages(exchange)]
    is_plain = len(messages) == 2 and all(
        not exchange.name for _, all in parsed for exchange in all
    )
    return [each.kind for each in messages] if is_plain else []


def _paired(parsed: _Parsed) -> str:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for file, (exchange,) in parsed:
            side, kind = ("s", "response") if exchange.request is None else ("c", "request")
            archive.writestr(f"raw/1_{side}.txt", Path(file).read_bytes())
            _now.names[f"raw/1.{kind}"] = file
    Path("pair.saz").write_bytes(written.getvalue())
    return "pair.saz"


def _summary(file: str, exchange: CapturedExchange) -> _Json:
    found = [each for source in _sources(exchange) for each in _found(file, source)]
    counts = {"error": 0, "warning": 0, "note": 0}
    for each in found:
        counts[each["severity"]] += 1
    request, response = exchange.request, exchange.response
    lines = [
        each.start_line for each in (request, response) if each is not None and each.start_line
    ]
    return {
        "file": file,
        "name": exchange.name,
        "title": " → ".join(map(_visible, lines)),
        **counts,
    }


def _sources(exchange: CapturedExchange) -> list[str]:
    name = exchange.name
    return [name, f"{name}.request", f"{name}.response"] if name else [""]


def _found(file: str, source: str) -> list[_Json]:
    """Return what is worst first, and otherwise by place."""
    found = _now.found.get((file, source), [])
    return sorted(found, key=lambda each: _ORDER.index(each["severity"]))


def save(format: str) -> str:
    """Return the report that the command line prints about the files, with secrets masked."""
    output = Path("/tmp/report")
    options = ["--dialect", _now.dialect, "--color", "never", "--format", format]
    main(["check", *options, "--output", str(output), "--", *_now.files])
    text = output.read_bytes()
    return (text if _now.secrets else _masked_lines(text)).decode("utf-8", "surrogateescape")


# -- an exchange ---------------------------------------------------------------------------------

# As much is shown of a payload: its beginning, what is around each finding, and items of its tree.
_BEGINNING = 40_000
_AROUND = 1_500
_ITEMS = 300


def show(index: int) -> str:
    """Return the messages of an exchange, and what became of its operations."""
    file, exchange = _now.exchanges[index]
    codec = Codec(PRESETS[_now.dialect])
    has_own = exchange.name or not _messages(exchange)
    own = [_finding(each, b"") for each in _found(file, exchange.name) if has_own]
    shown: list[_Json] = []
    request: BatchRequest | None = None
    result: list[_Json] = []
    for message in _messages(exchange):
        if message.body_position is None and not _now.secrets:
            message = replace(message, body=masked(message.body))
        # A spelling may have hidden a secret that is seen where it is undone.
        is_undone = any(each.rule.slug == "capture-text" for each in message.diagnostics)
        if not _now.is_masked or (is_undone and not _now.secrets):
            message = replace(message, body=masked(message.body), source=masked(message.source))
        source = f"{exchange.name}.{message.kind}" if exchange.name else ""
        batch = _read(message, codec)
        how = "; ".join(_now.read.get((file, source), []))
        read = {"read": _visible(how if _now.secrets else _masked_text_of(how))}
        cut = batch if isinstance(batch, BatchResponse) and batch.truncated else None
        heads = [] if cut is None else list(_heads(message, codec))
        shown.append(_message(message, batch, _found(file, source), source, heads) | read)
        if isinstance(batch, BatchRequest):
            request = batch
        elif request is not None:
            result = _outcomes(codec, exchange, request, message, batch)
    return _answer({"findings": own, "messages": shown, "outcomes": result})


def _read(message: Message, codec: Codec) -> _Batch | None:
    if not message.is_readable:
        return None
    read = codec.check_request if message.kind == "request" else codec.check_response
    return read(message.body, message.content_type, headers=message.headers).value


def _heads(message: Message, codec: Codec) -> Iterator[ItemStart[OperationResponse]]:
    """Yield what begins in a response, also in a change set that is cut and so is not read."""
    decoder = codec.response_decoder(message.content_type, headers=message.headers, stream=True)
    with suppress(DecodeError):
        for event in decoder.receive_data(message.body):
            if isinstance(event, ItemStart):
                yield event


def _message(
    message: Message,
    batch: _Batch | None,
    found: list[_Json],
    source: str,
    heads: list[ItemStart[OperationResponse]],
) -> _Json:
    origins = {(each["place"] or {}).get("origin") for each in found}
    # What is quoted of a body whose codings were undone is in the body.
    is_whole = message.body_position is not None or not message.body
    data = (
        message.source if message.source and (is_whole or "body" not in origins) else message.body
    )
    if message.body_position is None and message.body:
        data = message.body
    marks = []
    findings = []
    for each in found:
        place = each["place"]
        octets = message.body if place and place["origin"] == "body" else message.source
        findings.append(_finding(each, octets))
        if place and octets is data:
            marks.append((place["offset"], max(1, place["length"]), len(findings) - 1))
    top = 0 if data is message.body else message.body_position or 0
    return {
        "kind": message.kind,
        "source": _now.names.get(source, source),
        "start": _visible(message.start_line),
        # Where the octets that are shown begin after them
        "headers": [] if data is message.source else _fields(message.headers),
        "type": _visible(message.content_type),
        "instead": _visible(message.not_a_batch or ""),
        "octets": len(data),
        "findings": findings,
        "payload": _payload(data, marks),
        "tree": None if batch is None else _tree(batch, findings, data, top, heads),
    }


def _finding(each: _Json, octets: bytes) -> _Json:
    rule = _now.rules[each["rule"]]
    place = each["place"]
    told = {**each, **{name: rule[name] for name in ("sentence", "citation", "remedy", "fatal")}}
    source: str = each["source"]
    where = [_now.names.get(source, source)] if source else []
    if place:
        of = " of the body" if place["origin"] == "body" else ""
        where.append(f"line {place['line']}, column {place['column']}, byte {place['offset']}{of}")
        start, end = place["offset"], place["offset"] + max(1, place["length"])
        first = max(octets.rfind(b"\n", max(0, start - 60), start) + 1, start - 60, 0)
        last = octets.find(b"\n", start, start + 140) + 1 or start + 140
        pieces = octets[first:start], octets[start:end], octets[end:last]
        told["excerpt"] = [_pictured(piece) for piece in pieces]
    if each["path"]:
        where.append(each["path"])
    told["where"] = ", ".join(where)
    return told if _now.secrets else {**told, "message": _masked_text_of(told["message"])}


def _masked_text_of(text: str) -> str:
    return masked(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def _outcomes(
    codec: Codec,
    exchange: CapturedExchange,
    request: BatchRequest,
    message: Message,
    batch: _Batch | None,
) -> list[_Json]:
    sent = exchange.request.headers if exchange.request is not None else ()
    codec = codec.replace(format=request.format)
    status = re.search(r"\s(\d{3})(?:\s|$)", message.start_line)
    if status is not None:
        fields, body = message.headers, message.body
        found = codec.outcomes(request, int(status[1]), fields, body, request_headers=sent)
    elif isinstance(batch, BatchResponse):
        found = codec.match(request, batch, request_headers=sent)
    else:
        return []
    return [
        {
            "operation": _visible(f"{each.operation.method} {each.operation.url}"),
            "id": _visible(each.id or ""),
            "state": each.state.value,
            "status": each.status,
            "reason": _visible(each.reason),
            "error": _visible(f"{each.error.code}: {each.error.message}") if each.error else "",
            "location": _visible(each.location or ""),
        }
        for each in found
    ]


# -- the tree ------------------------------------------------------------------------------------


def _tree(
    batch: _Batch,
    findings: list[_Json],
    data: bytes,
    top: int,
    heads: list[ItemStart[OperationResponse]],
) -> _Json:
    by_path: dict[str, list[int]] = {}
    for number, each in enumerate(findings):
        # A finding is about the item that its path begins with.
        path = re.match(r"(?:items\[\d+\]\.?)+", each["path"])
        by_path.setdefault(path[0].rstrip(".") if path else "", []).append(number)
    lines = _Lines(data)
    told = ["1 item" if len(batch.items) == 1 else f"{len(batch.items)} items"]
    if isinstance(batch, BatchRequest) and batch.continue_on_error is not None:
        told.append(f"continue-on-error: {str(batch.continue_on_error).lower()}")
    if isinstance(batch, BatchResponse):
        told += ["truncated"] if batch.truncated else []
        told += [f"next link: {_visible(batch.next_link)}"] if batch.next_link else []
    left = [_ITEMS]
    items = list(_nodes(batch.items, "", by_path, left, lambda at: lines.at(top + at)))
    left_out = sum(_size(batch.items)) - _shown(items)
    read = set(_paths(items))
    for start in heads[:_ITEMS]:
        if start.path not in read:
            node = {"path": start.path, **_told(start.item), "findings": [], "items": []}
            items.append({**node, "line": None, "more": [*node["more"], "before the cut"]})
    return {"told": told, "items": items, "left": left_out}


def _paths(nodes: list[_Json]) -> Iterator[str]:
    for each in nodes:
        yield each["path"]
        yield from _paths(each["items"])


def _size(items: Iterable[_Item]) -> Iterator[int]:
    for item in items:
        yield 1
        if isinstance(item, _SETS):
            yield from _size(item.items)


def _shown(nodes: list[_Json]) -> int:
    return sum(1 + _shown(each["items"]) for each in nodes)


def _nodes(
    items: Iterable[_Item], above: str, by_path: dict[str, list[int]], left: list[int], line_of: Any
) -> Iterator[_Json]:
    """Yield what is shown of the items: the first ones, and each with findings."""
    for index, item in enumerate(items):
        path = f"{above}items[{index}]"
        is_found = path in by_path or any(each.startswith(f"{path}.") for each in by_path)
        if left[0] <= 0 and not is_found:
            continue
        left[0] -= 1
        inner = item.items if isinstance(item, _SETS) else ()
        yield {
            "path": path,
            **_told(item),
            "line": None if item.position is None else line_of(item.position),
            "findings": by_path.get(path, []),
            "items": list(_nodes(inner, f"{path}.", by_path, left, line_of)),
        }


def _told(item: _Item) -> _Json:
    """Return the title of an item, what it is, and more about it."""
    more = [] if item.id is None else [f"id {_visible(item.id)}"]
    if isinstance(item, Unreadable):
        return {"title": f"{item.kind} that could not be read", "kind": "unreadable", "more": more}
    if isinstance(item, _SETS):
        noun = "operation" if isinstance(item, ChangeSet) else "response"
        more.append(f"{len(item.items)} {noun}{'s' * (len(item.items) != 1)}")
        return {"title": "change set", "kind": "set", "more": more}
    if isinstance(item, Operation):
        title, kind = f"{item.method} {item.url}", "operation"
        if item.depends_on:
            more.append(f"depends on {_visible(', '.join(item.depends_on))}")
        if item.condition is not None:
            more.append(f"if {_visible(item.condition)}")
    else:
        title, kind = f"{item.status} {item.reason or ''}", "ok" if item.ok else "failed"
    if item.body:
        more.append(
            f"{len(item.body)} bytes of {_visible(item.headers.get('content-type', 'no type'))}"
        )
    headers = _fields(item.headers)
    return {"title": _visible(title), "kind": kind, "more": more, "headers": headers}


def _fields(headers: Headers) -> list[str]:
    return [f"{_visible(name)}: {_visible(value)}" for name, value in headers.pairs]


class _Lines:
    """The numbers of lines, from 1, for offsets that grow."""

    def __init__(self, data: bytes) -> None:
        self._data, self._last, self._line = data, 0, 1

    def at(self, offset: int) -> int:
        if offset < self._last:
            self._last, self._line = 0, 1
        self._line += self._data.count(b"\n", self._last, offset)
        self._last = offset
        return self._line


# -- the payload ---------------------------------------------------------------------------------


def _payload(data: bytes, marks: list[tuple[int, int, int]]) -> list[Any]:
    """Return the lines of a payload: number and pieces, each a text with the finding that it is of.

    A piece is of the finding -1 if it is of none; the last one of a line is its end. In place of a
    line, a number says how many octets are left out.
    """
    lines: list[Any] = []
    counted = _Lines(data)
    marks = sorted(marks)
    last = 0
    for start, end in _windows(data, [offset for offset, _, _ in marks]):
        if start > last:
            lines.append(start - last)
        at = start
        while at < end:
            stop = data.find(b"\n", at, end) + 1 or end
            lines.append([counted.at(at), list(_pieces(data, at, stop, marks))])
            at = stop
        last = end
    if last < len(data):
        lines.append(len(data) - last)
    if any(offset >= len(data) for offset, _, _ in marks):
        number = next(each for offset, _, each in marks if offset >= len(data))
        lines.append([counted.at(len(data)), [["(end)", number], ["", -1]]])
    return lines


def _windows(data: bytes, offsets: list[int]) -> Iterator[tuple[int, int]]:
    """Yield what is shown, in order, from a line to a line where these are not too long."""
    wanted = [(0, _BEGINNING), *((each - _AROUND, each + _AROUND) for each in sorted(offsets))]
    start, end = 0, 0
    for first, last in wanted:
        first = data.rfind(b"\n", max(0, first - _AROUND), max(0, first)) + 1 or max(0, first)
        last = data.find(b"\n", last, last + _AROUND) + 1 or last
        if first > end:
            yield start, end
            start = first
        end = min(len(data), max(end, last))
    if start < end:
        yield start, end


def _pieces(
    data: bytes, start: int, stop: int, marks: list[tuple[int, int, int]]
) -> Iterator[list[Any]]:
    """Yield the pieces of a line; of marks that overlap, the one that begins last is seen."""
    line = data[start:stop]
    text_end = start + len(line.removesuffix(b"\n").removesuffix(b"\r"))
    here = [each for each in marks if each[0] < stop and each[0] + each[1] > start]
    edges = {edge for offset, length, _ in here for edge in (offset, offset + length)}
    cuts = [start, *sorted(edge for edge in {*edges, text_end} if start < edge < stop), stop]
    for first, last in pairwise(cuts):
        covering = [number for offset, length, number in here if offset <= first < offset + length]
        number = covering[-1] if covering else -1
        yield [_pictured(data[first:last]), number]
    if text_end == stop or number >= 0:
        yield ["", -1]


_HIDDEN = re.compile(r"[^ -~]")
_PICTURES = range(0x2400, 0x2422)


def _visible(text: str) -> str:
    """Return the text with escapes for characters that are not seen, or that reorder others."""
    return _HIDDEN.sub(_escaped, text)


def _pictured(data: bytes) -> str:
    """Return octets as text, with pictures of controls, and escapes for what is not seen.

    The page writes out the pictures, so a picture that is in the octets is escaped, too.
    """
    return _HIDDEN.sub(_picture, data.decode("utf-8", "surrogateescape"))


def _picture(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20 or code == 0x7F:
        return chr(0x2400 + min(code, 0x21))
    return f"\\u{code:04x}" if code in _PICTURES else _escaped(match)


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    if character.isprintable():
        return character
    if "\udc80" <= character <= "\udcff":  # an octet that is not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


# -- the other format ----------------------------------------------------------------------------


def convert(index: int, side: int) -> str:
    """Return a message in the other format, as `convert` of the command line writes it."""
    file, exchange = _now.exchanges[index]
    message = _messages(exchange)[side]
    codec = Codec(PRESETS[_now.dialect])
    batch = _read(message, codec)
    target = "json" if batch is not None and batch.format == "multipart" else "multipart"
    name = f"{exchange.name}.{message.kind}" if exchange.name else ""
    arguments = ["convert", "--dialect", _now.dialect, "--to", target]
    arguments += ["--message", name] if name else []
    output, said = Path("/tmp/converted"), io.StringIO()
    output.write_bytes(b"")
    with redirect_stderr(said):
        status = main([*arguments, "--output", str(output), "--", file])
    octets = output.read_bytes()
    _now.converted = octets if _now.secrets else masked(octets)
    told = [line.removeprefix("odata-batch: ") for line in said.getvalue().splitlines()]
    return _answer(
        {
            "target": "JSON" if target == "json" else "multipart",
            "done": status == 0,
            "told": told if _now.secrets else [_masked_text_of(each) for each in told],
            "payload": _payload(_now.converted, []),
        }
    )


def converted() -> bytes:
    """Return the octets of what was converted last."""
    return _now.converted


def _answer(found: _Json) -> str:
    text = json.dumps(found)
    return text if _now.is_masked else _masked_lines(text.encode()).decode()
