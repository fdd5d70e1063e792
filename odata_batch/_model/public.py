"""What public names have in common: the module of classes, and the arguments that are refused."""

from collections.abc import Iterable
from typing import TypeVar

_Class = TypeVar("_Class", bound=type)
_Value = TypeVar("_Value")


def public(cls: _Class) -> _Class:
    """Make `odata_batch` the module of a class, as users import it and as `pickle` finds it.

    It is the outermost decorator. Modules that use it do without `from __future__ import
    annotations`: annotations that are strings would be looked up in `odata_batch`.
    """
    cls.__module__ = "odata_batch"
    return cls


def of_type(value: _Value, kind: type, name: str, also: str = "") -> _Value:
    """Return the argument `name`, or raise `TypeError` that says what it is; a bool is no int.

    >>> of_type(True, int, "status")
    Traceback (most recent call last):
    TypeError: status is an int, not bool: True
    """
    if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    article = "" if kind is bytes else "an " if kind.__name__[0] in "AEIOUi" else "a "
    found = f"{type(value).__name__}: {value!r:.60}"
    if kind is bytes and isinstance(value, str):
        mend = "`.encode()` it, or give an operation `json=`"
        found += f"; {mend if name == 'body' else 'give the octets as they were read'}"
    raise TypeError(f"{name} is {article}{kind.__name__}{also}, not {found}")


def optional(value: _Value, kind: type, name: str) -> _Value:
    """Return the argument if it is `None` or of that type; else `TypeError`."""
    return value if value is None else of_type(value, kind, name, " or None")


def at_least_1(value: int, name: str) -> None:
    """Raise `TypeError` for what is no `int`, and `ValueError` for what is less than 1."""
    if of_type(value, int, name) < 1:
        raise ValueError(f"{name} is at least 1, not {value}")


def names_in(values: Iterable[str], name: str) -> Iterable[str]:
    """Return the argument, several names; a `str` is one, and `TypeError`."""
    if isinstance(values, str):
        raise TypeError(f"{name} is an iterable of str, not str: {values!r:.60}")
    return [of_type(each, str, f"entry of {name}") for each in of_type(values, Iterable, name)]


def octets_of(data: bytes) -> bytes:
    """Return the octets of `bytes` or of what is like them, else `TypeError`."""
    is_like = isinstance(data, bytearray | memoryview)
    return bytes(data) if is_like else of_type(data, bytes, "data")


def check_called(value: object, name: str) -> None:
    """Raise `TypeError` for what is neither `None` nor can be called."""
    if value is not None and not callable(value):
        raise TypeError(f"{name} is called, and {value!r:.60} cannot be")
