"""What the library does not depend on, and does not touch: one digest of all results everywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

SCRIPT = str(Path(__file__).resolve().parent / "ambient.py")


@cache
def digest(way: str, *options: str, **environment: str) -> str:
    """Return what the script prints in an interpreter with these options and variables."""
    run = subprocess.run(
        [sys.executable, *options, SCRIPT, way],
        env={**os.environ, "PYTHONHASHSEED": "0", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.parametrize(
    ("way", "options", "environment"),
    [
        ("audit", ["-B"], {"LC_ALL": "C", "TZ": "UTC"}),
        ("reversed", ["-OO"], {"LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "1"}),
        ("deep", ["-O"], {"TZ": "Pacific/Kiritimati", "PYTHONHASHSEED": "2"}),
        ("threads", [], {"PYTHONUTF8": "0", "LC_ALL": "de_DE.ISO-8859-1"}),
        pytest.param(
            *("isolated", [], {}),
            marks=pytest.mark.skipif(sys.version_info < (3, 12), reason="from 3.12 on"),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_results_depend_on_nothing_around_them(
    way: str, options: list[str], environment: dict[str, str]
) -> None:
    """With `audit`, nothing is opened, started or asked: no file, process, clock or variable."""
    assert digest(way, *options, **environment) == digest("plain") != ""
