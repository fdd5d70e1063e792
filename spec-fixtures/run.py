"""Run an implementation over the corpus: python3 run.py [--only WORD]... COMMAND [ARGUMENT]...

The command is asked a question a line, in JSON, and answers each with a line of JSON:

    {"do": "decode", "strict": false, "slug": "...", "kind": "...", "format": "...",
     "content_type": "...", "headers": [["...", "..."]], "body": "(base64)", "limits": {}, ...}

- To `decode` it answers {"value": ...} or {"error": {"rule": ..., "position": ...}}, or the verdict
  alone: {"verdict": "accept"} or {"verdict": "reject"}.
- To `check` it answers {"diagnostics": [{"rule": ..., "position": ...}, ...], "omitted": 0}.
- What it cannot do it answers with {}.

Without a rule or a position, these are not compared; of a body the octets are, however they are
written. In `request`, a question has the request that its response answers.

WORD is one of decode, check, request, response, multipart, json, a dialect (4.01 where a case has
none), a tag, or the beginning of a slug. With several, all of them have to fit.
"""

import base64
import hashlib
import json
import sys
from pathlib import Path

from ask import ask

CORPUS = Path(__file__).resolve().parent


def message(case):
    pieces = [[p["text"], n] for p in case.get("generator", ()) for n in range(p.get("count", 1))]
    made = "".join(text.replace("{n}", str(number)) for text, number in pieces).encode()
    data = (CORPUS / case["file"]).read_bytes() if "file" in case else made
    head, _, body = data.partition(b"\r\n\r\n")
    lines = [line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:]]
    headers = [[name, value.strip(" \t")] for name, _, value in lines]
    types = [value for name, value in headers if name.lower() == "content-type"]
    if "content_type" in case:
        types = [case["content_type"]]
        headers = [pair for pair in headers if pair[0].lower() != "content-type"]
    members = ("slug", "kind", "format", "limits", "dialect", "dialect_fields", "url")
    known = {name: case[name] for name in members if name in case}
    body = base64.b64encode(body).decode()
    return {**known, "content_type": types[0], "headers": headers, "body": body}


def questions(cases):
    """Yield each question, its name and words, and what is expected."""
    by_slug = {case["slug"]: case for case in cases}
    for case in cases:
        said, asked = case["expectation"], message(case)
        if "request" in case:
            asked["request"] = message(by_slug[case["request"]])
        words = [case["kind"], case["format"], case.get("dialect", "4.01"), *case["tags"]]
        for mode, severe in (("default", ["error"]), ("strict", ["error", "warning"])):
            question = {"do": "decode", "strict": mode == "strict", **asked}
            errors = [each for each in said["diagnostics"] if each["severity"] in severe]
            expected = {"errors": errors} if said[mode] == "reject" else {"value": said["value"]}
            yield question, f"{case['slug']} (decode, {mode})", [*words, "decode"], expected
        expected = {"omitted": said.get("omitted", 0), "diagnostics": said["diagnostics"]}
        yield {"do": "check", **asked}, f"{case['slug']} (check)", [*words, "check"], expected


def plain(value):
    """Return a value with digests in place of bodies, and without members that are empty."""
    if isinstance(value, dict) and list(value) in (["text"], ["base64"]):
        text = value.get("text", "").encode("utf-8", "surrogatepass")
        octets = text or base64.b64decode(value.get("base64", ""))
        return {"length": len(octets), "sha256": hashlib.sha256(octets).hexdigest()}
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items() if each not in (None, [])}
    return list(map(plain, value)) if isinstance(value, list) else value


def agrees(answer, expected):
    if "diagnostics" in expected and "diagnostics" in answer:
        found, said = answer["diagnostics"], expected["diagnostics"]
        told = [name for name in ("rule", "position") if all(name in each for each in found)]
        pairs = [sorted(str([each[n] for n in told]) for each in rows) for rows in (found, said)]
        return pairs[0] == pairs[1] and answer.get("omitted", 0) == expected.get("omitted", 0)
    if "verdict" in answer and "diagnostics" not in expected:
        return answer["verdict"] == ("reject" if "errors" in expected else "accept")
    if "errors" not in expected or "error" not in answer:
        return plain(answer) == plain(expected)
    told = [name for name in ("rule", "position") if name in answer["error"]]
    return any(all(answer["error"][n] == each[n] for n in told) for each in expected["errors"])


if __name__ == "__main__":
    manifest = json.loads((CORPUS / "manifest.json").read_bytes())
    sys.exit(ask(questions(manifest["cases"]), agrees, __doc__))
