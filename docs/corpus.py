"""Make an archive of spec-fixtures, the same octets each time: docs/corpus.py DIRECTORY."""

from __future__ import annotations

import gzip
import json
import sys
import tarfile
from pathlib import Path

CORPUS = Path(__file__).resolve().parent.parent / "spec-fixtures"


def archive(directory: Path) -> Path:
    """Write the archive into a directory and return its path.

    Nothing in it depends on when, where and by whom it was made.
    """
    version = json.loads((CORPUS / "package.json").read_bytes())["version"]
    name = f"odata-batch-corpus-{version}"
    path = directory / f"{name}.tar.gz"
    directory.mkdir(parents=True, exist_ok=True)
    with (
        path.open("wb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for each in sorted(CORPUS.rglob("*")):
            if each.is_file() and "__pycache__" not in each.parts:
                entry = tarfile.TarInfo(f"{name}/{each.relative_to(CORPUS).as_posix()}")
                entry.size = each.stat().st_size
                with each.open("rb") as source:
                    tar.addfile(entry, source)
    return path


if __name__ == "__main__":
    print(archive(Path(sys.argv[1])))
