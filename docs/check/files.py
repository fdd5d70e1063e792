"""Write `files.json` for the page in a folder: its wheel, and how large what it fetches is.

The sizes are those of what is counted while the page loads.
"""

import json
import sys
from pathlib import Path

FETCHED = ("pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json")

folder = Path(sys.argv[1])
(wheel,) = folder.glob("*.whl")
paths = [*(folder / "pyodide" / name for name in FETCHED), wheel, folder / "page.py"]
sizes = {path.name: path.stat().st_size for path in paths}
text = json.dumps({"wheel": wheel.name, "files": sizes}, indent=2)
(folder / "files.json").write_text(f"{text}\n", encoding="utf-8")
