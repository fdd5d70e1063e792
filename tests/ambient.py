"""Print a digest of all that the library makes of the fixtures; see `test_ambient.py`.

`python ambient.py [audit | deep | reversed | threads | isolated]`: with `audit`, whatever reaches
out of the process is an error, except that modules are loaded.
"""

from __future__ import annotations

import base64
import hashlib
import json
import locale
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "spec-fixtures")]

message = import_module("run").message
CASES = json.loads((HERE.parent / "spec-fixtures" / "manifest.json").read_bytes())["cases"]
QUESTIONS: list[dict[str, Any]] = [each for each in map(message, CASES) if len(each["body"]) < 4000]
for each in QUESTIONS[::9]:  # with each field twice: findings that belong to one place
    octets = re.sub(rb"(?m)^([\w-]+:.*\n)", rb"\1\1", base64.b64decode(each["body"]))
    QUESTIONS.append({**each, "slug": "2x " + each["slug"], "body": base64.b64encode(octets)})
# Events of what asks the system for files, processes, threads and sockets
REACHING = ("open", "os.", "socket.", "subprocess.", "_thread.", "signal.", "shutil.", "tempfile.")
LOADING = ("os.listdir", "os.scandir")  # the folders that modules are in


def refuse(event: str, arguments: tuple[object, ...]) -> None:
    """Refuse what reaches out of the process."""
    is_module = event == "open" and str(arguments[0]).endswith((".py", ".pyc", ".so", ".pyd"))
    if event.startswith(REACHING) and not is_module and event not in LOADING:
        raise RuntimeError(f"{event} {arguments}")


def audited() -> str:
    """Return the digest; no clock and no environment can be asked for it."""
    for module, names in ((os, ("environ", "getenv")), (time, ("time", "monotonic", "localtime"))):
        for name in names:
            delattr(module, name)
    sys.addaudithook(refuse)
    return digest()


def codec_of(question: dict[str, Any], codecs: dict[str, Any]) -> Any:
    """Return the codec with the settings of a question."""
    import odata_batch as ob
    from odata_batch.dialects import PRESETS

    settings = json.dumps([question.get(each) for each in ("limits", "dialect", "dialect_fields")])
    if settings not in codecs:
        limits, name, fields = json.loads(settings)
        fields = {k: frozenset(v) if type(v) is list else v for k, v in (fields or {}).items()}
        dialect = replace(PRESETS[name or "4.01"], **fields)
        codecs[settings] = ob.Codec(dialect, limits=ob.Limits(**(limits or {})))
    return codecs[settings]


def told(question: dict[str, Any], codec: Any) -> Iterator[object]:
    """Yield all that is said of a payload, and of what is made of it."""
    import odata_batch as ob

    role, content_type = question["kind"], question["content_type"]
    fields = {"headers": [tuple(pair) for pair in question["headers"]]}
    body = base64.b64decode(question["body"])
    yield getattr(codec, f"check_{role}")(body, content_type, **fields)
    try:
        decoder = getattr(codec, f"{role}_decoder")(content_type, **fields)
        for at in range(0, len(body), 7):
            decoder.receive_data(body[at : at + 7])
        decoder.receive_eof()
        yield (batch := decoder.result)
        yield getattr(codec, f"convert_{role}")(batch, source=batch.format, target="json")
        boundary = {"boundary": "b_-_b"} if batch.format == "multipart" else {}
        yield getattr(codec, f"encode_{role}")(batch, **boundary)
        if role == "request":
            yield codec.outcomes(batch, 200, {"Content-Type": "text/plain"}, body)
            yield codec.split(batch, max_operations=2)
            execution = codec.execution(batch, batch_url="http://host/$batch")
            while steps := execution.ready():
                for step in steps:
                    yield step
                    if isinstance(step, ob.Step):
                        execution.complete(step, ob.OperationResponse(204))
                    else:
                        execution.done(step)
            yield execution.response()
    except (ob.BatchError, ValueError) as error:
        yield error


def said(questions: list[dict[str, Any]], codecs: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what is said of each question, by its name."""
    return [(each["slug"], repr([*told(each, codec_of(each, codecs))])) for each in questions]


def digest(found: list[tuple[str, str]] | None = None) -> str:
    """Return the digest of what is said, in whatever order it was."""
    found = said(QUESTIONS, {}) if found is None else found
    return hashlib.sha256(ascii(sorted({*found})).encode()).hexdigest()


def deep(depth: int = 600) -> str:
    """Return the digest, called from far down the stack."""
    return deep(depth - 1) if depth else digest()


def threads() -> str:
    """Return the digest of what eight threads say that share codecs, and questions by pairs."""
    codecs: dict[str, Any] = {}
    shares = [QUESTIONS[n::8] + QUESTIONS[(n + 1) % 8 :: 8] for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda share: said(share, codecs), shares)
        return digest([each for share in found for each in share])


def isolated() -> str:
    """Return the digest of an interpreter beside this one."""
    name = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
    interpreters = __import__(name)
    reader, writer = os.pipe()
    source = f"import os, runpy; digest = runpy.run_path({__file__!r})['digest']\n"
    source += f"os.write({writer}, digest().encode())"
    failed = interpreters.run_string(interpreters.create(), source)
    if failed:
        raise RuntimeError(failed)
    return os.read(reader, 100).decode()


WAYS: dict[str, Callable[[], str]] = {
    "plain": digest,
    "audit": audited,
    "deep": deep,
    "reversed": lambda: digest(said(QUESTIONS[::-1], {})),
    "threads": threads,
    "isolated": isolated,
}


if __name__ == "__main__":
    with suppress(locale.Error):  # which is not installed everywhere
        locale.setlocale(locale.LC_ALL, "")
    print(WAYS[sys.argv[1]](), flush=True)
    # CPython 3.12.1 crashes at its end once another interpreter has imported hashlib.
    os._exit(0)
