"""Ask a command about a corpus, and count what it answers, for run.py and values.py."""

import json
import subprocess
import sys
from collections import Counter


def ask(asked, agrees, usage):
    """Ask the command of the arguments, print what is wrong, and return the exit status.

    `asked` are questions, each with its name, the words that select it, and what is expected.
    The status is 1 if an answer is wrong, or if nothing is answered.
    """
    command, only = sys.argv[1:], []
    while command[:1] == ["--only"]:
        only, command = [*only, *command[1:2]], command[2:]
    if not command or command[0].startswith("-"):
        sys.exit(usage)
    asked = [e for e in asked if all(word in e[2] or e[1].startswith(word) for word in only)]
    lines = "".join(json.dumps(each[0]) + "\n" for each in asked)
    try:
        done = subprocess.run(command, input=lines.encode(), stdout=subprocess.PIPE)
        answers = list(map(json.loads, done.stdout.splitlines()))
    except (OSError, ValueError) as error:
        sys.exit(f"{command[0]} cannot be asked, or its answer is no JSON: {error}")
    if done.returncode or len(answers) != len(asked):
        sys.exit(f"{len(asked)} questions, {len(answers)} answers, status {done.returncode}")
    totals = Counter()
    for index, (_, name, words, expected) in enumerate(asked):
        answer = answers[index]
        how = "left" if not answer else "right" if agrees(answer, expected) else "wrong"
        totals.update([("", how), (" ".join(words[:2]) + ": ", how)])
        if how == "wrong":
            print(f"{name}: expected {expected}, found {answer}")
    for group in sorted({"", *(group for group, _ in totals)}, reverse=True):
        right, wrong, left = (totals[group, how] for how in ("right", "wrong", "left"))
        print(f"{group}{right} as expected, {wrong} not, {left} without an answer")
    return 0 if totals["", "right"] and not totals["", "wrong"] else 1
