"""What the command line prints and writes about files of the corpus, as it was recorded.

`RECORD=1 python -m pytest tests/test_recorded.py` records it anew; read the difference.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from odata_batch.__main__ import main

ROOT = Path(__file__).resolve().parent
CORPUS = ROOT.parent / "spec-fixtures"
CAPTURES = [
    f"captures/{name}"
    for name in sorted(os.listdir(CORPUS / "captures"))
    if not name.endswith(".json")
]
BATCHES = [
    f"valid/{name}.http"
    for name in """
    adversarial-A01-line-feeds adversarial-B03-folded adversarial-C16-url-not-ascii
    adversarial-D16-empty-change-set adversarial-G01-byte-order-mark body-all-octets
    dialect-odata-2 failed-change-set json-annotations json-body-binary json-depends-on-chain
    json-if json-partial-result json-two-groups pair-request preference-applied
    standard-async-final standard-json-groups standard-multipart-request standard-response
    truncated-in-change-set wrapped-json
    """.split()
]
CAP = "captured/cap-changeset-failing-multiple-errors-details-"
PAIRS = [
    *(
        ["valid/pair-request.http", f"valid/pair-{each}.http"]
        for each in """
    response response-accepted response-change-set-failed response-json response-stopped
    """.split()
    ),
    *(
        [f"{CAP}{first}.http", f"{CAP}{second}.http"]
        for first, second in (
            ("request", "response"),
            ("response", "request"),
            ("request", "request"),
        )
    ),
    ["invalid/truncated.http", "captures/capture-not-a-batch.http"],
    ["captured/cap-json-malformed-request.http", "captures/capture-accepted.http"],
]
COMMANDS = {
    "check-text": [["check", "--format", "text", *CAPTURES]],
    "check-concise": [["check", "--format", "concise", "--strict", *CAPTURES, *BATCHES]],
    "check-github": [["check", "--format", "github", *CAPTURES]],
    "check-json": [["check", "--format", "json", "--dialect", "graph", *CAPTURES]],
    "check-sarif": [["check", "--format", "sarif", *CAPTURES]],
    "show": [["show", each] for each in (*CAPTURES, *BATCHES)],
    "show-all": [["show", "--headers", "--bodies", "--dialect", "2", each] for each in BATCHES],
    "show-resolved": [
        ["show", "--url", "https://example.org/service/$batch", f"valid/{each}.http"]
        for each in """
        json-depends-on-chain json-two-groups pair-request standard-absolute-uri standard-etag
        standard-new-entity standard-value url-forms
        """.split()
    ],
    "outcomes": [["outcomes", *each] for each in PAIRS]
    + [["outcomes", each] for each in CAPTURES if each.endswith((".har", ".saz"))],
    "rules": [
        ["rules", each]
        for each in """
        no-parts no-delimiter method-tunnel json-duplicate no_delimiter no-part qqqq
        """.split()
    ],
    "outcomes-json": [["outcomes", "--format", "json", *PAIRS[2], "captures/exchange.har"]],
    "convert-json": [["convert", "--to", "json", each] for each in (*CAPTURES, *BATCHES)],
    "convert-multipart": [
        ["convert", "--to", "multipart", "--boundary", "batch_1", each] for each in BATCHES
    ],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_command_line_does_what_was_recorded(
    name: str, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.chdir(CORPUS)
    monkeypatch.setattr("importlib.metadata.version", lambda distribution: "9.8.7")
    found = b""
    for command in COMMANDS[name]:
        status = main(command)
        output, errors = capfdbinary.readouterr()
        arguments = " ".join(each for each in command if each not in CAPTURES or len(command) < 9)
        found += f"$ odata-batch {arguments}\n".encode() + output + errors
        found += f"(exit status {status})\n".encode()
    # Escaped as far as needed, so that the record is a text.
    text = found.decode("utf-8", "backslashreplace").replace("\r\n", "␍␊\n")
    text = "".join(
        each if each.isprintable() or each == "\n" else each.encode("unicode_escape").decode()
        for each in text
    )
    record = ROOT / "recorded" / f"{name}.txt"
    if os.environ.get("RECORD"):
        record.write_text(text, encoding="utf-8", newline="\n")
    assert text == record.read_text(encoding="utf-8")
