"""Run an implementation over the readings: python3 readings.py [--only WORD]... COMMAND ...

The command is asked what run.py asks: to `check` each row, and to `decode` those without an error,
not strictly. Paths are not compared. WORD is one of decode, check, request, response, multipart,
json, or the beginning of the sentence about a row.
"""

import base64
import json
import sys

from ask import ask
from run import CORPUS, agrees


def questions(rows, rules):
    """Yield each question, its name and words, and what is expected."""
    for row in rows:
        content_type = row.get("content_type", "multipart/mixed; boundary=b")
        form = "json" if "json" in content_type else "multipart"
        words = [row.get("kind", "request"), form]
        asked = {
            "slug": row["about"],
            "kind": words[0],
            "format": form,
            "content_type": content_type,
            "headers": [["Content-Type", content_type]],
            "body": base64.b64encode(row["octets"].encode("latin-1")).decode(),
            "limits": row.get("limits", {}),
        }
        found = row["diagnostics"]
        severities = [each.get("severity", rules[each["rule"]]["severity"]) for each in found]
        if "error" not in severities:
            expected = {"value": row["value"]}
            yield (
                {"do": "decode", "strict": False, **asked},
                row["about"],
                [*words, "decode"],
                expected,
            )
        yield {"do": "check", **asked}, row["about"], [*words, "check"], {"diagnostics": found}


if __name__ == "__main__":
    rows = json.loads((CORPUS / "readings.json").read_bytes())["readings"]
    rules = json.loads((CORPUS / "manifest.json").read_bytes())["rules"]
    sys.exit(ask(questions(rows, rules), agrees, __doc__))
