"""What comes out: Status (failure as data, with advice), spike trains and recordings."""

import enum
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from equipoise import _core

if TYPE_CHECKING:
    import xarray as xr

Array = NDArray[np.float64]


class Status(enum.Enum):
    """How a computation ended; the value is advice in plain words."""

    OK = "The result meets its tolerance."
    INFEASIBLE = "No solution exists for this request; change the target or the model."
    IMPLAUSIBLE = "A solution exists on paper only; its parameters lie far outside physiology."
    APPROXIMATE = "The answer lies outside the range of its approximation; check it by simulation."
    NOT_CONVERGED = "The solver stopped before its tolerance; try another start or a wider bracket."
    UNSTABLE = "The state exists but is not stable; small disturbances grow."
    MARGINAL = "The state is neutral in some direction; noise moves it along a line of equilibria."
    SILENT = "A population does not fire; give it more excitation or less inhibition."
    SATURATED = "A population fires near the limit of its refractory time; weaken excitation or strengthen inhibition."
    WEIGHT_AT_ZERO = "A weight sits at its lower bound; only one of the two calcium moments is regulated."
    AT_BOUND = "A slow variable is held at its bound, so that its rule does not reach its set point; widen the bound."
    PAST_FOLD = "Beyond the fold no equilibrium is left; inhibition grows without end. Weaken the drive."
    RUNAWAY = "A weight grows without end: the start lies outside the basin of an equilibrium, or there is none."
    INTERRUPTED = "Stopped before its end; what is done is kept and can go on."
    FAILED = "The computation ended with an error; its message says which."
    DOUBTFUL = "There is an estimate, but a condition of its method fails; see its reasons."
    INSUFFICIENT_DATA = "Too few data for this estimate; use a longer recording."
    OUT_OF_BAND = "The range of frequencies reaches beyond what the recording passes; end it below the roll-off."
    NOT_COMPARABLE = (
        "The two differ by more than what is asked, or a model does not hold for both; narrow the question."
    )

    @property
    def advice(self) -> str:
        """The advice that belongs to this status."""
        return self.value

    @property
    def usable(self) -> bool:
        """Whether the result that carries this status is a number to work with."""
        return self in (
            Status.OK, Status.IMPLAUSIBLE, Status.APPROXIMATE, Status.UNSTABLE, Status.MARGINAL, Status.SILENT,
            Status.SATURATED, Status.WEIGHT_AT_ZERO, Status.AT_BOUND, Status.INTERRUPTED, Status.DOUBTFUL,
        )  # fmt: skip


class NumericalFailure(RuntimeError):
    """Raised for a Status that carries no usable result, where the caller asked for that; `reason` says why."""

    def __init__(self, status: Status, message: str):
        super().__init__(f"{message} [{status.name}]")
        self.status, self.reason = status, message


@dataclass(frozen=True, eq=False)
class SpikeTrains:
    """Spikes of several units over one observation window.

    `times` (n_spikes,) in seconds, sorted; `units` (n_spikes,) index of the unit of each spike; `n_units` counts units
    without spikes too; the window is [t_start, t_stop], always explicit.
    """

    times: Array
    units: NDArray[np.int64]
    n_units: int
    t_start: float
    t_stop: float

    def __post_init__(self):
        times = np.ascontiguousarray(self.times, dtype=np.float64)
        units = np.ascontiguousarray(self.units, dtype=np.int64)
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "units", units)
        _check_trains(self)

    @classmethod
    def single(cls, times, *, t_start: float, t_stop: float) -> "SpikeTrains":
        """Spikes of one unit."""
        times = np.asarray(times, dtype=np.float64)
        return cls(times, np.zeros(times.size, np.int64), 1, t_start, t_stop)

    @staticmethod
    def by_unit(times: Array, offsets: NDArray[np.int64], *, t_start: float, t_stop: float) -> "SpikeTrains":
        """Spikes laid out unit after unit: those of unit u are `times[offsets[u]:offsets[u + 1]]` [s], in order.

        Nothing is copied. `times` and `units` of all units together are made when somebody asks for them; what goes
        unit by unit (`grouped`, `unit`, `between` and the measures of irregularity) never does.
        """
        return _ByUnit(times, offsets, t_start, t_stop)

    def grouped(self) -> tuple[Array, NDArray[np.int64]]:
        """Times (n_spikes,) [s] laid out unit after unit, and where each unit begins (n_units + 1,)."""
        grouped, offsets = np.empty(self.times.size), np.zeros(self.n_units + 1, np.int64)
        _core.group_by_unit(self.times, self.units, grouped, offsets)
        return grouped, offsets

    @property
    def n_spikes(self) -> int:
        """Number of spikes of all units."""
        return self.times.size

    @property
    def duration(self) -> float:
        """Length of the window [s]."""
        return self.t_stop - self.t_start

    def unit(self, index: int) -> Array:
        """Spike times of one unit (n,) [s]."""
        if not 0 <= index < self.n_units:
            raise IndexError(f"SpikeTrains.unit: index must lie in [0, {self.n_units - 1}], got {index}.")
        return self.times[self.units == index]

    def __iter__(self) -> Iterator[Array]:
        return (self.unit(i) for i in range(self.n_units))

    def between(self, start: float, stop: float) -> "SpikeTrains":
        """The spikes in [start, stop), with that window; the end of the whole window belongs to its last part."""
        self._check_part(start, stop)
        first = np.searchsorted(self.times, start)
        last = np.searchsorted(self.times, stop, side="right" if stop == self.t_stop else "left")
        return SpikeTrains(self.times[first:last], self.units[first:last], self.n_units, start, stop)

    def _check_part(self, start: float, stop: float) -> None:
        if not self.t_start <= start < stop <= self.t_stop:
            raise ValueError(
                f"SpikeTrains.between: start and stop must satisfy {self.t_start:g} <= start < stop <= "
                f"{self.t_stop:g} s, got start={start:g}, stop={stop:g}."
            )

    def __repr__(self) -> str:
        return f"SpikeTrains({self.n_units} units, {self.n_spikes} spikes, {self.t_start:g} to {self.t_stop:g} s)"


class _ByUnit(SpikeTrains):
    """Spike trains that hold their spikes unit after unit; see `SpikeTrains.by_unit`."""

    _times: Array
    _offsets: NDArray[np.int64]

    def __init__(self, times: Array, offsets: NDArray[np.int64], t_start: float, t_stop: float):
        times = np.ascontiguousarray(times, dtype=np.float64)
        offsets = np.ascontiguousarray(offsets, dtype=np.int64)
        held = {"_times": times, "_offsets": offsets, "n_units": offsets.size - 1, "t_start": t_start, "t_stop": t_stop}
        self.__dict__.update(held)
        _check_window(self)
        _check_by_unit(self, times, offsets)

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        return np.argsort(self._times, kind="stable")

    @cached_property
    def times(self) -> Array:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self._times[self._order]

    @cached_property
    def units(self) -> NDArray[np.int64]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return np.repeat(np.arange(self.n_units), np.diff(self._offsets))[self._order]

    def grouped(self) -> tuple[Array, NDArray[np.int64]]:
        return self._times, self._offsets

    @property
    def n_spikes(self) -> int:
        return self._times.size

    def unit(self, index: int) -> Array:
        if not 0 <= index < self.n_units:
            raise IndexError(f"SpikeTrains.unit: index must lie in [0, {self.n_units - 1}], got {index}.")
        return self._times[self._offsets[index] : self._offsets[index + 1]]

    def between(self, start: float, stop: float) -> SpikeTrains:
        self._check_part(start, stop)
        side = "right" if stop == self.t_stop else "left"
        parts = [t[np.searchsorted(t, start) : np.searchsorted(t, stop, side=side)] for t in self]
        offsets = np.concatenate([[0], np.cumsum([part.size for part in parts], dtype=np.int64)])
        return _ByUnit(np.concatenate([np.empty(0), *parts]), offsets, start, stop)


def first_fault(times: Array, offsets: NDArray[np.int64]) -> int | None:
    """Index of the first spike that is not finite or comes before its unit's last one; None where all is in order.

    `times` are laid out unit after unit as in `SpikeTrains.by_unit`; they are looked at block by block, as copies of a
    large recording cost more memory than there may be.
    """
    for begin in range(0, times.size, _BLOCK):
        block = times[begin : begin + _BLOCK + 1]
        backwards = begin + 1 + np.flatnonzero(block[1:] < block[:-1])
        bad = [*(begin + np.flatnonzero(~np.isfinite(block)))[:1], *backwards[~np.isin(backwards, offsets)][:1]]
        if bad:
            return int(min(bad))
    return None


_BLOCK = 2**18


def _check_by_unit(trains: SpikeTrains, times: Array, offsets: NDArray[np.int64]) -> None:
    shaped = times.ndim == offsets.ndim == 1 and offsets.size > 0
    if not shaped or offsets[0] != 0 or offsets[-1] != times.size or (np.diff(offsets) < 0).any():
        raise ValueError(
            f"SpikeTrains.by_unit: offsets must rise from 0 to the number of times, got shapes {offsets.shape} and "
            f"{times.shape}."
        )
    at = first_fault(times, offsets)
    if at is not None:
        unit = int(np.searchsorted(offsets, at, side="right")) - 1
        raise ValueError(
            f"SpikeTrains.by_unit: times must be finite and sorted within a unit, got {times[at]:g} s at index {at} "
            f"in unit {unit}."
        )
    ends = np.concatenate([times[offsets[:-1][np.diff(offsets) > 0]], times[offsets[1:][np.diff(offsets) > 0] - 1]])
    if ends.size:
        _check_inside(trains, ends.min(), ends.max())


def _check_window(trains: SpikeTrains) -> None:
    if not trains.t_stop > trains.t_start:
        raise ValueError(f"SpikeTrains: t_stop must exceed t_start, got {trains.t_start:g} to {trains.t_stop:g} s.")


def _check_inside(trains: SpikeTrains, first: float, last: float) -> None:
    if first < trains.t_start or last > trains.t_stop:
        hint = " Are the times in ms?" if last > 100 * trains.t_stop else ""
        raise ValueError(
            f"SpikeTrains: times must lie in [{trains.t_start:g}, {trains.t_stop:g}] s, "
            f"got {first:g} to {last:g} s.{hint}"
        )


def _check_trains(trains: SpikeTrains) -> None:
    t, u = trains.times, trains.units
    if t.ndim != 1 or t.shape != u.shape:
        raise ValueError(f"SpikeTrains: times and units must be 1-D of one length, got {t.shape} and {u.shape}.")
    _check_window(trains)
    if t.size == 0:
        return
    if not np.isfinite(t).all():
        raise ValueError(f"SpikeTrains: times must be finite, got {t[~np.isfinite(t)][0]}. Remove such spikes.")
    if (np.diff(t) < 0).any():
        at = int(np.argmax(np.diff(t) < 0))
        raise ValueError(
            f"SpikeTrains: times must be sorted, got {t[at]:g} s before {t[at + 1]:g} s at index {at}. "
            "Sort times and units together."
        )
    _check_inside(trains, t[0], t[-1])
    if u.min() < 0 or u.max() >= trains.n_units:
        raise ValueError(f"SpikeTrains: units must lie in [0, {trains.n_units - 1}], got {u.min()} to {u.max()}.")


@dataclass(frozen=True)
class Epoch:
    """A named stretch of a recording [s]."""

    name: str
    start: float
    stop: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Signals:
    """Continuous signals of several channels, sampled together.

    `values` (n_channels, n_samples) in `unit`, one sample every 1/`sampling_rate` s from `t_start` on; `names` of the
    channels, by default "0", "1", ...; `unit` is text such as "V", empty where it is not known.
    """

    values: Array
    sampling_rate: float
    t_start: float = 0.0
    names: tuple[str, ...] = ()
    unit: str = ""

    def __post_init__(self):
        values = np.ascontiguousarray(self.values, dtype=np.float64)
        object.__setattr__(self, "values", values[None] if values.ndim == 1 else values)
        names = self.names or tuple(str(i) for i in range(len(self.values)))
        object.__setattr__(self, "names", tuple(str(name) for name in names))
        _check_signals(self)

    @property
    def t_stop(self) -> float:
        """End of the last sample [s]."""
        return self.t_start + self.values.shape[1] / self.sampling_rate

    @property
    def duration(self) -> float:
        """Length of the window [s]."""
        return self.values.shape[1] / self.sampling_rate

    def between(self, start: float, stop: float) -> "Signals":
        """The samples at times in [start, stop)."""
        if not self.t_start <= start < stop <= self.t_stop * (1.0 + 1e-12):
            raise ValueError(
                f"Signals.between: start and stop must satisfy {self.t_start:g} <= start < stop <= {self.t_stop:g} s, "
                f"got start={start:g}, stop={stop:g}."
            )
        first, last = (int(np.ceil((t - self.t_start) * self.sampling_rate - 1e-6)) for t in (start, stop))
        begin = self.t_start + first / self.sampling_rate
        return replace(self, values=self.values[:, first:last], t_start=begin)

    def __repr__(self) -> str:
        n, samples = self.values.shape
        return f"Signals({n} channels, {samples} samples at {self.sampling_rate:g} Hz, from {self.t_start:g} s)"


def _check_signals(signals: Signals) -> None:
    values = signals.values
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"Signals: values must be (n_channels, n_samples) and not empty, got shape {values.shape}.")
    if len(signals.names) != len(values) or len(set(signals.names)) != len(values):
        raise ValueError(f"Signals: names must name all {len(values)} channels, each once, got {signals.names}.")
    if not (np.isfinite(signals.sampling_rate) and signals.sampling_rate > 0):
        raise ValueError(f"Signals: sampling_rate must be positive and finite (Hz), got {signals.sampling_rate}.")
    if not np.isfinite(signals.t_start):
        raise ValueError(f"Signals: t_start must be finite (s), got {signals.t_start}.")
    if not np.isfinite(values).all():
        channel, sample = np.argwhere(~np.isfinite(values))[0]
        raise ValueError(
            f"Signals: values must be finite, got {values[channel, sample]} in channel {signals.names[channel]!r} at "
            f"sample {sample}. Cut such stretches out."
        )


@dataclass(frozen=True, eq=False)
class Recording:
    """Spike trains with named units, continuous signals by name, epochs, and the facts of where they come from.

    `labels` holds per-unit text such as the brain region: {"region": ("adn", ...)}; "type" is "E", "I" or empty where
    unknown. A recording of signals alone has spike trains of no units over its window.
    """

    spikes: SpikeTrains
    unit_names: tuple[str, ...]
    epochs: tuple[Epoch, ...]
    source: str = ""
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    signals: Mapping[str, Signals] = field(default_factory=dict)

    def __post_init__(self):
        n = self.spikes.n_units
        if len(self.unit_names) != n:
            raise ValueError(f"Recording: unit_names must name all {n} units, got {len(self.unit_names)} names.")
        for key, values in self.labels.items():
            if len(values) != n:
                raise ValueError(f"Recording: labels[{key!r}] must have {n} entries, got {len(values)}.")

    def during(self, epoch: Epoch) -> SpikeTrains:
        """The spikes of one epoch."""
        if not isinstance(epoch, Epoch):
            known = ", ".join(e.name for e in self.epochs)
            raise TypeError(
                f"Recording.during: epoch must be an Epoch such as recording.epochs[0], got {epoch!r}. "
                f"Epochs of this recording: {known}."
            )
        return self.spikes.between(epoch.start, epoch.stop)

    def __repr__(self) -> str:
        epochs = ", ".join(f"{e.name} {e.stop - e.start:g} s" for e in self.epochs)
        # Names only: signals may lie in a file until they are asked for.
        signals = f"; signals: {', '.join(self.signals)}" if self.signals else ""
        return f"Recording({self.source or 'unnamed'}: {self.spikes!r}{signals}; epochs: {epochs})"


@dataclass(frozen=True, eq=False)
class Avalanches:
    """Avalanches: `sizes` (units or spikes), `durations` (generations or bins), and which were `capped`, each (n,).

    A capped avalanche was cut off: its size and duration are lower bounds.
    """

    sizes: NDArray[np.int64]
    durations: NDArray[np.int64]
    capped: NDArray[np.bool_]

    def __post_init__(self):
        if not self.sizes.shape == self.durations.shape == self.capped.shape or self.sizes.ndim != 1:
            raise ValueError(
                "Avalanches: sizes, durations and capped must be 1-D of one length, got "
                f"{self.sizes.shape}, {self.durations.shape} and {self.capped.shape}."
            )

    def __len__(self) -> int:
        return self.sizes.size

    def __repr__(self) -> str:
        if not len(self):
            return "Avalanches(none)"
        most = f"largest {self.sizes.max():,}, longest {self.durations.max():,}"
        return f"Avalanches({len(self):,}, mean size {self.sizes.mean():.4g}, {most}, {self.capped.sum():,} capped)"


def write_whole(path: str | Path, write: Callable[[Path], object]) -> Path:
    """Call `write` on a temporary file beside `path` and move the result there: no file is ever half written."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        # A temporary file is private; the result gets the permissions of any new file.
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def save_dataset(data: "xr.Dataset", path: str | Path) -> Path:
    """Write a Dataset as netCDF-4, whole or not at all."""
    return write_whole(path, lambda place: data.to_netcdf(place, engine="h5netcdf"))


def save_datasets(data: "Mapping[str, xr.Dataset]", path: str | Path) -> Path:
    """Write Datasets as groups of one netCDF-4 file, "/" first, whole or not at all."""

    def write(place: Path) -> None:
        for k, (group, one) in enumerate(data.items()):
            one.to_netcdf(place, engine="h5netcdf", group=group, mode="a" if k else "w")

    return write_whole(path, write)


def load_datasets(path: str | Path) -> "dict[str, xr.Dataset]":
    """Read all groups of a netCDF file into memory."""
    import xarray as xr

    found = xr.open_groups(path, engine="h5netcdf")
    try:
        return {name: one.load() for name, one in found.items()}
    finally:
        for one in found.values():
            one.close()


def load_dataset(path: str | Path) -> "xr.Dataset":
    """Read a saved Dataset into memory."""
    import xarray as xr

    with xr.open_dataset(path, engine="h5netcdf") as data:
        return data.load()
