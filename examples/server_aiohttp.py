"""A service of people in memory, made with aiohttp's server, which is neither ASGI nor WSGI.

What the service does is one function, which serves single requests and the operations of batches;
`Serving` is all that a framework needs. Run it with `python -m aiohttp.web
examples.server_aiohttp:make_app`.
"""

import json

from aiohttp import web

from odata_batch import Endpoint, OperationResponse, Serving, Step


class People:
    """Who is there. Nothing here is awaited in the middle of a change set."""

    def __init__(self) -> None:
        self._people: dict[int, str] = {}
        self._before: dict[int, str] = {}
        self._last = 0

    def begin(self) -> "People":
        self._before = dict(self._people)
        return self

    def commit(self) -> None:
        self._before = {}

    def rollback(self) -> None:
        self._people = self._before

    def serve(self, method: str, path: str, body: bytes) -> OperationResponse:
        fields = {"Content-Type": "application/json"}
        if path != "/service/People":
            key = int(path[16:-1]) if path.startswith("/service/People(") else 0
            found = method == "DELETE" and self._people.pop(key, "")
            return OperationResponse(204 if found else 404)
        if method == "GET":
            people = [{"ID": id, "Name": name} for id, name in self._people.items()]
            return OperationResponse(200, fields, json.dumps({"value": people}).encode())
        name = json.loads(body)["Name"]
        if name in self._people.values():
            return OperationResponse(409, fields, b'{"error":{"code":"409","message":"taken"}}')
        self._last += 1
        self._people[self._last] = name
        return OperationResponse(201, {"Location": f"{path}({self._last})"})


def answer_of(response: OperationResponse) -> web.Response:
    return web.Response(status=response.status, headers=response.headers, body=response.body)


def make_app() -> web.Application:
    people = People()
    endpoint = Endpoint(path="/service/$batch", begin=people.begin, ordered=True)

    async def single(request: web.Request) -> web.Response:
        return answer_of(people.serve(request.method, request.path, await request.read()))

    async def batch(request: web.Request) -> web.Response:
        url = f"{request.scheme}://{request.host}{request.raw_path}"
        serving = Serving(endpoint, request.method, url, list(request.headers.items()))
        while serving.wants_data:
            data = await request.content.read(64 * 1024)
            serving.receive_data(data, more=bool(data))

        def call(step: Step, transaction: object) -> OperationResponse:
            return people.serve(step.method, serving.request_of(step)[0], step.body)

        serving.run(call)
        assert serving.answer is not None  # since all has been done
        return answer_of(serving.answer)

    app = web.Application()
    app.router.add_route("*", endpoint.path, batch)
    app.router.add_route("*", "/service/{rest:.*}", single)
    return app
