"""EDF and BDF files through edfio: channels of one rate and unit together as signals, annotations as epochs."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.recordings.raw import Raw, differing, epochs_of, in_volts, package, reading, refuse
from equipoise.results import Epoch, Signals


def read_edf(path: Path) -> Raw:
    """What an EDF or BDF file says; potentials in V."""
    edfio = package("edfio", "data", "an EDF file")
    with reading(path.name, "EDF file"), warnings.catch_warnings():
        # What edfio only warns of (such as a size that does not fit the header) is damage.
        warnings.simplefilter("error")
        file = (edfio.read_bdf if path.suffix.lower() == ".bdf" else edfio.read_edf)(path)
        if "+D" in file.reserved:
            raise refuse(path.name, "is discontinuous (EDF+D); cut it at its gaps.")
        groups: dict[tuple[float, str], list[Any]] = {}
        for signal in file.signals:
            groups.setdefault((signal.sampling_frequency, in_volts(signal.physical_dimension)[1]), []).append(signal)
        if not groups:
            raise refuse(path.name, "holds no signals.")
        names = differing("potential" if unit == "V" else unit or "signals" for _, unit in groups)
        signals = {name: _signals(*key, channels) for name, (key, channels) in zip(names, groups.items(), strict=True)}
        end = max(s.t_stop for s in signals.values())
        return Raw(source=path.name, seconds=True, signals=signals, epochs=_annotations(file, end))


def _signals(rate: float, unit: str, channels: list[Any]) -> Signals:
    values = np.array([c.data * in_volts(c.physical_dimension)[0] for c in channels], dtype=np.float64)
    return Signals(values=values, sampling_rate=rate, names=differing(c.label for c in channels), unit=unit)


def _annotations(file: Any, end: float) -> tuple[Epoch, ...]:
    """Annotations with a duration, cut to the signals."""
    notes = [(n.text, n.onset, min(n.onset + n.duration, end)) for n in file.annotations if n.duration]
    notes = [note for note in notes if 0.0 <= note[1] < note[2]]
    return epochs_of(*zip(*notes, strict=True)) if notes else ()
