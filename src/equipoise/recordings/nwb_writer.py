"""Recordings to NWB, written and checked by pynwb."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.recordings.digests import digest
from equipoise.recordings.nwb import UNIT_NAME
from equipoise.recordings.raw import package
from equipoise.recordings.signal_text import channel_text
from equipoise.results import Recording, Signals, write_whole

UNKNOWN = datetime(1970, 1, 1, tzinfo=UTC)
"""The start of a session that nobody stated; NWB must have one."""
_ABOUT = {
    "spike_times": "Spike times of each unit [s].", "obs_intervals": "When each unit was observed [s].",
    UNIT_NAME: "Name of the unit.",
}  # fmt: skip


def write_nwb(recording: Recording, path: Path) -> None:
    """An NWB file of a recording."""
    pynwb, content = package("pynwb", "data", "writing NWB"), to_nwb(recording)

    def write(place: Path) -> None:
        with pynwb.NWBHDF5IO(str(place), "w") as io:
            io.write(content)

    write_whole(path, write)


def to_nwb(recording: Recording, *, session_start: datetime | None = None) -> Any:
    """A `pynwb.NWBFile` of the recording, to which subject, devices and the like can be added before it is written.

    NWB wants the start of the session, which a Recording does not know: 1970-01-01 UTC stands for unknown.
    """
    pynwb = package("pynwb", "data", "writing NWB")
    file: Any = pynwb.NWBFile(
        session_description=recording.source or "a recording", identifier=digest(recording),
        session_start_time=session_start or UNKNOWN,
    )  # fmt: skip
    if recording.spikes.n_units:
        _add_units(file, recording)
    else:
        window = np.array([recording.spikes.t_start, recording.spikes.t_stop])
        file.add_scratch(window, name="window", description="Start and end of the recording [s].")
    file.add_epoch_column("label", "Name of the epoch.")
    for epoch in recording.epochs:
        file.add_epoch(start_time=float(epoch.start), stop_time=float(epoch.stop), label=epoch.name)
    for name, signals in recording.signals.items():
        _add_signals(pynwb, file, name, signals)
    return file


def _add_units(file: Any, recording: Recording) -> None:
    """The units table, column by column: row by row pynwb would copy each spike several times."""
    pynwb, common = (package(name, "data", "writing NWB") for name in ("pynwb", "hdmf.common"))
    spikes, n = recording.spikes, recording.spikes.n_units
    times, offsets = spikes.grouped()
    window = np.tile([float(spikes.t_start), float(spikes.t_stop)], (n, 1))
    columns = []
    for name, data, ends in (("spike_times", times, offsets[1:]), ("obs_intervals", window, np.arange(1, n + 1))):
        column = common.VectorData(name=name, description=_ABOUT[name], data=data)
        columns += [column, common.VectorIndex(name=f"{name}_index", data=ends.astype(np.uint64), target=column)]
    for name, texts in {UNIT_NAME: recording.unit_names, **recording.labels}.items():
        about = _ABOUT.get(name, f"Label of the unit: {name}.")
        columns.append(common.VectorData(name=name, description=about, data=list(texts)))
    names = ["spike_times", "obs_intervals", UNIT_NAME, *recording.labels]
    file.units = pynwb.misc.Units(
        name="units", description="Sorted units.", columns=columns, colnames=names, id=list(range(n)),
    )  # fmt: skip


def _add_signals(pynwb: Any, file: Any, name: str, signals: Signals) -> None:
    """A series of the signals, electrical where they are in V."""
    common = {
        "name": name, "data": np.ascontiguousarray(signals.values.T), "starting_time": float(signals.t_start),
        "rate": float(signals.sampling_rate), "comments": channel_text(signals.names),
        "description": f"Signals {name}, {len(signals.names)} channels.",
    }  # fmt: skip
    if signals.unit != "V":
        file.add_acquisition(pynwb.TimeSeries(**common, unit=signals.unit or "unknown"))
        return
    rows = _electrodes(file, name, signals)
    region = file.create_electrode_table_region(region=rows, description=f"Channels of {name}.")
    file.add_acquisition(pynwb.ecephys.ElectricalSeries(**common, electrodes=region))


def _electrodes(file: Any, name: str, signals: Signals) -> list[int]:
    """Rows of the electrodes table for the channels of one series; place and device are not known."""
    device = file.create_device(name=f"device of {name}", description="Not known.")
    where = {"description": f"Electrodes of {name}.", "location": "unknown", "device": device}
    group = file.create_electrode_group(name=f"electrodes of {name}", **where)
    if file.electrodes is None:
        file.add_electrode_column("channel_name", "Name of the channel.")
    table: Any = file.electrodes
    first = len(table)
    for channel in signals.names:
        file.add_electrode(location="unknown", group=group, channel_name=channel)
    return list(range(first, len(table)))
