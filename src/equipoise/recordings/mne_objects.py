"""MNE raws: channels of one unit together as signals, annotations with a duration as epochs."""

from typing import Any

import numpy as np

from equipoise.recordings.raw import Raw, epochs_of, reading
from equipoise.results import Epoch, Signals

_TESLA = ("mag", "ref_meg")
_OTHER = {"grad": "T/m", "stim": "", "misc": "", "syst": "", "resp": "", "temperature": "C", "hbo": "M", "hbr": "M"}


def read_mne(source: Any) -> Raw:
    """What a Raw says: potentials in V under "potential", fields in T under "field", the rest by its type."""
    if not hasattr(source, "get_channel_types") or not hasattr(source, "first_time"):
        raise TypeError(f"recordings.load: give an MNE Raw, got {type(source).__name__}; epochs have no common clock.")
    with reading(f"mne.{type(source).__name__}", "MNE Raw"):
        groups: dict[tuple[str, str], list[int]] = {}
        for i, kind in enumerate(source.get_channel_types()):
            groups.setdefault(_group(kind), []).append(i)
        signals = {name: _signals(source, picks, unit) for (name, unit), picks in groups.items()}
        names = [str(path) for path in source.filenames if path]
        return Raw(source=names[0].rpartition("/")[2] if names else "mne.Raw", seconds=True, signals=signals,
                   epochs=_annotations(source))  # fmt: skip


def _group(kind: str) -> tuple[str, str]:
    """Name and unit of the signals that a type of channel belongs to."""
    if kind in _TESLA:
        return "field", "T"
    return (kind, _OTHER[kind]) if kind in _OTHER else ("potential", "V")


def _signals(source: Any, picks: list[int], unit: str) -> Signals:
    names = tuple(source.ch_names[i] for i in picks)
    rate = float(source.info["sfreq"])
    return Signals(values=np.asarray(source.get_data(picks=picks)), sampling_rate=rate, names=names, unit=unit)


def _annotations(source: Any) -> tuple[Epoch, ...]:
    """Epochs on the clock of the signals, which starts at 0; what reaches outside is cut."""
    notes = source.annotations
    onset = np.asarray(notes.onset) - source.first_time  # a raw may be the later part of one that was cut
    end = source.n_times / float(source.info["sfreq"])
    starts = np.clip(onset, 0.0, end)
    stops = np.clip(onset + notes.duration, 0.0, end)
    keep = np.flatnonzero(stops > starts)
    return epochs_of([notes.description[i] for i in keep], starts[keep], stops[keep])
