"""The module that public classes name as theirs."""

from typing import TypeVar

_Class = TypeVar("_Class", bound=type)


def public(cls: _Class) -> _Class:
    """Make `odata_batch` the module of a class, as users import it and as `pickle` finds it.

    It is the outermost decorator. Modules that use it do without `from __future__ import
    annotations`: annotations that are strings would be looked up in `odata_batch`.
    """
    cls.__module__ = "odata_batch"
    return cls
