"""Run a batch: one operation after the other, or with asyncio as many at a time as may be.

What `begin` returns for a change set is given to `call`, and committed or rolled back in the end,
whatever is raised.
"""

import logging
from asyncio import TaskGroup
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from examples.server_calls import NoChangeSets
from examples.server_endpoint import failure
from odata_batch import Begin, Commit, Execution, Rollback, Step

Work: TypeAlias = Step | Begin | Commit | Rollback


@dataclass(frozen=True)
class Run:
    execution: Execution
    call: Callable[[Step, Any], Any]
    begin: Callable[[], Any]
    begun: dict[int | None, Any] = field(default_factory=dict)

    def in_turn(self) -> None:
        """Run an execution that is `ordered`."""
        try:
            while not self.execution.finished:
                for work in self.execution.ready():
                    try:
                        self._succeed(work, self._do(work))
                    except Exception as error:
                        self._fail(work, error)
        finally:  # whatever is raised, nothing that has begun stays open
            with suppress(Exception), ExitStack() as stack:  # if one fails, the others are next
                for rollback in self.execution.abandon():
                    stack.callback(self._do, rollback)

    async def in_parallel(self) -> None:
        async def run(work: Work) -> None:
            try:
                self._succeed(work, await self._do(work))
            except Exception as error:
                self._fail(work, error)
            start()

        def start() -> None:
            for work in self.execution.ready():
                tasks.create_task(run(work))

        try:
            async with TaskGroup() as tasks:
                start()
        finally:  # the request may have been cancelled, or a call of the app
            with suppress(Exception):
                async with AsyncExitStack() as stack:
                    for rollback in self.execution.abandon():
                        stack.push_async_callback(self._do, rollback)

    def _do(self, work: Work) -> Any:
        if isinstance(work, Step):
            return self.call(work, self.begun.get(work.group))
        if isinstance(work, Commit):
            return self.begun[work.group].commit()
        return self.begin() if isinstance(work, Begin) else self.begun.pop(work.group).rollback()

    def _succeed(self, work: Work, outcome: Any) -> None:
        if isinstance(work, Step):
            return self.execution.complete(work, outcome)
        if isinstance(work, Begin):
            self.begun[work.group] = outcome
        if isinstance(work, Commit):
            del self.begun[work.group]
        self.execution.done(work)

    def _fail(self, work: Work, error: Exception) -> None:
        logging.getLogger(__name__).error("a batch cannot go on", exc_info=error)
        answer = failure(501 if isinstance(error, NoChangeSets) else 500, "not possible")
        if isinstance(work, Step):
            return self.execution.complete(work, answer)
        self.execution.fail(work, answer)
