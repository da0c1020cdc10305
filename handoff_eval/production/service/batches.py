"""Concurrent requests become batches: one scoring, one transaction, one flush to the disk.

While a batch is decided the next one gathers, so its size follows the load and nobody waits for
a timer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from handoff_eval.production.service.engine import Engine
from handoff_eval.production.service.steps import Refusal, Result, Step


class Batches:
    """Hands steps to an engine, in batches, on a thread of its own.

    Parameters
    ----------
    engine : Engine
    largest : int
        Steps in a batch.
    waiting : int
        Steps that may wait; more are refused with 503, so that a flood can't fill the memory.
    on_batch : callable, optional
        Called with the size of each batch.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        largest: int = 64,
        waiting: int = 2_000,
        on_batch: Callable[[int], None] = lambda _size: None,
    ) -> None:
        self._engine = engine
        self._largest = largest
        self._queue: asyncio.Queue[tuple[Step, asyncio.Future[Result]]] = asyncio.Queue(waiting)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="decide")
        self._on_batch = on_batch
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether steps are being taken."""
        return self._task is not None and not self._task.done()

    def start(self) -> None:
        """Begin, within the running event loop."""
        self._task = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """Decide what waits, then end."""
        await self._queue.join()
        if self._task is not None:
            self._task.cancel()
        self._thread.shutdown()

    async def take(self, step: Step) -> Result:
        """Return what became of a step."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        try:
            self._queue.put_nowait((step, future))
        except asyncio.QueueFull:
            return Refusal(503, "Expected less than this at once; too many turns wait. Repeat.")
        # A client that hangs up must not undo what is being stored.
        return await asyncio.shield(future)

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            batch = [await self._queue.get()]
            while len(batch) < self._largest and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            self._on_batch(len(batch))
            results = await loop.run_in_executor(
                self._thread, self._engine.take, [step for step, _ in batch]
            )
            for (_, future), result in zip(batch, results, strict=True):
                if not future.done():
                    future.set_result(result)
                self._queue.task_done()
