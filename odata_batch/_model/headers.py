"""Header sections as values: ordered, repeatable, found without regard to case (RFC 9110, 5)."""

from collections.abc import Callable, Iterable, Iterator, KeysView, Mapping
from typing import Any, Final, ParamSpec, Protocol, TypeVar, cast, overload

from odata_batch._model.findings import of_type, public

Pair = tuple[str, str]
Pairs = tuple[Pair, ...]

_Default = TypeVar("_Default")
_Kind = TypeVar("_Kind")
_Arguments = ParamSpec("_Arguments")
_put = object.__setattr__
_lower = str.lower
_LISTS = (tuple, list)


class HasItems(Protocol):
    """What tells its fields as a mapping does, such as the headers of `http.client`."""

    def items(self) -> Iterable[tuple[str, str]]:
        """Return the fields."""


class Shape:
    """What headers have in common whose fields have the same names: these, in lower case.

    Of headers that share a `kind`, rules about messages say the same: they have the same shape and
    equal values in the fields into which such a rule looks. `None` where it is not known yet.
    """

    __slots__ = ("kind", "names")

    def __init__(self, names: tuple[str, ...], kind: object = None) -> None:
        self.names = names
        self.kind = kind


_UNREAD: Final = Shape(())


@public
class Headers(Mapping[str, str]):
    """The fields of a header section: ordered, repeatable, found without regard to case.

    As a mapping it has one value for each name; the values of a repeated field are joined by a
    comma and a space, as RFC 9110, 5.3 allows. Two `Headers` are equal if these mappings are; the
    order of different fields and the case of names do not matter. `Set-Cookie` cannot be joined
    (RFC 6265, 3): it is compared value by value, and looking it up gives the first.

    >>> headers = Headers([("Accept", "text/plain"), ("accept", "text/html")])
    >>> headers["ACCEPT"]
    'text/plain, text/html'
    >>> headers == Headers({"accept": "text/plain, text/html"})
    True
    """

    __slots__ = ("_pairs", "_shape")

    _pairs: Pairs
    _shape: Shape

    def __init__(self, fields: HasItems | Iterable[tuple[str, str]] = ()) -> None:
        if isinstance(fields, Headers):
            pairs = fields._pairs
        else:
            items = getattr(fields, "items", None) if type(fields) not in _LISTS else None
            found = items() if callable(items) else cast("Iterable[Pair]", fields)
            pairs = tuple(map(_pair, of_type(found, Iterable, "headers")))
        _put(self, "_pairs", pairs)
        _put(self, "_shape", _UNREAD)

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
        name, names = _lower(name), names_of(self)
        if name not in names:
            return ()
        return tuple([pair[1] for key, pair in zip(names, self._pairs, strict=True) if key == name])

    def _meaning(self) -> dict[str, str | tuple[str, ...]]:
        return {
            name: values if name == "set-cookie" else ", ".join(values)
            for name, values in by_lower_name(self).items()
        }

    def __getitem__(self, name: str) -> str:
        key, names = _lower(name), names_of(self)
        if key not in names:
            raise KeyError(name)
        if key == "set-cookie" or names.count(key) == 1:
            return self._pairs[names.index(key)][1]
        return ", ".join(self.get_all(key))

    @overload
    def get(self, name: str, default: None = None) -> str | None: ...

    @overload
    def get(self, name: str, default: str | _Default) -> str | _Default: ...

    def get(self, name: str, default: object = None) -> object:
        """Return the value of field `name`, or `default`; `Mapping` would raise and catch for
        it."""
        return self[name] if _lower(name) in names_of(self) else default

    def keys(self) -> KeysView[str]:
        """Return the names in lower case, as a set that is a view."""
        return dict.fromkeys(names_of(self)).keys()

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in names_of(self)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(names_of(self)))

    def __len__(self) -> int:
        return len(set(names_of(self)))

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


class _OpenHeaders(Mapping[str, str]):
    """Headers that are still being made: to set the fields of frozen ones takes longer."""

    __slots__ = ("_pairs", "_shape")
    # The base must be that of `Headers`, for a class to become another.
    __getitem__ = __iter__ = __len__ = None  # type: ignore[assignment]  # never called


def becoming(made: type[_Kind], maker: Callable[_Arguments, object]) -> Callable[_Arguments, _Kind]:
    """Return the maker, whose values become those of the other type before they are returned."""
    return cast("Callable[_Arguments, _Kind]", maker)


def shaped(pairs: Pairs, shape: Shape = _UNREAD) -> Headers:
    """Return the headers that a decoder has read: all types are known to be right."""
    made: Any = _OpenHeaders()  # type checkers cannot see that both classes have the same slots
    made._pairs = pairs
    made._shape = shape
    made.__class__ = Headers
    headers: Headers = made
    return headers


def headers_of(pairs: Pairs, names: Iterable[str] | None = None) -> Headers:
    """Return the headers with these fields, known to be pairs of `str`.

    `names` are those of the fields in lower case, where they are known.
    """
    return shaped(pairs, _UNREAD if names is None else Shape(tuple(names)))


def names_of(headers: Headers) -> tuple[str, ...]:
    """Return the name of each field in lower case.

    To find a name among the few that there are takes no longer than to ask a dictionary, and
    headers read from one batch share this tuple.
    """
    shape = headers._shape
    if shape is _UNREAD and headers._pairs:
        shape = Shape(tuple([name.lower() for name, _ in headers._pairs]))
        # Two threads may both get here; what they make is equal.
        _put(headers, "_shape", shape)
    return shape.names


def by_lower_name(headers: Headers) -> dict[str, tuple[str, ...]]:
    """Return the values of all fields by their names in lower case."""
    values: dict[str, tuple[str, ...]] = {}
    for name, (_, value) in zip(names_of(headers), headers._pairs, strict=True):
        values[name] = (*values.get(name, ()), value)
    return values


def without(headers: Headers, name: str) -> Headers:
    """Return `headers` without the fields of that name."""
    fields = zip(names_of(headers), headers.pairs, strict=True)
    kept = [field for field in fields if field[0] != name]
    return headers_of(tuple([pair for _, pair in kept]), [key for key, _ in kept])
