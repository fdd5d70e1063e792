"""A service of people, made with Django, in one file; change sets are transactions.

Any WSGI server runs `make_app("people.db")`.
"""

import json

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.db import IntegrityError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from odata_batch.django import batch_view


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


urlpatterns = [path("service/$batch", batch_view()), path("service/People", people)]
urlpatterns += [path("service/People(<int:id>)", person)]


def make_app(database: str) -> WSGIHandler:
    options = {"transaction_mode": "IMMEDIATE", "timeout": 30}
    options["init_command"] = "PRAGMA journal_mode=WAL"  # readers and writers do not wait
    own = {"ENGINE": "django.db.backends.sqlite3", "NAME": database, "OPTIONS": options}
    hosts = ["127.0.0.1"]
    settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=hosts, DATABASES={"default": own})
    django.setup()
    return WSGIHandler()
