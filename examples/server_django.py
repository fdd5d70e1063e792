"""A service of people, made with Django, in one file; change sets are transactions.

The batch is a view of its own, so that it works with WSGI, with ASGI and in tests: the operations
go through Django's handler, middleware included, one after the other, in the thread of the view.
Any WSGI server runs `make_app("people.db")`.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.db import IntegrityError, connection, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from odata_batch.wsgi import BatchMiddleware


@contextmanager
def change_set() -> Iterator[None]:
    """What the operations do is within it, be it in transactions of their own."""
    with transaction.atomic():
        yield
        if transaction.get_rollback():  # leaving it would roll back without a word
            raise RuntimeError("an operation has broken the transaction")


@cache
def middleware() -> BatchMiddleware:
    handler = WSGIHandler()

    def call(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        response = handler.get_response(WSGIRequest(environ))
        start_response(f"{response.status_code} {response.reason_phrase}", [*response.items()])
        return list(response)

    return BatchMiddleware(call, path="/service/$batch", begin=change_set)


@csrf_exempt  # it is the operations that the middleware protects
@transaction.non_atomic_requests  # and they that are transactions with ATOMIC_REQUESTS
def batch(request: HttpRequest) -> HttpResponse:
    # What WSGI has, of a request that may have come by ASGI, which has a body of any length.
    environ = {**request.META, "wsgi.input": request, "wsgi.url_scheme": request.scheme}
    environ["wsgi.input_terminated"] = not isinstance(request, WSGIRequest)
    head: dict[str, Any] = {}

    def start_response(status: str, fields: list[tuple[str, str]], *_: object) -> Any:
        head.update(status=int(status[:3]), headers=dict(fields))

    return HttpResponse(b"".join(middleware()(environ, start_response)), **head)


def people(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS people (id INTEGER PRIMARY KEY, name UNIQUE)")
        if request.method == "GET":
            cursor.execute("SELECT name FROM people ORDER BY id")
            return JsonResponse({"value": [{"Name": name} for (name,) in cursor]})
        try:
            cursor.execute("INSERT INTO people (name) VALUES (%s)", [json.load(request)["Name"]])
        except IntegrityError:
            return JsonResponse({"error": {"code": "409", "message": "taken"}}, status=409)
        return HttpResponse(status=201, headers={"Location": f"{request.path}({cursor.lastrowid})"})


def person(request: HttpRequest, id: int) -> HttpResponse:
    with connection.cursor() as cursor:
        if request.method == "DELETE":
            cursor.execute("DELETE FROM people WHERE id = %s", [id])
        return HttpResponse(status=204 if cursor.rowcount == 1 else 404)


urlpatterns = [path("service/$batch", batch), path("service/People", people)]
urlpatterns += [path("service/People(<int:id>)", person)]


def make_app(database: str) -> WSGIHandler:
    options = {"transaction_mode": "IMMEDIATE", "timeout": 30}
    options["init_command"] = "PRAGMA journal_mode=WAL"  # readers and writers do not wait
    own = {"ENGINE": "django.db.backends.sqlite3", "NAME": database, "OPTIONS": options}
    hosts = ["127.0.0.1"]
    settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=hosts, DATABASES={"default": own})
    django.setup()
    return WSGIHandler()
