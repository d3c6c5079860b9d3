"""Coroutines that wait for the disk: a thread for each disk wakes their loops, which run on meanwhile.

The program's executors have no part in it: they may be busy or shut down.
"""

from __future__ import annotations

import os
from _thread import RLock, start_new_thread
from collections import deque
from contextlib import suppress

TYPE_CHECKING = False  # what `typing` calls it: importing that would take longer than all of this package
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future
    from typing import TypeAlias

    from . import _native

    _Waiting: TypeAlias = "tuple[_native.Pending, AbstractEventLoop, Future[None]]"

# Invariant: a queue that is in here has a thread that sees to it, and that thread ends with its queue, under the lock.
_queues: dict[int, deque[_Waiting]] = {}
_lock = RLock()


async def on_disk(pending: _native.Pending) -> None:
    """Waits until the record is on the disk, or has taken too long."""
    import asyncio

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        pending.wait()  # a loop of another kind, which cannot be woken from here
        return
    future: Future[None] = loop.create_future()
    try:
        if _enqueued(pending.queue, (pending, loop, future)):
            await future
        else:
            pending.wait()
    except BaseException:
        pending.leave()  # its body does not begin any more
        raise


def _enqueued(key: int, waiting: _Waiting) -> bool:
    """Whether a thread sees to it; none can be started while the interpreter ends."""
    with _lock:
        if key in _queues:
            _queues[key].append(waiting)
            return True
        _queues[key] = deque([waiting])
        try:
            start_new_thread(_see_to, (key, _queues[key]))
        except RuntimeError:
            del _queues[key]
            return False
    return True


def _see_to(key: int, queue: deque[_Waiting]) -> None:
    while True:
        # The oldest first: records reach the disk in the order in which they were taken.
        pending, loop, future = queue[0]
        pending.wait()
        with suppress(RuntimeError):  # the loop was closed, and nobody waits any more
            loop.call_soon_threadsafe(_woken, future)
        with _lock:
            queue.popleft()
            if not queue:
                del _queues[key]
                return


def _woken(future: Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _forked() -> None:
    """A forked child has none of the threads: its copies of the calls go on, to be refused as the parent's."""
    global _lock
    _lock = RLock()
    left = [waiting for queue in _queues.values() for waiting in queue]
    _queues.clear()
    for _, _, future in left:
        with suppress(RuntimeError):  # the loop of another thread, which is not here either
            _woken(future)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
