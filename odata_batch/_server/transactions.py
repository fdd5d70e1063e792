"""What `begin` of an endpoint may give: a transaction, or what has to be entered or awaited."""

from collections.abc import Callable
from typing import Any


class Entered:
    """A transaction that is a context manager, which is left once, with an error to roll back."""

    def __init__(self, value: object, leave: Callable[..., Any]) -> None:
        self.value, self._leave = value, leave

    def commit(self) -> Any:
        return self._left(None, None, None)

    def rollback(self) -> Any:
        error = RuntimeError("the change set has failed")
        return self._left(type(error), error, None)

    def _left(self, *how: object) -> Any:
        leave, self._leave = self._leave, lambda *_: None
        return leave(*how)


def begun(given: Any) -> Any:
    """Return the transaction that `begin` gave, or what is to be awaited for it."""
    if hasattr(given, "commit"):
        return given
    if hasattr(given, "__enter__"):
        return Entered(given.__enter__(), given.__exit__)
    if hasattr(given, "__aenter__"):
        return _entered(given)
    return _awaited(given) if hasattr(given, "__await__") else given


async def _awaited(given: Any) -> Any:
    value = begun(await given)
    return await value if hasattr(value, "__await__") and not hasattr(value, "commit") else value


async def _entered(manager: Any) -> Entered:
    return Entered(await manager.__aenter__(), manager.__aexit__)
