"""The event loop for authors who write ``async def``: one, in the background, started with the first call that needs it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")
_Outcome = tuple[T | None, BaseException | None]

_lock = threading.Lock()
_started: tuple[asyncio.AbstractEventLoop, threading.Thread] | None = None


def loop() -> asyncio.AbstractEventLoop:
    """The loop."""
    global _started
    with _lock:
        if _started is None:
            # It takes tens of milliseconds, which those who do not need it save.
            import asyncio

            made = asyncio.new_event_loop()
            thread = threading.Thread(target=_serve, args=(made,), name="kloset-loop", daemon=True)
            thread.start()
            _started = made, thread
        return _started[0]


def _serve(serving: asyncio.AbstractEventLoop) -> None:
    import asyncio

    asyncio.set_event_loop(serving)
    try:
        serving.run_forever()
    finally:
        tasks = asyncio.all_tasks(serving)
        for task in tasks:
            task.cancel()
        serving.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        serving.run_until_complete(serving.shutdown_asyncgens())
        serving.close()


def stop(patience: float) -> None:
    """End the loop, if there is one, and what still runs in it."""
    global _started
    with _lock:
        started, _started = _started, None
    if started is not None:
        started[0].call_soon_threadsafe(started[0].stop)
        started[1].join(patience)


def run(awaitable: Awaitable[T]) -> T:
    """Run something in the loop and wait for what it comes to."""
    import asyncio

    return _result(asyncio.run_coroutine_threadsafe(_outcome(awaitable), loop()).result())


async def _outcome(awaitable: Awaitable[T]) -> _Outcome[T]:
    """What something comes to, exceptions included that would end the loop: `SystemExit` is the error of one call."""
    try:
        return await awaitable, None
    except BaseException as error:
        return None, error


def _result(outcome: _Outcome[T]) -> T:
    result, error = outcome
    if error is not None:
        raise error
    return result  # type: ignore[return-value]


class Pump:
    """Lets something in the loop have the steps that block done by the thread that waits for it."""

    def __init__(self) -> None:
        self._steps: queue.SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any]] | None] = queue.SimpleQueue()

    async def __call__(self, step: Callable[[], T]) -> T:
        """Have a step done. To be called in the loop."""
        done: asyncio.Future[T] = loop().create_future()
        self._steps.put((step, done))
        return await done

    def drive(self, awaitable: Awaitable[T]) -> T:
        """Run something in the loop, doing its steps here."""
        import asyncio

        running = loop()
        future = asyncio.run_coroutine_threadsafe(_outcome(awaitable), running)
        future.add_done_callback(lambda _: self._steps.put(None))
        while (asked := self._steps.get()) is not None:
            step, done = asked
            outcome: _Outcome[Any]
            try:
                outcome = step(), None
            except BaseException as error:
                outcome = None, error
            running.call_soon_threadsafe(_deliver, done, outcome)
        return _result(future.result())


def _deliver(done: asyncio.Future[Any], outcome: _Outcome[Any]) -> None:
    if done.done():
        return
    result, error = outcome
    if error is None:
        done.set_result(result)
    else:
        done.set_exception(error)
