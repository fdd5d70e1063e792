"""Run an implementation over the value corpora: python3 values.py [--only WORD]... COMMAND ...

The command is asked a question a line, in JSON, and answers each with a line of JSON. A question is
a row of urls.json, matches.json, plans.json or conversions.json without what is expected of it,
with `do` in addition: the file and the list that it comes from, as in `urls.resolve`. What is
expected is `result`, `references`, `outcomes`, `pieces`, `rest`, `value` and `losses`, or `error`,
whatever it says. What the command cannot do it answers with `{}`. WORD is what is
to be done, or how that begins: `urls`.
"""

import json
import sys
from pathlib import Path

from ask import ask
from run import plain

CORPUS = Path(__file__).resolve().parent
FILES = ("urls", "matches", "plans", "conversions")
EXPECTED = ("result", "references", "outcomes", "pieces", "rest", "value", "losses", "error")


def questions():
    """Yield each question, its name and word, and the answer that is expected."""
    for name in FILES:
        for section, rows in json.loads((CORPUS / f"{name}.json").read_bytes()).items():
            do = f"{name}.{section}"
            for row in rows if isinstance(rows, list) else ():
                asked = {key: value for key, value in row.items() if key not in EXPECTED}
                expected = {key: row[key] for key in EXPECTED if key in row}
                yield {"do": do, **asked}, f"{do}, {row['about']}", [do], expected


def compared(value):
    """Return an answer without the sentences that people read."""
    if isinstance(value, list):
        return [compared(each) for each in value]
    if isinstance(value, dict):
        return {
            name: name == "error"
            or compared([loss[:2] for loss in each] if name == "losses" else each)
            for name, each in value.items()
            if name not in ("reason", "message")
        }
    return value


def agrees(answer, expected):
    return plain(compared(answer)) == plain(compared(expected))


if __name__ == "__main__":
    sys.exit(ask(questions(), agrees, __doc__))
