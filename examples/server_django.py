"""A `$batch` endpoint as a view of Django, in a service of people that is one file.

The operations go through Django's own handler, middleware included, one after the other. A change
set is a transaction of the default database. Any WSGI server runs `make_app("people.db")`.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.db import IntegrityError, connection, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from examples.server_calls import response_of
from examples.server_endpoint import Endpoint
from examples.server_wsgi import answer_batch
from odata_batch import OperationResponse


class Transaction:
    """What the operations do is within it, be it in transactions of their own."""

    def __init__(self) -> None:
        self._atomic = transaction.atomic()
        self._atomic.__enter__()

    def commit(self) -> None:
        self._atomic.__exit__(None, None, None)

    def rollback(self) -> None:
        transaction.set_rollback(True)
        self._atomic.__exit__(None, None, None)


@dataclass(frozen=True)
class BatchView(Endpoint):
    csrf_exempt = True  # it is the operations that the middleware protects
    # With ATOMIC_REQUESTS, too, each of them is a transaction, and not the batch.
    _non_atomic_requests = frozenset(("default",))

    @cached_property
    def _handler(self) -> Any:
        return WSGIHandler()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # What WSGI has, of a request that may have come by ASGI or from a test
        environ = {**request.META, "wsgi.input": request, "wsgi.url_scheme": request.scheme}
        answer = answer_batch(self, environ, self._call, Transaction)
        return HttpResponse(answer.body, status=answer.status, headers=dict(answer.headers))

    def _call(self, environ: dict[str, Any]) -> OperationResponse:
        response = self._handler.get_response(WSGIRequest(environ))
        return response_of(response.status_code, response.items(), b"".join(response))


def people(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS people (id INTEGER PRIMARY KEY, name UNIQUE)")
        if request.method == "GET":
            cursor.execute("SELECT name FROM people ORDER BY id")
            return JsonResponse({"value": [name for (name,) in cursor]})
        try:
            cursor.execute("INSERT INTO people (name) VALUES (%s)", [json.load(request)["Name"]])
        except IntegrityError:
            return JsonResponse({"error": {"code": "409", "message": "taken"}}, status=409)
        return HttpResponse(status=201, headers={"Location": f"{request.path}({cursor.lastrowid})"})


urlpatterns = [path("service/$batch", BatchView()), path("service/People", people)]


def make_app(database: str) -> WSGIHandler:
    databases = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": database}}
    settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1"], DATABASES=databases)
    django.setup()
    return WSGIHandler()
