"""A service of people in memory, with nothing but the standard library and `odata_batch`.

Start it with `python -m examples.people`, and post batches to http://127.0.0.1:8000/service/$batch.
"""

import json
import re
from http import HTTPStatus
from wsgiref.simple_server import make_server
from wsgiref.types import StartResponse, WSGIEnvironment

from odata_batch.wsgi import BatchMiddleware

PERSON = re.compile(r"/service/People\(([0-9]+)\)(/Friends)?")
Answer = tuple[int, object, list[tuple[str, str]]]


class People:
    """The WSGI app. It serves one request after the other, so one copy is all that rolls back."""

    def __init__(self) -> None:
        self._people: dict[int, dict[str, object]] = {}
        self._before: dict[int, dict[str, object]] = {}

    def begin(self) -> "People":
        self._before = dict(self._people)
        return self

    def commit(self) -> None:
        self._before = {}

    def rollback(self) -> None:
        self._people = self._before

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        status, content, fields = self._serve(environ["REQUEST_METHOD"], environ["PATH_INFO"], body)
        fields = [("Content-Type", "application/json"), *fields]
        start(f"{status} {HTTPStatus(status).phrase}", fields)
        return [json.dumps(content).encode()]

    def _serve(self, method: str, path: str, body: bytes) -> Answer:
        if path == "/service/People":
            if method == "POST":
                return self._create(json.loads(body), None)
            return 200, {"value": list(self._people.values())}, []
        found = PERSON.fullmatch(path)
        person = self._people.get(int(found[1])) if found else None
        if found is None or person is None:
            return 404, {"error": {"code": "404", "message": "there is nobody"}}, []
        if found[2]:
            return self._create(json.loads(body), int(found[1]))
        return 200, person, []

    def _create(self, person: dict[str, object], friend_of: int | None) -> Answer:
        if not person.get("Name"):
            return 400, {"error": {"code": "400", "message": "a person has a name"}}, []
        key = len(self._people) + 1
        self._people[key] = {"ID": key, **person, "FriendOf": friend_of}
        return 201, self._people[key], [("Location", f"/service/People({key})")]


def make_app() -> BatchMiddleware:
    people = People()
    return BatchMiddleware(people, path="/service/$batch", begin=people.begin)


if __name__ == "__main__":
    with make_server("127.0.0.1", 8000, make_app()) as server:
        print("http://127.0.0.1:8000/service/People")
        server.serve_forever()
