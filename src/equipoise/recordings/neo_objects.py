"""Neo blocks, segments and spike trains, in and out; their quantities bring the units."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from equipoise.recordings.raw import Raw, differing, epochs_of, in_volts, package, reading, refuse
from equipoise.results import Recording, Signals

_CELL_LABELS = ("type", "cell_type", "region", "location", "population")


def read_neo(source: Any) -> Raw:
    """What a Block, Segment, SpikeTrain, AnalogSignal or list of spike trains says."""
    kind = type(source).__name__
    with reading(f"neo.{kind}", "Neo object"):
        if kind == "Block":
            return _read_segments(source.name or "neo.Block", source.segments)
        if kind == "Segment":
            return _read_segments(source.name or "neo.Segment", [source])
        if kind in ("SpikeTrain", "SpikeTrainList"):
            return _raw("neo.SpikeTrain", [source] if kind == "SpikeTrain" else list(source), [], [])
        if kind == "AnalogSignal":
            return _raw("neo.AnalogSignal", [], [source], [])
    raise TypeError(f"recordings.load: give a Neo Block, Segment, SpikeTrain or AnalogSignal, got {kind}.")


def _read_segments(name: str, segments: Sequence[Any]) -> Raw:
    if len(segments) != 1:
        raise refuse(
            name,
            f"has {len(segments)} segments, each with a clock of its own; load one: load(block.segments[0]).",
        )
    (segment,) = segments
    if not segment.spiketrains and not segment.analogsignals:
        raise refuse(name, "holds neither spike trains nor analog signals.")
    return _raw(name, list(segment.spiketrains), list(segment.analogsignals), list(segment.epochs))


def _raw(name: str, trains: list[Any], signals: list[Any], epochs: list[Any]) -> Raw:
    times = [_si(train, "s") for train in trains]
    offsets = np.concatenate([[0], np.cumsum([t.size for t in times], dtype=np.int64)])
    given = [train.name or train.annotations.get("unit_name") for train in trains]
    names = given if None not in given and len(set(given)) == len(given) else range(len(trains))
    found = {
        key: tuple(str(train.annotations.get(key, "")) for train in trains)
        for key in dict.fromkeys(key for train in trains for key in train.annotations)
        if key in _CELL_LABELS or all(isinstance(train.annotations.get(key), str) for train in trains)
    }
    if "location" in found:
        found.setdefault("region", found["location"])
    starts, stops = ([float(getattr(t, end).rescale("s")) for t in trains] for end in ("t_start", "t_stop"))
    return Raw(
        source=name, times=np.concatenate([np.empty(0), *times]), offsets=offsets, seconds=True, labels=found,
        names=np.array([str(n) for n in names]), epochs=tuple(e for one in epochs for e in _epochs(one)),
        signals=_signals(signals), window=(min(starts, default=None), max(stops, default=None)),
    )  # fmt: skip


def _si(quantity: Any, unit: str) -> np.ndarray:
    return np.asarray(quantity.rescale(unit).magnitude, dtype=np.float64)


def _epochs(epochs: Any) -> tuple:
    starts = _si(epochs.times, "s")
    names = epochs.labels if len(epochs.labels) == starts.size else [epochs.name or "epoch"] * starts.size
    return epochs_of(names, starts, starts + _si(epochs.durations, "s"))


def _signals(signals: list[Any]) -> dict[str, Signals]:
    names = differing(signal.name or "signals" for signal in signals)
    return {name: _one(signal) for name, signal in zip(names, signals, strict=True)}


def _one(signal: Any) -> Signals:
    factor, unit = in_volts("" if str(signal.dimensionality) == "dimensionless" else str(signal.dimensionality))
    channels = tuple(map(str, signal.array_annotations.get("channel_names", ())))
    values = np.asarray(signal.magnitude, dtype=np.float64).T * factor
    return Signals(
        values=values, sampling_rate=float(signal.sampling_rate.rescale("Hz")), unit=unit,
        t_start=float(signal.t_start.rescale("s")), names=channels,
    )  # fmt: skip


def to_neo(recording: Recording) -> Any:
    """A Neo Block with one Segment: a SpikeTrain for each unit, AnalogSignals, and one Epoch object with all epochs."""
    neo, quantities = package("neo", "data", "a Neo block"), package("quantities", "data", "a Neo block")
    spikes, labels = recording.spikes, recording.labels
    segment = neo.Segment(name=recording.source or None)
    for i, (times, name) in enumerate(zip(spikes, recording.unit_names, strict=True)):
        texts = {key: values[i] for key, values in labels.items()}
        window = {"t_start": spikes.t_start, "t_stop": spikes.t_stop}
        segment.spiketrains.append(neo.SpikeTrain(times.copy(), units="s", name=name, **window, **texts))
    starts = np.array([e.start for e in recording.epochs])
    durations = np.array([e.stop for e in recording.epochs]) - starts
    names = np.array([e.name for e in recording.epochs], dtype=str)
    segment.epochs.append(neo.Epoch(starts * quantities.s, durations * quantities.s, labels=names))
    for name, signals in recording.signals.items():
        segment.analogsignals.append(_analog(neo, quantities, name, signals))
    block = neo.Block(name=recording.source or None)
    block.segments.append(segment)
    return block


def _analog(neo: Any, quantities: Any, name: str, signals: Signals) -> Any:
    return neo.AnalogSignal(
        signals.values.T, units=signals.unit or "dimensionless", sampling_rate=signals.sampling_rate * quantities.Hz,
        t_start=signals.t_start * quantities.s, name=name, array_annotations={"channel_names": list(signals.names)},
    )  # fmt: skip
