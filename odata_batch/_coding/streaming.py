"""From what a decoder reads to the events that it hands out where it streams."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from odata_batch._checks.batch import Rules, path_of
from odata_batch._model import events, values
from odata_batch._wire.multipart import Found, Run
from odata_batch._wire.streams import END, Head

_Item = TypeVar("_Item", values.RequestItem, values.ResponseItem)


class Size(bytes):
    """In place of the octets of a body that has passed: what is checked of them is their number."""

    size: int

    def __new__(cls, size: int) -> Size:
        made = super().__new__(cls)
        made.size = min(size, sys.maxsize)  # no more can be the length of anything
        return made

    def __len__(self) -> int:
        return self.size


class Stream(Generic[_Item]):
    """Turns what is read of one batch into events, which the rules are applied to.

    `wants` tells of a head whether it is to be followed by pieces of its body, or comes as a whole.
    """

    def __init__(
        self,
        rules: Rules[_Item],
        wants: Callable[[Any], bool],
        find: Callable[[Found], None],
        out: list[Any],
    ) -> None:
        self.out = out
        self._rules: Rules[_Item] = rules
        rules.forgets = True
        self._wants, self._find = wants, find
        # The indexes of what comes next, and what was in the change sets that have begun
        self._indexes = [0]
        self._sets: list[tuple[Any, list[Any]]] = []
        self._head: Any = None
        self._is_whole = False
        self._size = 0
        self._kept: list[bytes] = []

    def take(self, read: Run[Any]) -> None:
        """Add the events of what was read, and report what was found in front of each."""
        ahead = iter(read.found)
        finding = next(ahead, None)
        for index, step in enumerate(read.items, read.first):
            while finding is not None and finding.before <= index:
                self._find(finding)
                finding = next(ahead, None)
            self._add(step)
        while finding is not None:
            self._find(finding)
            finding = next(ahead, None)

    def _add(self, step: Any) -> None:
        if type(step) is bytes:
            self._size += len(step)
            if self._is_whole or self._rules.needs_bodies:
                self._kept.append(step)
            if not self._is_whole:
                self.out.append(events.Data(step))
        elif isinstance(step, Head):
            self._begin(step.item)
        elif step is END:
            self._end()
        else:
            if not self._sets:
                self._check(step)
            self._tell(step)

    def _check(self, item: Any) -> None:
        index = self._indexes[0]
        if not self._rules.take((item,), index):
            self._rules.check(item, index)

    def _tell(self, item: Any) -> None:
        """Add the events of what was read as a whole."""
        if isinstance(item, values.CHANGE_SETS):
            self.out.append(events.ChangeSetStart(item.id, path_of(self._indexes), item.position))
            self._indexes.append(0)
            for inner in item.items:
                self._tell(inner)
            self._indexes.pop()
            self.out.append(events.ChangeSetEnd(path_of(self._indexes)))
        elif isinstance(item, values.Unreadable):
            self.out.append(item)
        else:
            head = values.changed(item, body=b"")
            if self._wants(head):
                path = path_of(self._indexes)
                self.out.append(events.ItemStart(head, path))
                if item.body:
                    self.out.append(events.Data(item.body))
                self.out.append(events.ItemEnd(path))
            else:
                self.out.append(item)
        if self._sets:
            self._sets[-1][1].append(item)
        self._indexes[-1] += 1

    def _begin(self, item: Any) -> None:
        path = path_of(self._indexes)
        if isinstance(item, values.CHANGE_SETS):
            self.out.append(events.ChangeSetStart(item.id, path, item.position))
            self._sets.append((item, []))
            self._indexes.append(0)
            return
        self._head, self._size = item, 0
        if not self._sets and not self._rules.needs_bodies:
            self._check(item)
        self._is_whole = not self._wants(item)
        if not self._is_whole:
            self.out.append(events.ItemStart(item, path))

    def _end(self) -> None:
        """End the message that has begun, or else the last change set."""
        head, self._head = self._head, None
        event: Any
        if head is None:
            self._indexes.pop()
            change_set, members = self._sets.pop()
            item = values.changed(change_set, items=tuple(members))
            event = events.ChangeSetEnd(path_of(self._indexes))
        else:
            item = values.changed(head, body=Size(self._size)) if self._size else head
            whole = values.changed(head, body=b"".join(self._kept)) if self._kept else head
            self._kept.clear()
            if self._rules.needs_bodies:
                item = whole
            event = whole if self._is_whole else events.ItemEnd(path_of(self._indexes))
        if self._sets:
            self._sets[-1][1].append(item)
        elif head is None or self._rules.needs_bodies:
            self._check(item)
        elif self._size:
            self._rules.check_body(item, self._indexes[0])
        self._indexes[-1] += 1
        self.out.append(event)
