"""Mean field with coloured input: spectra that reproduce themselves (Lerchner et al. 2006; Dummer et al. 2014).

Spike trains are no white noise: refractoriness and regular firing take power from low frequencies. With S_B(f) the
average power spectrum of single trains of population B, apart from their means, the input of A has the spectrum

    S_A(f) = sum_B K_AB J_AB^2 F_B S_B(f),        S_B = r_B at high frequencies, flat for sources

and cells driven by Gaussian noise of that spectrum, each with its own quenched mean, must fire with S_A. No formula
gives their output; a sample of cells is simulated, on the time grid of spiking networks, and rates and spectra are
iterated: rates by Newton's method with the derivatives of white-noise theory, spectra damped by a half. Correlations
between cells, such as common oscillations, are left out.
"""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from equipoise import _core
from equipoise.model.neurons import LIF, PIF
from equipoise.quantities import Array
from equipoise.results import NumericalFailure, Status
from equipoise.theory import network_state, quenched
from equipoise.theory.cells import labels
from equipoise.theory.wiring import Wiring

if TYPE_CHECKING:
    import xarray as xr

CHUNK = 32
"""Cells simulated together, to bound memory."""
BINS = 80
"""Bins of the spectra, evenly spaced in log f."""
DAMPING = 0.5
MOST = 30
"""Iterations."""
RATE_TOLERANCE, SHAPE_TOLERANCE = 0.01, 0.02
"""Stopping rule: the next step would change no rate by more than this part, no spectrum by more than this part of the
rate (root mean square over log f)."""
WARM_UP = 0.25
FEWEST = 5
"""Intervals that a cell must have for a C_v."""


@dataclass(frozen=True)
class Firing:
    """A sample of cells of one population: rate [Hz], <r^2>, spectrum/rate in bins, mean C_v, standard errors."""

    rate: float
    second_moment: float
    shape: Array
    cv: float
    rate_error: float
    cv_error: float


@dataclass(frozen=True)
class Grid:
    """Time steps dt [s], and `steps` of them to a window."""

    dt: float
    steps: int

    @property
    def frequencies(self) -> Array:
        """Frequencies of the discrete Fourier transform without 0 [Hz]."""
        return np.asarray(np.fft.rfftfreq(self.steps, self.dt)[1:], dtype=np.float64)

    @property
    def edges(self) -> Array:
        """Edges of the bins [Hz]; every bin holds a frequency."""
        f = self.frequencies
        edges: Array = np.geomspace(f[0] * 0.999, f[-1] * 1.001, BINS + 1).astype(np.float64)
        holds = np.histogram(f, edges)[0] > 0
        return np.asarray(np.append(edges[:-1][holds], edges[-1]), dtype=np.float64)

    @property
    def centres(self) -> Array:
        """Mean frequency of each bin [Hz]."""
        f = self.frequencies
        return np.histogram(f, self.edges, weights=f)[0] / np.histogram(f, self.edges)[0]

    def binned(self, values: Array) -> Array:
        """Averages of values (frequency,) over bins."""
        f = self.frequencies
        return np.histogram(f, self.edges, weights=values)[0] / np.histogram(f, self.edges)[0]

    def spread(self, shape: Array) -> Array:
        """Values of all frequencies from those of bins."""
        return np.interp(np.log(self.frequencies), np.log(self.centres), shape)


@dataclass(frozen=True)
class Sampler:
    """Samples of cells of a wiring, on a grid, from a seed."""

    wiring: Wiring
    grid: Grid
    cells: int
    seed: int

    def firing(self, a: int, x: Array, shapes: Array, *, windows: int = 1) -> Firing:
        """The cells of population a in the network state x = (r, q), presynaptic spectra `shapes` (n, bins) times r."""
        w, n, grid = self.wiring, self.wiring.n, self.grid
        m = w.moments(x[:n], x[n:])
        z, rest = labels(self.cells, 2).T
        along, apart = quenched.spread(m.beta[a], m.gamma[a], m.eta[a])
        s = np.maximum(m.s[a] + along * z + apart * rest, quenched.LOWEST * m.s[a])
        means = m.mu[a] + math.sqrt(m.beta[a]) * z
        power = self._power(a, x[:n], shapes)
        counts = _Counts(self.cells, grid)
        for first in range(0, self.cells, CHUNK):
            some = slice(first, first + CHUNK)
            rng = np.random.default_rng([self.seed, a, first])
            for _ in range(windows):
                noise = _coloured(rng, power, (z[some].size, grid.steps)) * np.sqrt(s[some] / m.s[a])[:, None]
                counts.add(some, self._spikes(a, means[some], noise, rng))
        return counts.firing()

    def _power(self, a: int, rates: Array, shapes: Array) -> Array:
        """Variance of the input per step at each frequency [V^2]."""
        w, n, grid = self.wiring, self.wiring.n, self.grid
        strength = (w.K * w.noise_per_rate)[a] * grid.dt
        inside = sum((strength[b] * rates[b] * grid.spread(shapes[b]) for b in range(n)), np.zeros(grid.steps // 2))
        power = inside + strength[n:] @ w.source_rates
        if w.tau_s[a] > 0.0:
            keep = math.exp(-grid.dt / w.tau_s[a])
            power *= np.abs((1.0 - keep) / (1.0 - keep * np.exp(-2j * np.pi * grid.frequencies * grid.dt))) ** 2
        return power

    def _spikes(self, a: int, means: Array, noise: Array, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Spikes (cell, step) under mean drifts [V/s] and noise [V a step], which is periodic: its end warms up."""
        neuron, dt = self.wiring.neurons[a], self.grid.dt
        leak = neuron.v_leak if isinstance(neuron, LIF) else 0.0
        decay = math.exp(-dt / neuron.tau_m) if isinstance(neuron, LIF) else 1.0
        gain = neuron.tau_m * (1.0 - decay) if isinstance(neuron, LIF) else dt
        floor = neuron.v_bound if isinstance(neuron, PIF) else -1e300
        inputs = noise + gain * means[:, None]
        warm = min(round(WARM_UP / dt), self.grid.steps)
        v = rng.uniform(neuron.v_reset - leak, neuron.v_threshold - leak, means.size)
        silent = np.zeros(means.size, np.int64)
        fixed = (decay, neuron.v_threshold - leak, neuron.v_reset - leak, floor, round(neuron.tau_ref / dt))
        spikes = np.empty(inputs.size, np.uint8)
        _core.driven_spikes(*fixed, inputs[:, -warm:].ravel(), v, silent, spikes[: means.size * warm])
        _core.driven_spikes(*fixed, inputs.ravel(), v, silent, spikes)
        return spikes.reshape(inputs.shape)


def _coloured(rng: np.random.Generator, power: Array, shape: tuple[int, int]) -> Array:
    """Gaussian noise (cell, step), periodic, of variance per step and frequency `power`, without a mean."""
    spectrum = np.fft.rfft(rng.standard_normal(shape), axis=1)
    spectrum[:, 0] = 0.0
    spectrum[:, 1:] *= np.sqrt(power)
    return np.fft.irfft(spectrum, n=shape[1], axis=1)


class _Counts:
    """Spike counts, intervals and spectra, gathered over chunks of cells and windows."""

    def __init__(self, cells: int, grid: Grid):
        self.grid, self.windows = grid, 0
        self.halves = np.zeros((2, cells))
        self.intervals = np.zeros((3, cells))  # number, sum, sum of squares
        self.power = np.zeros(grid.steps // 2)
        self.stretches = np.zeros(cells)

    def add(self, some: slice, spikes: NDArray[np.uint8]) -> None:
        """One window of the cells `some`."""
        half = self.grid.steps // 2
        self.halves[:, some] += spikes[:, :half].sum(1), spikes[:, half:].sum(1)
        self.stretches[some] += 1
        row, step = np.nonzero(spikes)
        same = np.diff(row) == 0
        length, owner = np.diff(step)[same].astype(np.float64), row[1:][same]
        for k in range(3):
            self.intervals[k, some] += np.bincount(owner, length**k, minlength=spikes.shape[0])
        self.power += (np.abs(np.fft.rfft(spikes.astype(np.float64), axis=1)[:, 1:]) ** 2).sum(0)

    def firing(self) -> Firing:
        """Rates without the bias of short windows: the two halves of a window are as good as independent."""
        grid, cells = self.grid, self.stretches.size
        first, second = self.halves / (self.stretches * grid.dt * (grid.steps // 2))
        rates = 0.5 * (first + second)
        rate = float(rates.mean())
        shape = grid.binned(self.power) / (self.stretches.sum() * grid.steps * max(rate, 1e-12) * grid.dt)
        n, total, squares = self.intervals
        enough = n >= FEWEST
        ratio = squares[enough] * n[enough] / np.maximum(total[enough], 1.0) ** 2 - 1.0
        cv = np.sqrt(np.maximum(ratio, 0.0)) if enough.any() else np.full(1, math.nan)
        spread = math.sqrt(max(float(np.var(first - second)) / 4.0, 0.0) / cells)
        return Firing(
            rate, float((first * second).mean()), shape, float(np.mean(cv)), spread,
            float(np.std(cv) / math.sqrt(max(int(enough.sum()), 1))),
        )  # fmt: skip


@dataclass(frozen=True, repr=False)
class SpectralState:
    """A self-consistent state with coloured input, beside that of white-noise theory.

    `firing` of a sample of cells of every population in `names`; `white` the state of white-noise theory; `spectra`
    S/r (population, bin) at `frequencies` [Hz]; `iterations`, and the `change` of rates and spectra at the last one.
    """

    names: tuple[str, ...]
    firing: tuple[Firing, ...]
    white: network_state.NetworkState
    frequencies: Array
    spectra: Array
    iterations: int
    change: tuple[float, float]
    status: Status
    message: str

    @property
    def rates(self) -> Array:
        """Population rates [Hz], shape (n,)."""
        return np.array([f.rate for f in self.firing])

    @property
    def cv(self) -> Array:
        """Mean C_v over cells, shape (n,)."""
        return np.array([f.cv for f in self.firing])

    def dataset(self) -> "xr.Dataset":
        """Rates, C_v with standard errors, and spectra as a Dataset."""
        import xarray as xr

        about = {"status": self.status.name, "message": self.message, "iterations": self.iterations}
        columns = {
            "rate": ([f.rate for f in self.firing], "Hz"), "rate_error": ([f.rate_error for f in self.firing], "Hz"),
            "cv": ([f.cv for f in self.firing], "1"), "cv_error": ([f.cv_error for f in self.firing], "1"),
            "white_rate": (self.white.rates, "Hz"),
        }  # fmt: skip
        return xr.Dataset(
            {name: ("population", np.asarray(values), {"units": unit}) for name, (values, unit) in columns.items()}
            | {"spectrum": (("population", "frequency"), self.spectra, {"units": "rate"})},
            coords={"population": list(self.names), "frequency": ("frequency", self.frequencies, {"units": "Hz"})},
            attrs=about,
        )

    def __repr__(self) -> str:
        rows = [f"SpectralState: {self.status.name} after {self.iterations} iterations {self.message}".rstrip()]
        rows += [
            f"  {name:<6} {f.rate:9.4f} ± {f.rate_error:.2g} Hz (white noise {white:.4f} Hz), "
            f"C_v {f.cv:.4f} ± {f.cv_error:.2g}, S/r at {self.frequencies[0]:.2g} Hz {shape[0]:.3f}"
            for name, f, white, shape in zip(self.names, self.firing, self.white.rates, self.spectra, strict=True)
        ]
        return "\n".join(rows)


def solve(sampler: Sampler, white: network_state.NetworkState, *, windows: int, throw: bool = True) -> SpectralState:
    """Iterate rates and spectra from the state of white-noise theory; NumericalFailure where they do not settle."""
    n, settled = sampler.wiring.n, False
    x, shapes, change, count = white.x, np.ones((n, sampler.grid.centres.size)), (math.inf, math.inf), 0
    while count < MOST and not settled:
        x, shapes, change = _step(sampler, x, shapes)
        settled, count = change[0] < RATE_TOLERANCE and change[1] < SHAPE_TOLERANCE, count + 1
    status, message = (Status.OK, "") if settled else (Status.NOT_CONVERGED, _unsettled(change))
    if not settled and throw:
        raise NumericalFailure(status, f"spectral_mean_field: {message}")
    fresh = replace(sampler, seed=sampler.seed + 1)
    firing = tuple(fresh.firing(a, x, shapes, windows=windows) for a in range(n))
    names, spectra = sampler.wiring.names, np.array([f.shape for f in firing])
    return SpectralState(names, firing, white, sampler.grid.centres, spectra, count, change, status, message)


def _unsettled(change: tuple[float, float]) -> str:
    return (
        f"after {MOST} iterations rates still change by {100 * change[0]:.2g} % and spectra by {100 * change[1]:.2g} % "
        "of the rate. Take more cells or a longer window, or another start."
    )


def _step(sampler: Sampler, x: Array, shapes: Array) -> tuple[Array, Array, tuple[float, float]]:
    """The next state and spectra, and the relative changes of rates and spectra that were due."""
    equations, n = network_state.Equations(sampler.wiring, 181), sampler.wiring.n
    firing = [sampler.firing(a, x, shapes) for a in range(n)]
    averages = np.array([f.rate for f in firing] + [f.second_moment for f in firing])
    z = equations.unknowns(x)
    move = -np.linalg.solve(equations.system(z)[1], (averages - x)[: z.size])
    due = float(np.max(np.abs(move[:n]) / x[:n]))
    new = np.array([f.shape for f in firing])
    bend = float(np.sqrt(np.mean((new - shapes) ** 2, axis=1)).max())
    z = np.maximum(z + move * min(1.0, 0.3 / max(due, 1e-12)), 0.05 * z)
    return equations.state(z), shapes + DAMPING * (new - shapes), (due, bend)
