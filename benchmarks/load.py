"""Press the server examples, each in a process of its own, and cut connections in the middle.

    python -m benchmarks.load                                # all
    python -m benchmarks.load --batches=200 flask django     # some of them

A batch has 20 operations: a change set that is committed, one that is rolled back, and reads. Each
is sent on loopback, `--at-once` of them at a time, and each answer is compared with what has to
come. Then as many change sets are sent whose connections are cut, some before the body has ended
and some later: the database may hold each as a whole or not at all. The columns are the seconds and
the batches a second; the memory of the server when a tenth was done and at the end; its open files
and threads before and after; and how many of the change sets that were cut have been committed.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from odata_batch import BatchRequest, ChangeSet, Operation, decode_response, encode_request
from tests.servers import SERVERS, make_app

PEOPLE = "/service/People"
BATCH = "/service/$batch"
PATIENCE = 60.0


def create(name: str, id: str | None = None) -> Operation:
    return Operation.post("People", json={"Name": name}, id=id)


def batch_of(number: int) -> BatchRequest:
    """Twenty operations; of every fiftieth two people stay, of the others nobody."""
    first, second = create(f"P{number}", "1"), create(f"Q{number}", "2")
    last = Operation.delete(second.ref(), id="4") if number % 50 else create(f"R{number}", "4")
    good = ChangeSet([first, second, Operation.delete(first.ref(), id="3"), last], id="good")
    names = [*(f"X{number}-{each}" for each in range(7)), "Ann"]
    bad = ChangeSet([create(name, f"b{each}") for each, name in enumerate(names)], id="bad")
    reads = [Operation.get("People")] * 8
    return BatchRequest([good, bad, *reads], continue_on_error=True)


def kept(numbers: range) -> list[str]:
    """Who is there in the end."""
    return sorted(["Ann", *(f"{it}{each}" for each in numbers if each % 50 == 0 for it in "QR")])


async def press(
    origin: str, numbers: range, at_once: int, done: Callable[[int], None] = lambda _: None
) -> list[str]:
    """Send batches, in both formats, and return what is wrong with the answers."""
    wrong, left, finished = [], iter(numbers), 0

    async def work(client: httpx.AsyncClient) -> None:
        nonlocal finished
        for number in left:
            payload = encode_request(batch_of(number), format="json" if number % 2 else "multipart")
            headers = dict(payload.headers)
            try:
                answer = await client.post(BATCH, content=payload.body, headers=headers)
            except httpx.HTTPError as error:
                answer = httpx.Response(502, text=repr(error))
            if answer.status_code != 200:
                wrong.append(f"{number}: {answer.status_code} {answer.text:.200}")
            else:
                response = decode_response(answer.content, answer.headers["content-type"])
                found = Counter(each.status for each in response.responses())
                good = {201: 2, 204: 2} if number % 50 else {201: 3, 204: 1}
                bad = {409: 1, 424: 7} if number % 2 else {409: 1}
                if found != Counter({200: 8, **good, **bad}):
                    wrong.append(f"{number}: {found}")
            finished += 1
            done(finished)

    limits = httpx.Limits(max_connections=at_once)
    async with httpx.AsyncClient(base_url=origin, timeout=PATIENCE, limits=limits) as client:
        await client.post(PEOPLE, json={"Name": "Ann"})
        await asyncio.gather(*(work(client) for _ in range(at_once)))
        found = await people(client)
        if found != kept(numbers):
            wrong.append(f"there are {len(found)} people, not {len(kept(numbers))}")
    return wrong


async def people(client: httpx.AsyncClient) -> list[str]:
    return sorted(each["Name"] for each in (await client.get(PEOPLE)).json()["value"])


async def cut(origin: str, count: int, at_once: int, seed: int = 1) -> tuple[int, list[str]]:
    """Cut connections, and return how many change sets are there, and what is wrong."""
    choices, url, size = random.Random(seed), urlsplit(origin), 12

    def message(name: str) -> bytes:
        change_set = ChangeSet([create(f"{name}-{each}", f"{each}") for each in range(size)])
        payload = encode_request(BatchRequest([change_set]))
        fields = [*payload.headers.pairs, ("Host", "h"), ("Content-Length", f"{len(payload.body)}")]
        head = "".join(f"{name}: {value}\r\n" for name, value in fields)
        return f"POST {BATCH} HTTP/1.1\r\n{head}\r\n".encode() + payload.body

    async def ask(name: str, longest: float) -> None:
        octets = message(name)
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
        is_whole = longest == 0 or choices.random() < 0.8
        writer.write(octets if is_whole else octets[: choices.randrange(len(octets))])
        if longest == 0:
            await reader.readuntil(b"201")
        else:
            await asyncio.sleep(choices.uniform(0, longest))
        if choices.random() < 0.5:  # a reset, not an orderly end
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    async with httpx.AsyncClient(base_url=origin, timeout=PATIENCE) as client:
        start = time.perf_counter()
        await ask("first", 0)
        longest = at_once * (time.perf_counter() - start)
        for first in range(0, count, at_once):
            names = [f"C{each}" for each in range(first, min(first + at_once, count))]
            await asyncio.gather(*(ask(name, longest) for name in names))
        last, found = None, await people(client)
        while found != last:  # what was asked last may still be at work
            await asyncio.sleep(0.3)
            last, found = found, await people(client)
        await ask("last", 0)
        found = await people(client)
        counts = Counter(name.partition("-")[0] for name in found if name[0] in "Cfl")
        wrong = [f"{name}: {each} of {size}" for name, each in counts.items() if each != size]
        if not counts.keys() >= {"first", "last"}:
            wrong.append("what was not cut is not there")
        return len(counts) - 2, wrong


# -- the servers -----------------------------------------------------------------------------------


def figures_of(process: int) -> tuple[int, int, int]:
    """Return the resident octets, the open files and the threads of a process (Linux)."""
    home = Path(f"/proc/{process}")
    pages = int((home / "statm").read_text().split()[1])
    return pages * 4096, len(list((home / "fd").iterdir())), len(list((home / "task").iterdir()))


@contextmanager
def served(name: str, database: str) -> Iterator[tuple[str, int]]:
    """Serve an example in a process of its own; yield its origin and the process."""
    command = [sys.executable, "-m", "benchmarks.load", "--serve", name, database]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin is not None and server.stdout is not None
        with server.stdin:  # its end is the end of the server
            yield server.stdout.readline().decode().strip(), server.pid


def measure(name: str, batches: int, at_once: int) -> list[str]:
    """Serve an example, press it, print a row, and return what is wrong."""
    memory: dict[int, int] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        served(name, f"{folder}/people.db") as (origin, process),
    ):

        def done(count: int) -> None:
            if count in (batches // 10, batches // 2, batches):
                memory[count] = figures_of(process)[0]

        asyncio.run(press(origin, range(1, 50), at_once))  # to warm up
        _, files, threads = figures_of(process)
        start = time.perf_counter()
        wrong = asyncio.run(press(origin, range(batches), at_once, done))
        taken = time.perf_counter() - start
        committed, halves = asyncio.run(cut(origin, batches // 10, at_once))
        time.sleep(1)
        _, files_after, threads_after = figures_of(process)
    early, middle, late = memory.values()
    print(
        f"{name:12} {taken:6.1f} s {batches / taken:6.1f}/s {len(wrong + halves):4} errors "
        f"{early / 2**20:6.1f} {middle / 2**20:6.1f} {late / 2**20:6.1f} MiB "
        f"files {files:3} {files_after:3}, threads {threads:3} {threads_after:3}, "
        f"{committed} of {batches // 10} committed",
        flush=True,
    )
    return [*wrong, *halves]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SERVERS))
    parser.add_argument("--batches", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=50)
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        name, database = arguments.serve
        with SERVERS[name][0](make_app(name, database)) as origin:
            print(origin, flush=True)
            sys.stdin.read()
        return
    wrong = []
    for name in arguments.names or SERVERS:
        found = measure(name, arguments.batches, arguments.at_once)
        print(*(f"    {each}" for each in found[:9]), sep="\n", end="\n" if found else "")
        wrong += found
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
