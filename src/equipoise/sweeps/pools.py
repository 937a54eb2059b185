"""Where the points of a sweep are computed: in this process, in processes of this machine, or on a Dask cluster."""

import os
import pickle
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from equipoise.quantities import whole
from equipoise.results import Status
from equipoise.sweeps.axes import Axes
from equipoise.sweeps.outcome import Outcome, outcome_of

AHEAD = 2
"""Points handed out for each worker, so that none waits; more would be lost when a process dies."""
WATCH = 0.2
"""How often a process looks whether its parent lives [s]."""
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_DIED = "the process that computed it died, twice (out of memory, killed, or a fault in compiled code)"

Function = Callable[..., Any]
Found = Iterator[tuple[int, Outcome]]


class PoolLost(Exception):
    """What computes points is gone, and those not yet known are not coming."""


class Pool(Protocol):
    """Computes points in any order."""

    def run(self, function: Function, grid: Axes, points: Sequence[int]) -> Found:
        """Yield each point with its outcome as soon as it is known."""
        ...


def pool_of(client: Any, workers: int | None) -> Pool:
    """The pool that a caller asks for."""
    if client is not None:
        if workers is not None:
            raise ValueError("sweep: give client or workers, not both; a cluster has the workers that it has.")
        return Cluster(client)
    from loky import cpu_count

    number = cpu_count() if workers is None else whole("sweep: workers", workers, low=1, high=4096)
    return Here() if number == 1 else Processes(number)


class Here:
    """One point after the other in this process."""

    def run(self, function: Function, grid: Axes, points: Sequence[int]) -> Found:
        """See `Pool`."""
        for point in points:
            yield point, outcome_of(function, grid.arguments(point))


@dataclass(frozen=True)
class Processes:
    """Fresh processes of this machine."""

    workers: int

    def run(self, function: Function, grid: Axes, points: Sequence[int]) -> Found:
        """See `Pool`; points that were under way when a process died are tried again, each by itself."""
        packed = _packed(partial(function, **grid.constants))
        left = deque(points)
        while left:
            suspects: list[int] = []
            yield from _through(self.workers, packed, grid, left, suspects)
            for point in suspects:
                alone: list[int] = []
                yield from _through(1, packed, grid, deque([point]), alone)
                if alone:
                    yield point, Outcome(status=Status.FAILED, message=_DIED)


def _through(workers: int, packed: bytes, grid: Axes, left: deque[int], suspects: list[int]) -> Found:
    """Take points from `left` until it is empty or a process dies; then `suspects` holds those under way."""
    from loky import ProcessPoolExecutor

    pool = ProcessPoolExecutor(
        min(workers, len(left)), timeout=None, initializer=_begin, initargs=(packed, os.getpid()), env=ONE_THREAD
    )
    running: dict[Future, int] = {}
    try:
        while left or running:
            while left and len(running) < AHEAD * workers:
                point = left.popleft()
                running[pool.submit(_compute, grid.place(point))] = point
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                point = running[future]
                outcome = _result(future)
                del running[future]
                yield point, outcome
        pool.shutdown(wait=True)
    except BrokenExecutor:
        suspects += running.values()
    finally:
        pool.shutdown(wait=False, kill_workers=True)


def _result(future: Future) -> Outcome:
    """What a process sent back; what cannot be sent is the point's failure."""
    try:
        return future.result()
    except BrokenExecutor:
        raise
    except Exception as error:
        return Outcome(status=Status.FAILED, message=f"{type(error).__name__}: {error}")


_HELD: list[Function] = []
"""The function of a worker process with its constants, which is sent once and not with every point."""


def _begin(packed: bytes, parent: int) -> None:
    """Make a process ready; Ctrl-C is for its parent, and it ends when that is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if os.getppid() == parent:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    _HELD[:] = [pickle.loads(packed)]


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH)
    os._exit(1)


def _compute(arguments: Mapping[str, Any]) -> Outcome:
    try:
        return outcome_of(_HELD[0], arguments)
    except KeyboardInterrupt:  # of the function itself, as a signal is ignored here
        return Outcome(status=Status.FAILED, message="KeyboardInterrupt")


def _packed(function: Function) -> bytes:
    """The function with what it closes over, whether it has a module or not."""
    import cloudpickle

    try:
        return cloudpickle.dumps(function)
    except Exception as error:
        raise TypeError(
            f"sweep: the function or a constant cannot be sent to other processes ({error}). Build it in the "
            "function, or use workers=1."
        ) from None


@dataclass(frozen=True, eq=False)
class Cluster:
    """The workers of a Dask scheduler, which moves the points of lost workers to others."""

    client: Any

    def run(self, function: Function, grid: Axes, points: Sequence[int]) -> Found:
        """See `Pool`."""
        client, ours = _connected(self.client)
        packed = _packed(partial(function, **grid.constants))
        try:
            yield from _on_cluster(client, packed, grid, points)
        finally:
            if ours:
                client.close()


def _on_cluster(client: Any, packed: bytes, grid: Axes, points: Sequence[int]) -> Found:
    def hand_out(point: int) -> None:
        # A key of its own: equal arguments in another sweep must not share a result.
        future = client.submit(_compute_packed, packed, grid.place(point), pure=False)
        running[future.key] = point, future
        future.add_done_callback(done.put)

    running: dict[str, tuple[int, Any]] = {}
    done: SimpleQueue = SimpleQueue()
    waiting = iter(points)
    try:
        for point in islice(waiting, _window(client)):
            hand_out(point)
        while running:
            future = _next(done, client)
            outcome = _cluster_result(future)
            yield running.pop(future.key)[0], outcome
            for another in islice(waiting, 1):
                hand_out(another)
    finally:
        if running and client.status == "running":
            client.cancel([future for _, future in running.values()])


def _next(done: SimpleQueue, client: Any) -> Any:
    """A future that is done; PoolLost where none will be, as the scheduler is gone."""
    while True:
        try:
            return done.get(timeout=WATCH)
        except Empty:
            if client.status in ("closing", "closed"):
                raise PoolLost("the Dask scheduler or its client is gone") from None


def _window(client: Any) -> int:
    """Points under way at once; new workers find some to do."""
    return 4 * AHEAD * max(1, sum(client.nthreads().values()))


def _cluster_result(future: Any) -> Outcome:
    from distributed import CancelledError, KilledWorker

    try:
        return future.result()
    except KilledWorker:
        return Outcome(status=Status.FAILED, message="its worker died each time that it was tried")
    except CancelledError:
        raise PoolLost("the Dask scheduler has let go of its points") from None
    except Exception as error:
        return Outcome(status=Status.FAILED, message=f"{type(error).__name__}: {error}")


@lru_cache(maxsize=1)
def _unpacked(packed: bytes) -> Function:
    return pickle.loads(packed)


def _compute_packed(packed: bytes, arguments: Mapping[str, Any]) -> Outcome:
    return outcome_of(_unpacked(packed), arguments)


def _connected(client: Any) -> tuple[Any, bool]:
    """A Dask client, and whether it was made here."""
    if not isinstance(client, str):
        if not (hasattr(client, "submit") and hasattr(client, "nthreads")):
            raise TypeError(f"sweep: client must be a Dask client or the address of its scheduler, got {client!r}.")
        return client, False
    try:
        from distributed import Client
    except ImportError:
        raise ImportError(
            "sweep: client needs Dask; install it with pip install 'equipoise[cluster]', or leave client out."
        ) from None
    try:
        # Not Dask's default: that one xarray would ask for its locks, long after it is closed.
        return Client(client, timeout="20s", set_as_default=False), True
    except (OSError, ValueError) as error:
        raise ConnectionError(f"sweep: no Dask scheduler answers at {client!r} ({error}).") from None
