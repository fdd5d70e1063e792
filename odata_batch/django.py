"""A `$batch` endpoint for Django: a view, which works with WSGI, with ASGI and in tests.

    urlpatterns = [path("service/$batch", batch_view()), ...]

It needs Django, 5.2 or later.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import Any

from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from odata_batch.wsgi import BatchMiddleware

__all__ = ["batch_view", "change_set"]


@contextmanager
def change_set(using: str | None = None) -> Iterator[None]:
    """A transaction of a database around the operations of a change set.

    They may have transactions of their own. Where one has broken it and has still been answered
    with success, Django would roll back without a word; here that is an error.

    >>> view = batch_view(begin=lambda: change_set("people"))
    """
    with transaction.atomic(using):
        yield
        transaction.get_connection(using).validate_no_broken_transaction()


def batch_view(
    begin: Callable[[], Any] | None = change_set, **settings: Any
) -> Callable[[HttpRequest], HttpResponse]:
    """Return a view that answers batches at the path where it is.

    Each operation goes through Django's handler, middleware included, one after the other, in the
    thread of the view: as in Django's test client, no connection is closed in between. `settings`
    are those of `Endpoint`.

    >>> view = batch_view(continue_on_error=True)
    """
    endpoint = BatchMiddleware(_call, begin=begin, **settings)

    def batch(request: HttpRequest) -> HttpResponse:
        # What WSGI has, of a request that may have come by ASGI, which has a body of any length.
        environ = {**request.META, "wsgi.input": request, "wsgi.url_scheme": request.scheme}
        environ["PATH_INFO"] = request.path_info.encode().decode("latin-1")
        environ["wsgi.input_terminated"] = not isinstance(request, WSGIRequest)
        head: dict[str, Any] = {}

        def start_response(status: str, fields: list[tuple[str, str]], *_: object) -> Any:
            head.update(status=int(status[:3]), headers=dict(fields))

        answer = replace(endpoint, path=request.path_info)(environ, start_response)
        return HttpResponse(b"".join(answer), **head)

    # It is the operations that are protected, and are transactions with ATOMIC_REQUESTS.
    transaction.non_atomic_requests(batch)
    return csrf_exempt(batch)


@cache
def _handler() -> WSGIHandler:
    return WSGIHandler()


def _call(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    response = _handler().get_response(WSGIRequest(environ))
    start_response(f"{response.status_code} {response.reason_phrase}", [*response.items()])
    return list(response)
