"""Header sections as values: ordered, repeatable, found without regard to case (RFC 9110, 5)."""

from collections.abc import Iterable, Iterator, KeysView, Mapping
from typing import TypeVar, overload

from odata_batch._model.public import public

Pair = tuple[str, str]
Pairs = tuple[Pair, ...]

_Default = TypeVar("_Default")
_put = object.__setattr__
_lower = str.lower


@public
class Headers(Mapping[str, str]):
    """The fields of a header section: ordered, repeatable, found without regard to case.

    As a mapping it has one value for each name; the values of a repeated field are joined by a
    comma and a blank, as RFC 9110, 5.3 allows. Two `Headers` are equal if these mappings are; the
    order of different fields and the case of names do not matter. `Set-Cookie` cannot be joined
    (RFC 6265, 3): it is compared value by value, and looking it up gives the first.

    >>> headers = Headers([("Accept", "text/plain"), ("accept", "text/html")])
    >>> headers["ACCEPT"]
    'text/plain, text/html'
    >>> headers == Headers({"accept": "text/plain, text/html"})
    True
    """

    __slots__ = ("_index", "_pairs")

    _pairs: Pairs
    _index: dict[str, tuple[str, ...]] | None

    def __init__(self, fields: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        if isinstance(fields, Headers):
            pairs = fields._pairs
        elif isinstance(fields, Mapping):
            pairs = tuple(map(_pair, fields.items()))
        else:
            pairs = tuple(map(_pair, fields))
        _put(self, "_pairs", pairs)
        _put(self, "_index", None)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Headers cannot be changed, {name} cannot be set")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"Headers cannot be changed, {name} cannot be deleted")

    @property
    def pairs(self) -> Pairs:
        """Every field line as `(name, value)`, in order, with the case it was written in."""
        return self._pairs

    def get_all(self, name: str) -> tuple[str, ...]:
        """Return the values of all field lines of that name, in order.

        >>> Headers([("Set-Cookie", "a=1"), ("set-cookie", "b=2")]).get_all("Set-Cookie")
        ('a=1', 'b=2')
        """
        return self._values().get(_lower(name), ())

    def _values(self) -> dict[str, tuple[str, ...]]:
        index = self._index
        if index is None:
            values: dict[str, list[str]] = {}
            for name, value in self._pairs:
                values.setdefault(name.lower(), []).append(value)
            index = {name: tuple(found) for name, found in values.items()}
            # Two threads may both get here; what they make is equal.
            _put(self, "_index", index)
        return index

    def _meaning(self) -> dict[str, str | tuple[str, ...]]:
        return {
            name: values if name == "set-cookie" else ", ".join(values)
            for name, values in self._values().items()
        }

    def __getitem__(self, name: str) -> str:
        values = self._values()[_lower(name)]
        if len(values) == 1 or name.lower() == "set-cookie":
            return values[0]
        return ", ".join(values)

    @overload
    def get(self, name: str, default: None = None) -> str | None: ...

    @overload
    def get(self, name: str, default: str | _Default) -> str | _Default: ...

    def get(self, name: str, default: object = None) -> object:
        """Return the value of the field, or the default; `Mapping` would raise and catch for it."""
        return self[name] if _lower(name) in self._values() else default

    def keys(self) -> KeysView[str]:
        """Return the names in lower case, as a set that is a view."""
        return self._values().keys()

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values()

    def __iter__(self) -> Iterator[str]:
        return iter(self._values())

    def __len__(self) -> int:
        return len(self._values())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return NotImplemented
        return self._pairs == other._pairs or self._meaning() == other._meaning()

    def __hash__(self) -> int:
        return hash(frozenset(self._meaning().items()))

    def __reduce__(self) -> "tuple[type[Headers], tuple[Pairs]]":
        return Headers, (self._pairs,)

    def __repr__(self) -> str:
        names = [name.lower() for name, _ in self._pairs]
        fields = dict(self._pairs) if len(set(names)) == len(names) else list(self._pairs)
        return f"Headers({fields!r})" if fields else "Headers()"


def _pair(field: object) -> Pair:
    if isinstance(field, tuple | list) and len(field) == 2:
        name, value = field
        if isinstance(name, str) and isinstance(value, str):
            return name, value
    raise TypeError(f"a header field is a pair of str, not {field!r:.60}")


def headers_of(pairs: Pairs, index: dict[str, tuple[str, ...]] | None = None) -> Headers:
    """Return the headers with these fields, known to be pairs of `str`, and maybe indexed."""
    headers = Headers.__new__(Headers)
    _put(headers, "_pairs", pairs)
    _put(headers, "_index", index)
    return headers


def folded(headers: Headers) -> Mapping[str, tuple[str, ...]]:
    """Return the values of all fields by their names in lower case."""
    return headers._values()


def without(headers: Headers, name: str) -> Headers:
    """Return `headers` less all fields of that name."""
    return headers_of(tuple(pair for pair in headers.pairs if pair[0].lower() != name))
