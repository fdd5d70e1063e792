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
from typing import NamedTuple, TypeAlias

from odata_batch import Rule
from odata_batch.capture._codings import Problem, Room, too_large

# Old versions of Fiddler write a backslash.
_RAW = re.compile(r"raw[/\\]([0-9]{1,18})_([cs])\.txt", re.I)
# What a ZIP archive holds at most without an extension; each takes a kilobyte of memory.
_MOST_FILES = 65_535
_CENTRAL_HEADER = b"PK\x01\x02"
_ENCRYPTED = 1
_READ_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# What `zipfile` raises when an archive lies about itself; NotImplementedError is what it says of a
# compression or an encryption that it does not know.
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)
_Sessions: TypeAlias = dict[tuple[int, str], dict[str, list[zipfile.ZipInfo]]]


class SazEntry(NamedTuple):
    """A session of a SAZ file."""

    name: str
    request: bytes | None = None
    response: bytes | None = None
    problems: tuple[Problem, ...] = ()


def is_zip(data: bytes) -> bool:
    """Tell whether a file is a ZIP archive, as a SAZ file is.

    >>> is_zip(b"PK\\x05\\x06" + bytes(18))
    True
    """
    return data.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def read_saz(data: bytes, room: Room) -> Iterator[SazEntry]:
    """Yield the sessions of a SAZ file in the order of their numbers."""
    # So that the list of a hostile archive is not made before it is found to be too long.
    if data.count(_CENTRAL_HEADER) > _MOST_FILES:
        message = f"the ZIP archive has more than {_MOST_FILES} files"
        yield SazEntry("", problems=((Rule.CAPTURE_UNREADABLE, message),))
        return
    try:
        archive = zipfile.ZipFile(BytesIO(data))
    except _ZIP_ERRORS:
        message = "the ZIP archive is damaged, or is none"
        yield SazEntry("", problems=((Rule.CAPTURE_UNREADABLE, message),))
        return
    with archive:
        sessions = _sessions(archive)
        problem = _problem_of(sessions)
        if problem is not None:
            yield SazEntry("", problems=((Rule.CAPTURE_UNREADABLE, problem),))
            return
        for (_, number), files in sorted(sessions.items()):
            yield _saz_entry(archive, f"raw/{number}", files, room)


def _sessions(archive: zipfile.ZipFile) -> _Sessions:
    sessions: _Sessions = {}
    for info in archive.infolist():
        match = _RAW.fullmatch(info.filename)
        if match is not None:
            files = sessions.setdefault((int(match[1]), match[1]), {})
            files.setdefault(match[2].lower(), []).append(info)
    return sessions


def _problem_of(sessions: _Sessions) -> str | None:
    if not sessions:
        return "found no file such as raw/1_c.txt in the ZIP archive, expected a SAZ file"
    infos = [info for files in sessions.values() for same in files.values() for info in same]
    if any(info.flag_bits & _ENCRYPTED for info in infos):
        return "the ZIP archive is encrypted; it can be read if it is saved without a password"
    return None


def _saz_entry(
    archive: zipfile.ZipFile, name: str, files: dict[str, list[zipfile.ZipInfo]], room: Room
) -> SazEntry:
    problems: list[Problem] = []
    for same in files.values():
        if len(same) > 1:
            message = f"{same[0].filename} stands more than once in the archive; the last is read"
            problems.append((Rule.CAPTURE_DUPLICATE_MEMBER, message))
    request = _saz_file(archive, files.get("c"), "request", room, problems)
    response = _saz_file(archive, files.get("s"), "response", room, problems)
    return SazEntry(name, request, response, tuple(problems))


def _saz_file(
    archive: zipfile.ZipFile,
    files: list[zipfile.ZipInfo] | None,
    what: str,
    room: Room,
    problems: list[Problem],
) -> bytes | None:
    content: bytes | Problem = b"" if files is None else _unzipped(archive, files[-1], room)
    if isinstance(content, bytes):
        if content:
            return content
        # An unanswered request has an empty file.
        content = (Rule.CAPTURE_INCOMPLETE, f"the session has no {what}")
    problems.append(content)
    return None


def _unzipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo, room: Room) -> bytes | Problem:
    if info.compress_type not in _READ_METHODS:
        message = f"{info.filename} has the compression method {info.compress_type}"
        return Rule.CAPTURE_UNREADABLE, f"{message}, expected 0 or 8"
    most = room.for_body + room.limits.header_section
    if info.file_size > most:
        return too_large(room, info.filename)
    # What is read is counted, too: archives may have the same octets in all of their files.
    room.take(info.compress_size)
    try:
        with archive.open(info) as file:
            content = file.read(most + 1)
    except _ZIP_ERRORS:
        return Rule.CAPTURE_UNREADABLE, f"{info.filename} is damaged"
    room.take(len(content))
    return content
