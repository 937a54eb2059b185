"""`sweep`: a function on the grid of its named axes."""

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.results import Status
from equipoise.sweeps.axes import Axes, axes_of
from equipoise.sweeps.identity import digest_of_function, digests_of
from equipoise.sweeps.outcome import Outcome
from equipoise.sweeps.pools import PoolLost, pool_of
from equipoise.sweeps.store import Store
from equipoise.sweeps.table import table

if TYPE_CHECKING:
    import xarray as xr

Progress = Callable[[float], None]


def sweep(
    function: Callable[..., Any],
    *,
    client: Any = None,
    workers: int | None = None,
    store: str | Path | None = None,
    progress: Progress | bool = True,
    **axes: Any,
) -> "xr.Dataset":
    """`function(**arguments)` on every point of the grid of `axes`, as a Dataset over them.

    Sequences and 1-D arrays are axes, any other argument is the same at every point. The function returns a number,
    text, an array, an xarray object or a mapping of those, of one shape at all points. `status`, `message` and
    `seconds` say how each point ended: an exception there is recorded (`FAILED`, or the status of a NumericalFailure)
    and not raised; `failures` lists them.

    Points run in `workers` processes, by default one for each processor, each with one thread; with 1 in this process.
    The function may be a lambda or from a notebook, and scripts need no guard. With `client`, a Dask client or the
    address of its scheduler, they run on that cluster. A point whose process dies is tried again by itself, once.

    With `store`, a file, each finished point is kept there at once under a digest of the function's code and arguments,
    and points that are there are not computed again: after Ctrl-C, which returns what is done with the rest
    INTERRUPTED, or after a kill, call the same again. Failed points are computed anew. Code of other modules that the
    function calls is not in the digest.

    `progress` is called with the fraction done; True shows a bar with the time left on a terminal. Raises TypeError or
    ValueError for arguments that the function does not take, before anything runs.
    """
    grid = axes_of(function, axes)
    pool = pool_of(client, workers)
    digests = digests_of(digest_of_function(function), grid) if store is not None else []
    with Store(store) if store is not None else nullcontext() as kept, _telling(progress) as tell:
        outcomes = _known(kept, digests)
        tell(len(outcomes) / grid.size)
        try:
            left = [point for point in grid if point not in outcomes]
            for point, outcome in pool.run(function, grid, left):
                outcomes[point] = outcome
                if kept is not None:
                    kept.put(digests[point], outcome)
                tell(len(outcomes) / grid.size)
        except KeyboardInterrupt:
            pass  # the table says which points are missing
        except PoolLost as lost:
            words = (
                f"sweep: {lost}; {grid.size - len(outcomes)} points are INTERRUPTED. Call the same again with a store."
            )
            warnings.warn(words, RuntimeWarning, stacklevel=2)
    return table(grid, outcomes).assign_attrs(_provenance(function, grid))


def failures(swept: "xr.Dataset") -> list[tuple[dict[str, Any], Status, str]]:
    """Coordinates, status and message of every point of a sweep that has no usable result."""
    listed = []
    for place, name in np.ndenumerate(swept["status"].values):
        if not (status := Status[name]).usable or status is Status.INTERRUPTED:
            at = {str(dim): swept[dim].values[i].item() for dim, i in zip(swept["status"].dims, place, strict=True)}
            listed.append((at, status, str(swept["message"].values[place])))
    return listed


def _known(store: Store | None, digests: list[str]) -> dict[int, Outcome]:
    """Points of earlier sweeps; those that failed for want of luck or a correction are left out."""
    found = {} if store is None else store.found(digests)
    return {i: found[d] for i, d in enumerate(digests) if d in found and found[d].status is not Status.FAILED}


@contextmanager
def _telling(progress: Progress | bool) -> Iterator[Progress]:
    """What to call with the fraction done: the user's function, a bar on a terminal, or nothing."""
    if callable(progress):
        yield progress
    elif progress and sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import Progress as Bar

        with Bar(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("Sweeping", total=1.0)
            yield lambda fraction: bar.update(task, completed=fraction)
    else:
        yield lambda _: None


def _provenance(function: Callable[..., Any], grid: Axes) -> Mapping[str, str]:
    from equipoise import __version__

    name = getattr(function, "__qualname__", type(function).__name__)
    constants = ", ".join(f"{k}={v!r}" for k, v in grid.constants.items())
    return {"function": name, "constants": constants, "equipoise_version": __version__}
