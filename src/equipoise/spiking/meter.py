"""What rules sense: rates and calcium of every neuron of a population, gathered from the raster over a slow window."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise import _core
from equipoise.model.calcium import Calcium
from equipoise.model.homeostasis import CalciumMean, CalciumSaturating, CalciumSecondMoment, FiringRate, Sensed
from equipoise.quantities import Array
from equipoise.spiking.layout import COLUMN, WORDS, Layout
from equipoise.spiking.randomness import Words

N_SUMS = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class Gathered:
    """Where the calcium of a population stands and what its slow window holds so far, n places with padding.

    `level` (n,) is C [µM] after the last event, at the end of step `since` (n,); `sums` (4, n) are the parts of the
    integrals since the window began, `spikes` (n,) the spikes.
    """

    level: Array
    since: NDArray[np.int64]
    sums: Array
    spikes: NDArray[np.int64]

    @classmethod
    def blank(cls, places: int, step: int) -> "Gathered":
        """No calcium at the end of `step`."""
        level, since = np.zeros(places), np.full(places, step, np.int64)
        return cls(level=level, since=since, sums=np.zeros((N_SUMS, places)), spikes=np.zeros(places, np.int64))

    def copy(self) -> "Gathered":
        """The same in memory of its own."""
        return Gathered(
            level=self.level.copy(), since=self.since.copy(), sums=self.sums.copy(), spikes=self.spikes.copy()
        )

    def forget(self) -> None:
        """Begin another window; calcium stays."""
        self.sums[:] = 0.0
        self.spikes[:] = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Meter:
    """Calcium of one population of `size` neurons seen by one `sensor`, on time steps of `dt` [s].

    Spikes fall on the ends of steps, between them calcium decays, and all integrals are closed forms (Theorem 1).
    `half` are K_M [µM] and K_D [µM^2] of the saturating averages, or NaN.
    """

    sensor: Calcium
    half: tuple[float, float]
    first_column: int
    columns: int
    size: int
    dt: float
    decays: Array

    @classmethod
    def of(cls, layout: Layout, population: int, sensor: Calcium, half: tuple[float, float], *, time: tuple) -> "Meter":
        """The meter of a population; `time` is (dt, steps that the table of decays covers)."""
        first, last = layout.first_columns[population : population + 2]
        dt, steps = time
        return cls(
            sensor=sensor, half=half, first_column=int(first), columns=int(last - first), size=layout.sizes[population],
            dt=dt, decays=np.exp(-np.arange(steps + 1) * (dt / sensor.tau)),
        )  # fmt: skip

    def blank(self, step: int) -> Gathered:
        """No calcium at the end of `step`."""
        return Gathered.blank(self.columns * COLUMN, step)

    def gather(self, now: Gathered, raster: Words, first_step: int, *, flush: bool) -> None:
        """Take in a raster that begins with `first_step`, in place; `flush` brings silent neurons to its end too."""
        q = self.sensor
        _core.spiking_calcium(
            raster.ravel(), raster.shape[1] // WORDS, self.first_column, first_step, self.decays, q.retention, q.influx,
            *self.half, int(flush), now.level, now.since, now.sums.ravel(), now.spikes,
        )  # fmt: skip

    def rates(self, now: Gathered, steps: int) -> Array:
        """Rate of every neuron over a window of that many steps [Hz] (n,)."""
        return now.spikes[: self.size] / (steps * self.dt)

    def averages(self, now: Gathered, steps: int) -> Array:
        """Averages of C, C^2, C/(K_M + C) and C^2/(K_D + C^2) of every neuron over such a window (4, n)."""
        tau = self.sensor.tau
        return now.sums[:, : self.size] * (np.array([tau, tau / 2, tau, tau / 2]) / (steps * self.dt))[:, None]

    def sensed(self, what: tuple[Sensed, ...], now: Gathered, steps: int) -> Array:
        """What a rule senses, in its order (k, n)."""
        averages = self.averages(now, steps)
        rows = {CalciumMean: lambda _: averages[0], CalciumSecondMoment: lambda _: averages[1]}
        rows |= {FiringRate: lambda _: self.rates(now, steps), CalciumSaturating: lambda q: averages[1 + q.order]}
        return np.array([rows[type(q)](q) for q in what])


def sensor_of(population: str, what: tuple[Sensed, ...]) -> tuple[Calcium, tuple[float, float]]:
    """The one sensor behind what a rule senses and its half-saturations; TypeError for what cannot be sensed here."""
    sensors, half = {}, {1: np.nan, 2: np.nan}
    for q in what:
        if not isinstance(q, FiringRate | CalciumMean | CalciumSecondMoment | CalciumSaturating):
            raise TypeError(f"spiking: the rule of {population!r} senses {type(q).__name__}, which spikes do not give.")
        if isinstance(q, CalciumSaturating):
            half[q.order] = q.constant
        if not isinstance(q, FiringRate):
            sensors[q.sensor] = None
    if len(sensors) > 1:
        raise TypeError(f"spiking: the rule of {population!r} must sense calcium with one sensor, got {len(sensors)}.")
    wanted = not np.isnan(list(half.values())).all()
    k_m, k_d = (k if not (wanted and np.isnan(k)) else 1.0 for k in half.values())
    return next(iter(sensors), Calcium()), (k_m, k_d)
