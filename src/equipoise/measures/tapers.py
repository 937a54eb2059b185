"""Tapered segments of a signal: how a spectrum is averaged, and how well it is then known.

Welch's method is one Hann taper on overlapping segments, Thomson's multitaper method several orthogonal tapers on each.
Both are an average of |FFT(taper x segment)|^2, and their precision follows from the tapers alone (Percival & Walden
1993, sections 6.17 and 7): the variance of an ordinate from the overlaps at one frequency, that of an average over many
neighbouring frequencies from the overlaps in time.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from equipoise.quantities import Array, check_fields, quantity
from equipoise.units import Hz, second

Detrend = Literal["none", "mean", "linear"]
_TRENDS = ("none", "mean", "linear")


@dataclass(frozen=True, kw_only=True)
class Welch:
    """Hann segments of `window` [s] that overlap by the share `overlap` (Welch 1967), each without its trend.

    A spectrum steeper than 1/f leaks less from segments without their line than without their mean alone.
    """

    window: float = quantity("length of a segment", default=2 * second, unit="second", low=0.0, open_low=True)
    overlap: float = quantity("share that neighbouring segments have in common", default=0.5, low=0.0, high=0.9)
    detrend: Detrend = "linear"

    def __post_init__(self):
        check_fields(self)
        _check_trend(self)

    @property
    def differences(self) -> bool:
        """Hann segments need none."""
        return False

    @property
    def half_width(self) -> float:
        """From the middle of a line to its first zero [Hz]: 2/window."""
        return 2.0 / self.window

    def tapers(self, n: int) -> Array:
        """The taper (1, n), with unit energy."""
        w = np.sin(np.pi * np.arange(n) / n) ** 2
        return (w / np.sqrt((w * w).sum()))[None]


@dataclass(frozen=True, kw_only=True)
class Multitaper:
    """Segments of `window` [s] side by side under 2 window bandwidth - 1 Slepian tapers each (Thomson 1982).

    Power is smoothed over `bandwidth` [Hz] to either side. Fewer and shorter segments do than in Welch's method.
    Caveat: the tapers end abruptly and leak as 1/f^2, so that nothing looks steeper than 1/f^2. `differences` of the
    signal are flatter by two: their spectrum, divided by that of differencing, 4 sin^2(pi f/fs), has exponents from 1
    to 3 right. Hann segments need none of it.
    """

    window: float = quantity("length of a segment", default=2 * second, unit="second", low=0.0, open_low=True)
    bandwidth: float = quantity("half bandwidth of smoothing", default=2 * Hz, unit="Hz", low=0.0, open_low=True)
    detrend: Detrend = "linear"
    differences: bool = False

    def __post_init__(self):
        check_fields(self)
        _check_trend(self)
        if self.window * self.bandwidth < 1.0:
            raise ValueError(
                f"Multitaper: window times bandwidth must be at least 1, got {self.window * self.bandwidth:g}. "
                f"Did you mean bandwidth={2.0 / self.window:g} * Hz?"
            )

    @property
    def overlap(self) -> float:
        """Segments lie side by side."""
        return 0.0

    @property
    def half_width(self) -> float:
        """Half the width of a line [Hz]."""
        return self.bandwidth

    def tapers(self, n: int) -> Array:
        """The tapers (number, n), orthonormal."""
        from scipy.signal.windows import dpss

        product = self.window * self.bandwidth
        return np.asarray(dpss(n, product, max(1, int(2.0 * product + 1e-9) - 1)), np.float64)


def _check_trend(method: Welch | Multitaper) -> None:
    if method.detrend not in _TRENDS:
        raise ValueError(
            f"{type(method).__name__}.detrend must be {', '.join(map(repr, _TRENDS))}, got {method.detrend!r}."
        )


@dataclass(frozen=True)
class Segments:
    """Tapers (number, n) on `count` segments of n samples that begin `step` samples apart."""

    tapers: Array
    step: int
    count: int

    @property
    def n(self) -> int:
        """Samples of a segment."""
        return self.tapers.shape[1]

    @property
    def variance(self) -> float:
        """Relative variance of one ordinate, 2/(degrees of freedom)."""
        k = len(self.tapers)
        return self._over_segments(lambda late, early: float(((late @ early.T) ** 2).sum()) / k**2)

    @property
    def correlation(self) -> float:
        """Relative variance of a sum over many ordinates in units of what independent ones would have.

        35/18 for Hann segments side by side, and the number of tapers that share a frequency for the multitaper.
        """
        shared = self._over_segments(lambda late, early: self.n * float(_energy(late) @ _energy(early)))
        return shared / self.variance

    def _over_segments(self, overlap) -> float:
        """Mean over all pairs of segments of what they have in common."""
        total = overlap(self.tapers, self.tapers)
        for apart in range(1, self.count):
            if apart * self.step >= self.n:
                break
            shift = apart * self.step
            shared = overlap(self.tapers[:, shift:], self.tapers[:, : self.n - shift])
            total += 2.0 * (1.0 - apart / self.count) * shared
        return total / self.count


def _energy(tapers: Array) -> Array:
    return (tapers**2).mean(axis=0)


def segments(method: Welch | Multitaper, samples: int, sampling_rate: float) -> Segments:
    """The segments of a signal of so many samples; ValueError if not even one fits."""
    n = round(method.window * sampling_rate)
    if not 8 <= n <= samples:
        raise ValueError(
            f"{type(method).__name__}.window must hold 8 samples or more and be no longer than the signal, got "
            f"{method.window:g} s ({n} samples) for {samples} samples at {sampling_rate:g} Hz."
        )
    step = max(1, n - round(method.overlap * n))
    return Segments(method.tapers(n), step, 1 + (samples - n) // step)
