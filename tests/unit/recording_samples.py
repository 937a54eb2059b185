"""Recordings and files for the tests of loading and saving."""

import h5py
import numpy as np

from equipoise import Signals
from equipoise.results import Epoch, Recording, SpikeTrains

LABELS = {"type": ("E", "I", "", ""), "region": ("ca1", "ca1", "adn", ""), "quality": ("a", "b", "b", "")}


def spikes_only(seed=0):
    """Four units, the last one silent, with a window that no spike marks and epochs that do not cover it."""
    rng = np.random.default_rng(seed)
    trains = [np.sort(rng.uniform(-1.0, 50.0, 100)) for _ in range(3)]
    spikes = SpikeTrains.by_unit(np.concatenate(trains), np.array([0, 100, 200, 300, 300]), t_start=-1.5, t_stop=60.0)
    epochs = (Epoch("sleep", 0.0, 20.0), Epoch("wake", 20.0, 55.5))
    return Recording(spikes, ("u1", "7", "é", "silent"), epochs, "mouse", LABELS)


def signals_only(seed=0):
    rng = np.random.default_rng(seed)
    lfp = Signals(values=1e-4 * rng.normal(size=(2, 600)), sampling_rate=10.0, t_start=0.5, names=("a", "b"), unit="V")
    speed = Signals(values=rng.normal(size=(1, 70)), sampling_rate=1.25, t_start=0.1, names=("x",), unit="")
    empty = SpikeTrains(np.empty(0), np.empty(0, np.int64), 0, 0.0, 100.0)
    return Recording(empty, (), (Epoch("all", 0.0, 100.0),), "eeg", {}, {"lfp": lfp, "speed": speed})


def both(seed=0):
    one, other = spikes_only(seed), signals_only(seed)
    return Recording(one.spikes, one.unit_names, one.epochs, one.source, one.labels, other.signals)


def nwb_tables():
    """The datasets of a small NWB file by their place, and attributes under "place@name"."""
    return {
        "units/id": np.array([4, 9, 11]),
        "units/spike_times": np.array([0.5, 1.5, 2.5, 0.25, 3.75]),
        "units/spike_times_index": np.array([3, 3, 5], np.uint8),
        "units/obs_intervals": np.array([[0.0, 2.0], [3.0, 10.0], [0.0, 10.0], [0.0, 10.0]]),
        "units/obs_intervals_index": np.array([2, 3, 4]),
        "units/cell_type": np.array(["Pyramidal Cell", "PV interneuron", "unclear"], object),
        "units/electrodes": np.array([1, 0, 1]),
        "units/electrodes_index": np.array([1, 2, 3]),
        "general/extracellular_ephys/electrodes/id": np.array([0, 1]),
        "general/extracellular_ephys/electrodes/location": np.array(["CA1", "CA3"], object),
        "intervals/epochs/start_time": np.array([0.0, 4.0, 9.0]),
        "intervals/epochs/stop_time": np.array([4.0, 9.0, 12.0]),
        "intervals/epochs/tags": np.array(["sleep", "wake", "sleep"], object),
        "intervals/epochs/tags_index": np.array([1, 2, 3]),
        "intervals/trials/start_time": np.array([0.0, 1.0]),
        "intervals/trials/stop_time": np.array([1.0, 2.0]),
        "processing/ecephys/LFP/lfp/data": np.array([[0, 100], [10, 200], [20, 300]], np.int16),
        "processing/ecephys/LFP/lfp/data@conversion": 1e-6,
        "processing/ecephys/LFP/lfp/data@offset": 2e-6,
        "processing/ecephys/LFP/lfp/channel_conversion": np.array([1.0, 0.5]),
        "processing/ecephys/LFP/lfp/electrodes": np.array([1, 0]),
        "processing/ecephys/LFP/lfp/starting_time": 1.0,
        "processing/ecephys/LFP/lfp/starting_time@rate": 2.0,
        "processing/ecephys/LFP/lfp@neurodata_type": "ElectricalSeries",
    }


def write_hdf5(path, tables):
    """Write datasets and attributes by their place; None leaves one out."""
    with h5py.File(path, "w") as file:
        for place, value in tables.items():
            if "@" not in place and value is not None:
                text = np.asarray(value).dtype.kind in "OU"
                file.create_dataset(place, data=value, dtype=h5py.string_dtype() if text else None)
        for place, value in tables.items():
            where, _, name = place.partition("@")
            if name and value is not None:
                file[where].attrs[name] = value
    return path


def write_phy(folder, **changes):
    """A Phy folder of five clusters; keyword arguments replace parts, None leaves a file out."""
    parts = {
        "times": np.array([[10], [20], [30], [40], [50], [60]], np.uint64), "clusters": np.array([0, 1, 2, 5, 0, 5]),
        "params": "dat_path = ['raw.dat']\nsample_rate = 10.0\nhp_filtered = False\n",
        "group": "cluster_id\tgroup\n0\tgood\n1\tmua\n2\tnoise\n3\tgood\n",
    } | changes  # fmt: skip
    folder.mkdir(exist_ok=True)
    for name in ("times", "clusters"):
        if parts[name] is not None:
            np.save(folder / f"spike_{name}.npy", parts[name], allow_pickle=True)
    for name, file in (("params", "params.py"), ("group", "cluster_group.tsv")):
        if parts[name] is not None:
            (folder / file).write_text(parts[name])
    return folder
