"""SAZ files (Fiddler): ZIP archives of raw messages.

Session 12 is `raw/12_c.txt`, what the client sent, and `raw/12_s.txt`, what the server answered;
its metadata, `raw/12_m.xml`, say nothing about the messages. Sizes are checked before anything is
unzipped, and what is unzipped is counted, so that a small archive cannot become a large one.

Bytes that are no SAZ file make one entry without a name and without messages.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import TypeAlias

from odata_batch._model.findings import Diagnostic
from odata_batch.capture._codings import Room
from odata_batch.capture._har import CAPTURE_DUPLICATE_MEMBER, CAPTURE_INCOMPLETE
from odata_batch.capture._heads import CAPTURE_UNREADABLE, Entry, Raw, split, target_of, unreadable

# Old versions of Fiddler write a backslash.
_RAW = re.compile(r"raw[/\\]([0-9]{1,18})_([cs])\.txt", re.I)
# What a ZIP archive holds at most without an extension; each takes a kilobyte of memory.
_MOST_FILES = 65_535
_CENTRAL_HEADER = b"PK\x01\x02"
_ENCRYPTED = 1
_READ_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# What `zipfile` raises when an archive lies about itself; NotImplementedError, which is a
# RuntimeError, is what it says of a compression or an encryption that it does not know.
_LIES = (zipfile.BadZipFile, zlib.error, EOFError, OSError, OverflowError, RuntimeError, ValueError)
_Files: TypeAlias = dict[str, list[zipfile.ZipInfo]]


def is_zip(data: bytes) -> bool:
    """Tell whether a file is a ZIP archive, as a SAZ file is.

    >>> is_zip(b"PK\\x05\\x06" + bytes(18))
    True
    """
    return data.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def read_saz(data: bytes, room: Room) -> Iterator[Entry]:
    """Yield the sessions of a SAZ file in the order of their numbers."""
    # So that the list of a hostile archive is not made before it is found to be too long.
    if data.count(_CENTRAL_HEADER) > _MOST_FILES:
        yield unreadable(f"the ZIP archive has more than {_MOST_FILES} files")
        return
    try:
        archive = zipfile.ZipFile(BytesIO(data))
    except _LIES:
        yield unreadable("the ZIP archive is damaged, or is none")
        return
    with archive:
        sessions: dict[tuple[int, str], _Files] = {}
        flags = 0
        for info in archive.infolist():
            match = _RAW.fullmatch(info.filename)
            if match is not None:
                files = sessions.setdefault((int(match[1]), match[1]), {})
                files.setdefault(match[2].lower(), []).append(info)
                flags |= info.flag_bits
        if not sessions:
            what = "no file such as raw/1_c.txt in the ZIP archive"
            yield unreadable(f"found {what}, expected a SAZ file")
        elif flags & _ENCRYPTED:
            remedy = "it can be read if it is saved without a password"
            yield unreadable(f"the ZIP archive is encrypted; {remedy}")
        else:
            for (_, number), files in sorted(sessions.items()):
                yield _entry(archive, f"raw/{number}", files, room)


def _entry(archive: zipfile.ZipFile, name: str, files: _Files, room: Room) -> Entry:
    found: list[Diagnostic] = []
    for same in files.values():
        if len(same) > 1:
            message = f"{same[0].filename} stands more than once in the archive; the last is read"
            found.append(Diagnostic(CAPTURE_DUPLICATE_MEMBER, message))
    messages: list[Raw | None] = []
    for side, what in (("c", "request"), ("s", "response")):
        content = _unzipped(archive, files[side][-1], room) if side in files else b""
        # An unanswered request has an empty file.
        if content == b"":
            content = Diagnostic(CAPTURE_INCOMPLETE, f"the session has no {what}")
        if isinstance(content, bytes):
            messages.append(split(content, room.limits))
        else:
            found.append(content)
            messages.append(None)
    request, response = messages
    return Entry(name, found, target_of(request.start_line) if request else "", request, response)


def _unzipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo, room: Room) -> bytes | Diagnostic:
    if info.compress_type not in _READ_METHODS:
        found = f"{info.filename} has the compression method {info.compress_type}"
        return Diagnostic(CAPTURE_UNREADABLE, f"{found}, expected 0 or 8")
    most = room.for_body + room.limits.header_section
    if info.file_size > most:
        return room.too_large(info.filename)
    # What is read is counted, too: archives may have the same octets in all of their files.
    room.take(info.compress_size)
    try:
        with archive.open(info) as file:
            content = file.read(most + 1)
    except _LIES:
        return Diagnostic(CAPTURE_UNREADABLE, f"{info.filename} is damaged")
    room.take(len(content))
    return content
