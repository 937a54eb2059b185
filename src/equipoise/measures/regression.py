"""Slopes of the regression of activity on its past at many lags, by fast Fourier transforms.

    r_k = sum (x - <x>)(y - <y>)/sum (x - <x>)^2    over the pairs x = A(t), y = A(t + k) within the trials

The sums belong to blocks of x, so that leaving blocks out costs no further transform.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from equipoise.quantities import Array

BLOCKS = 20
"""Parts of the record that are left out in turn to know the error."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Sums:
    """Over each block and lag 1 .. kmax: number of pairs, sums of x, y, x^2 and x y, each (blocks, kmax)."""

    n: Array
    x: Array
    y: Array
    xx: Array
    xy: Array

    def slopes(self) -> Array:
        """Slopes (kmax,) of all blocks together."""
        return _slopes(*(part.sum(axis=0) for part in self._parts))

    def slopes_without(self) -> Array:
        """Slopes (blocks, kmax) with each block left out."""
        return _slopes(*(part.sum(axis=0) - part for part in self._parts))

    def slopes_of_each(self) -> Array:
        """Slopes (blocks, kmax) of each block alone; NaN where its activity does not change."""
        return _slopes(*self._parts)

    @property
    def _parts(self) -> tuple[Array, ...]:
        return self.n, self.x, self.y, self.xx, self.xy


def _slopes(n: Array, x: Array, y: Array, xx: Array, xy: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = xx - x * x / n
        # Sums of constant activity leave rounding errors of a spread.
        return np.where(spread > 1e-12 * xx, (xy - x * y / n) / spread, np.nan)


def block_sums(trials: Array, kmax: int) -> Sums:
    """Sums over blocks of time: 20 of one trial, else about 20 of all trials together, none across two trials."""
    number, length = trials.shape
    pieces = -(-BLOCKS // number)
    edges = np.linspace(0, length, pieces + 1).astype(np.int64)
    mean = trials.mean()
    rows = [row for trial in trials for row in _pieces(trial - mean, edges, kmax)]
    return _gathered(rows, BLOCKS if number > BLOCKS else len(rows))


def trial_sums(trials: Array, kmax: int) -> Sums:
    """Sums over each trial."""
    rows = [row for trial in trials for row in _pieces(trial - trial.mean(), np.array([0, trial.size]), kmax)]
    return _gathered(rows, len(rows))


def _gathered(rows: list[tuple[Array, ...]], blocks: int) -> Sums:
    """Rows of sums, neighbours put together where there are more than `blocks`."""
    parts = [np.stack(part) for part in zip(*rows, strict=True)]
    starts = np.linspace(0, len(rows), blocks + 1).astype(int)[:-1]
    n, x, y, xx, xy = (np.add.reduceat(part, starts, axis=0) for part in parts)
    return Sums(n=n, x=x, y=y, xx=xx, xy=xy)


def _pieces(trial: Array, edges: NDArray[np.int64], kmax: int) -> Iterator[tuple[Array, ...]]:
    """n, x, y, xx and xy (kmax,) of the pairs whose x lies between two edges, one after another."""
    lags, size = np.arange(1, kmax + 1), trial.size
    total, squares = (np.concatenate([[0.0], np.cumsum(v)]) for v in (trial, trial * trial))
    for start, stop in pairwise(edges.tolist()):
        last = np.maximum(np.minimum(stop, size - lags), start)
        y = np.where(last > start, total[np.minimum(last + lags, size)] - total[np.minimum(start + lags, size)], 0.0)
        x, xx = total[last] - total[start], squares[last] - squares[start]
        yield (
            (last - start).astype(np.float64),
            x,
            y,
            xx,
            _products(trial[start:stop], trial[start : stop + kmax], kmax),
        )


def _products(first: Array, ahead: Array, kmax: int) -> Array:
    """sum_t first(t) ahead(t + k) for k = 1 .. kmax, `ahead` being 0 beyond its end."""
    from scipy.fft import next_fast_len

    size = next_fast_len(first.size + kmax, real=True)
    transform = np.conj(np.fft.rfft(first, size)) * np.fft.rfft(ahead, size)
    return np.fft.irfft(transform, size)[1 : kmax + 1]
