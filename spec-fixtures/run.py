"""Run an implementation over the corpus: python run.py COMMAND [ARGUMENT...]

The command is asked a question a line, in JSON, and answers each with a line of JSON:

    {"do": "decode", "strict": false, "slug": "...", "kind": "...", "format": "...",
     "content_type": "...", "headers": [["...", "..."]], "body": "(base64)", "limits": {}, ...}

To `decode` it answers `{"value": ...}`, or `{"error": {"rule": ..., "position": ...}}`; without
`rule` only the verdict is compared. To `check` it answers `{"diagnostics": [...], "omitted": 0}`.
In `request`, a question has the request that its response answers. What the command cannot do it
answers with `{}`. The README says what the members mean.
"""

import base64
import json
import subprocess
import sys
from pathlib import Path

CORPUS = Path(__file__).resolve().parent


def octets(case):
    if "file" in case:
        return (CORPUS / case["file"]).read_bytes()
    return "".join(
        piece["text"].replace("{n}", str(number))
        for piece in case["generator"]
        for number in range(piece.get("count", 1))
    ).encode()


def message(case):
    head, _, body = octets(case).partition(b"\r\n\r\n")
    lines = [line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:]]
    headers = [[name, value.strip(" \t")] for name, _, value in lines]
    types = [value for name, value in headers if name.lower() == "content-type"]
    if "content_type" in case:
        types = [case["content_type"]]
        headers = [pair for pair in headers if pair[0].lower() != "content-type"]
    members = ("slug", "kind", "format", "limits", "dialect", "dialect_fields", "url")
    return {
        **{name: case[name] for name in members if name in case},
        "content_type": types[0],
        "headers": headers,
        "body": base64.b64encode(body).decode(),
    }


def questions(cases):
    """Yield the questions about the cases, each with the answer that is expected."""
    by_slug = {case["slug"]: case for case in cases}
    for case in cases:
        said, asked = case["expectation"], message(case)
        if "request" in case:
            asked["request"] = message(by_slug[case["request"]])
        for strict, error in ((False, "error"), (True, "strict_error")):
            expected = {"error": said[error]} if error in said else {"value": said["value"]}
            yield {"do": "decode", "strict": strict, **asked}, expected
        names = ("rule", "position")
        found = [{name: each[name] for name in names} for each in said["diagnostics"]]
        expected = {"diagnostics": found, "omitted": said.get("omitted", 0)}
        yield {"do": "check", **asked}, expected


def agrees(answer, expected):
    if "error" in answer and "error" in expected and "rule" not in answer["error"]:
        return True
    return answer == expected


def ask(asked, agrees, name):
    """Ask the command of the arguments, print what it gets wrong, and return the exit status.

    `asked` are questions with the answers that are expected, and `name` says what a question is.
    """
    lines = "".join(json.dumps(question) + "\n" for question, _ in asked)
    done = subprocess.run(sys.argv[1:], input=lines.encode(), stdout=subprocess.PIPE, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    if len(answers) != len(asked):
        sys.exit(f"{len(asked)} questions, {len(answers)} answers")
    wrong = 0
    for (question, expected), answer in zip(asked, answers, strict=True):
        if answer and not agrees(answer, expected):
            wrong += 1
            print(f"{name(question)}: expected {expected}, found {answer}")
    left = answers.count({})
    print(f"{len(asked) - left - wrong} as expected, {wrong} not, {left} without an answer")
    return 1 if wrong else 0


def name(question):
    how = question["do"] + (", strict" if question.get("strict") else "")
    return f"{question['slug']} ({how})"


if __name__ == "__main__":
    manifest = json.loads((CORPUS / "manifest.json").read_bytes())
    sys.exit(ask(list(questions(manifest["cases"])), agrees, name))
