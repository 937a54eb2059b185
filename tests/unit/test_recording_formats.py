"""Each format in and out: round trips are exact, and foreign files and objects mean what they say."""

import pickle
import subprocess
import sys
import warnings

import edfio
import h5py
import neo
import numpy as np
import pynwb
import pytest
import quantities as pq
import xarray as xr
from recording_samples import both, nwb_tables, signals_only, spikes_only, write_hdf5, write_phy

import equipoise as eq
from equipoise import measures, recordings
from equipoise.results import Epoch
from equipoise.units import Hz, ms, mV

with warnings.catch_warnings():
    # pynapple and MNE warn on import of how they were installed.
    warnings.simplefilter("ignore")
    import mne
    import pynapple as nap


def assert_same(one, other):
    assert recordings.digest(one) == recordings.digest(other)
    assert dict(one.labels) == dict(other.labels)


@pytest.mark.parametrize("sample", [spikes_only, signals_only, both])
@pytest.mark.parametrize("suffix", [".nwb", ".nc"])
def test_files_give_back_every_bit(sample, suffix, tmp_path):
    path = recordings.save(sample(), tmp_path / f"saved{suffix}")
    assert_same(sample(), recordings.load(path))


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_tables_give_back_every_bit(suffix, tmp_path):
    path = recordings.save(spikes_only(), tmp_path / f"saved{suffix}")
    assert_same(spikes_only(), recordings.load(path))
    with pytest.raises(ValueError, match=r"tables hold spikes, not signals; save as \.nwb or \.nc"):
        recordings.save(both(), tmp_path / f"other{suffix}")
    assert not (tmp_path / f"other{suffix}").exists()


@pytest.mark.parametrize("convert", [recordings.to_neo, recordings.to_xarray])
@pytest.mark.parametrize("sample", [spikes_only, signals_only, both])
def test_objects_give_back_every_bit(sample, convert):
    assert_same(sample(), recordings.load(convert(sample())))


def test_a_table_alone_is_a_tidy_table(tmp_path):
    path = recordings.save(spikes_only(), tmp_path / "saved.csv")
    assert path.read_text("utf-8").splitlines()[0] == "time,unit,type,region,quality"
    first = spikes_only().spikes.times[0]
    assert float(path.read_text("utf-8").splitlines()[1].split(",")[0]) == first
    (tmp_path / "saved.recording.json").unlink()
    with pytest.raises(ValueError, match="unknown column 'quality'"):
        recordings.load(path)


def test_saved_nwb_files_are_valid(tmp_path):
    path = recordings.save(both(), tmp_path / "saved.nwb")
    assert not list(pynwb.validate(path=str(path)) or [])
    with pynwb.NWBHDF5IO(str(path), "r") as io:
        file = io.read()
        np.testing.assert_array_equal(file.units["spike_times"][0], both().spikes.unit(0))
        assert list(file.units["unit_name"]) == list(both().unit_names)
        assert file.acquisition["lfp"].unit == "volts"


def test_saving_says_what_it_takes(tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.nwb, \.nc, \.csv, \.tsv, \.parquet, got '\.mat'"):
        recordings.save(spikes_only(), tmp_path / "a.mat")
    with pytest.raises(TypeError, match="recording must be a Recording, got str"):
        recordings.save("a.nwb", tmp_path / "a.nc")  # type: ignore[arg-type]


# --- NWB --------------------------------------------------------------------------------------------------------------
def test_an_nwb_file_of_somebody_else(tmp_path):
    recording = recordings.load(write_hdf5(tmp_path / "a.nwb", nwb_tables()))
    assert recording.unit_names == ("4", "9", "11")
    assert [t.tolist() for t in recording.spikes] == [[0.5, 1.5, 2.5], [], [0.25, 3.75]]
    assert (recording.spikes.t_start, recording.spikes.t_stop) == (0.0, 10.0)
    assert recording.labels["type"] == ("E", "I", "")
    assert recording.labels["cell_type"] == ("Pyramidal Cell", "PV interneuron", "unclear")
    assert recording.labels["region"] == ("CA3", "CA1", "CA3")
    assert recording.epochs == (Epoch("sleep", 0.0, 4.0), Epoch("wake", 4.0, 9.0), Epoch("sleep 2", 9.0, 10.0))
    lfp = recording.signals["lfp"]
    np.testing.assert_allclose(lfp.values, [[2e-6, 12e-6, 22e-6], [52e-6, 102e-6, 152e-6]], rtol=1e-12)
    assert (lfp.names, lfp.unit, lfp.t_start, lfp.sampling_rate) == (("1", "0"), "V", 1.0, 2.0)


def test_parts_of_an_nwb_file_are_chosen(tmp_path):
    path = write_hdf5(tmp_path / "a.nwb", nwb_tables())
    with h5py.File(path, "r+") as file:
        place = file.create_group("processing/behavior/position")
        place.attrs["neurodata_type"] = "TimeSeries"
        place["data"], place["timestamps"] = np.ones((3, 2)), np.array([0.0, 1.0, 5.0])
    assert list(recordings.load(path).signals) == ["lfp"]
    position = recordings.load(recordings.NWB(path, signals=("position",)))
    with pytest.raises(ValueError, match=r"samples of /processing/behavior/position must be evenly spaced"):
        position.signals["position"]
    trials = recordings.load(recordings.NWB(path, intervals="trials", signals=()))
    assert trials.epochs == (Epoch("trials", 0.0, 1.0), Epoch("trials 2", 1.0, 2.0))
    assert not trials.signals
    with pytest.raises(ValueError, match=r"has no intervals 'trails'\. Did you mean 'trials'"):
        recordings.load(recordings.NWB(path, intervals="trails"))
    with pytest.raises(ValueError, match=r"has no series 'lpf'\. Did you mean 'lfp'"):
        recordings.load(recordings.NWB(path, signals=("lpf",)))


def test_signals_of_a_file_are_read_when_asked_for(tmp_path):
    path = recordings.save(both(), tmp_path / "saved.nwb")
    recording = recordings.load(path)
    with h5py.File(path, "r+") as file:
        file["acquisition/lfp/data"][:] = 3.0
    assert list(recording.signals) == ["lfp", "speed"]
    assert "signals: lfp, speed" in repr(recording)
    assert (recording.signals["lfp"].values == 3.0).all()
    assert recording.signals["lfp"] is recording.signals["lfp"]
    assert pickle.loads(pickle.dumps(recording)).signals["speed"].names == ("x",)


def test_spikes_of_a_file_are_not_copied(tmp_path):
    path = recordings.save(spikes_only(), tmp_path / "saved.nwb")
    spikes = recordings.load(path).spikes
    measures.cv(spikes)
    times, _ = spikes.grouped()
    assert measures.group(spikes).times is times
    assert not {"times", "units"} & set(vars(spikes))


def test_gaps_of_the_observation_are_told(tmp_path):
    """Shared by all units they make epochs; else each unit says when it was observed."""
    tables = {name: value for name, value in nwb_tables().items() if name.startswith("units")}
    shared = {"units/obs_intervals": np.array([[0.0, 2.6], [3.0, 10.0]] * 3), "units/obs_intervals_index": [2, 4, 6]}
    recording = recordings.load(write_hdf5(tmp_path / "a.nwb", tables | shared | {"units/electrodes": None}))
    assert recording.epochs == (Epoch("observed", 0.0, 2.6), Epoch("observed 2", 3.0, 10.0))
    assert "observed" not in recording.labels
    own = recordings.load(write_hdf5(tmp_path / "b.nwb", tables | {"units/electrodes": None}))
    assert own.labels["observed"] == ("0 to 2 s, 3 to 10 s", "0 to 10 s", "0 to 10 s")
    assert own.epochs == (Epoch("all", 0.0, 10.0),)


def test_epochs_without_a_length_are_left_out(tmp_path):
    changes = {"intervals/epochs/stop_time": np.array([4.0, 4.0, 12.0])}
    recording = recordings.load(write_hdf5(tmp_path / "a.nwb", nwb_tables() | changes))
    assert recording.epochs == (Epoch("sleep", 0.0, 4.0), Epoch("sleep 2", 9.0, 10.0))
    unknown = {"intervals/epochs/stop_time": np.array([4.0, np.nan, 12.0])}
    path = write_hdf5(tmp_path / "b.nwb", nwb_tables() | unknown)
    with pytest.raises(ValueError, match=r"row 1: goes from 4 to nan s\. Choose .* or none with intervals=None"):
        recordings.load(path)
    assert recordings.load(recordings.NWB(path, intervals=None)).epochs == (Epoch("all", 0.0, 10.0),)


# --- Phy --------------------------------------------------------------------------------------------------------------
def test_phy_folders(tmp_path):
    folder = write_phy(tmp_path / "sorted")
    recording = recordings.load(folder)
    assert recording.unit_names == ("0", "3")
    assert [t.tolist() for t in recording.spikes] == [[1.0, 5.0], []]
    every = recordings.load(recordings.Phy(folder, groups=None))
    assert every.unit_names == ("0", "1", "2", "3", "5")
    assert every.labels["group"] == ("good", "mua", "noise", "good", "unsorted")
    assert recordings.load(recordings.Phy(folder, groups=("mua",)), t_stop=9.0).spikes.t_stop == 9.0


def test_whoever_curated_is_believed_before_the_sorter(tmp_path):
    """Whatever the order of columns; without any verdict of a person the sorter's counts."""
    folder = write_phy(tmp_path / "sorted", group=None)
    info = folder / "cluster_info.tsv"
    info.write_text("id\tgroup\tKSLabel\n0\tmua\tgood\n1\tgood\tmua\n2\t\tgood\n", encoding="utf-8-sig")
    assert recordings.load(folder).unit_names == ("1",)
    assert recordings.load(recordings.Phy(folder, groups=None)).labels["group"][:3] == ("mua", "good", "unsorted")
    info.write_text("cluster_id\tKSLabel\tgroup\n0\tgood\t\n1\tmua\t\n2\tgood\t\n")
    assert recordings.load(folder).unit_names == ("0", "2")


def test_the_parameters_of_phy_are_never_run(tmp_path):
    params = "from pathlib import Path\nPath('ran').touch()\nsample_rate = 10.0\n"
    folder = write_phy(tmp_path / "sorted", params=params.replace("ran", str(tmp_path / "ran")))
    assert recordings.load(folder).spikes.n_spikes == 2
    assert not (tmp_path / "ran").exists()


# --- objects of other packages ----------------------------------------------------------------------------------------
def test_neo_objects_bring_their_units():
    segment = neo.Segment()
    segment.spiketrains.append(neo.SpikeTrain([500.0, 1500.0] * pq.ms, t_start=0 * pq.ms, t_stop=2 * pq.s))
    segment.spiketrains.append(neo.SpikeTrain([] * pq.ms, t_start=0 * pq.ms, t_stop=3 * pq.s))
    values = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    segment.analogsignals.append(neo.AnalogSignal(values, units="uV", sampling_rate=1 * pq.kHz, name="eeg"))
    segment.epochs.append(neo.Epoch([0, 500] * pq.ms, [500, 500] * pq.ms, labels=["a", "b"]))
    recording = recordings.load(segment)
    assert [t.tolist() for t in recording.spikes] == [[0.5, 1.5], []]
    assert (recording.spikes.t_stop, recording.epochs) == (3.0, (Epoch("a", 0.0, 0.5), Epoch("b", 0.5, 1.0)))
    np.testing.assert_allclose(recording.signals["eeg"].values, 1e-6 * values.T, rtol=1e-14)
    assert recording.signals["eeg"].sampling_rate == 1000.0
    block = neo.Block()
    block.segments.extend([segment, segment])
    with pytest.raises(ValueError, match="has 2 segments, each with a clock of its own; load one"):
        recordings.load(block)


def test_pynapple_objects():
    support = nap.IntervalSet([0.0, 3.0], [2.0, 6.0])
    columns = {"location": ["ca1", "adn"], "type": ["pE", "?"]}
    group = nap.TsGroup({3: nap.Ts([0.5, 1.0]), 9: nap.Ts([4.0, 5.0])}, time_support=support, metadata=columns)
    recording = recordings.load(group)
    assert recording.unit_names == ("3", "9")
    assert recording.epochs == (Epoch("epoch", 0.0, 2.0), Epoch("epoch 2", 3.0, 6.0))
    assert (recording.labels["region"], recording.labels["type"]) == (("ca1", "adn"), ("E", ""))
    named = nap.IntervalSet([0.0, 1.5], [1.0, 2.0], metadata={"label": ["rest", "task"]})
    assert recordings.load(group, epochs=named).epochs == (Epoch("rest", 0.0, 1.0), Epoch("task", 1.5, 2.0))
    frame = nap.TsdFrame(np.arange(10) / 4.0, np.ones((10, 2)), columns=["x", "y"])
    signals = recordings.load(frame).signals["signals"]
    assert (signals.names, signals.sampling_rate) == (("x", "y"), 4.0)
    with pytest.raises(ValueError, match=r"must be evenly spaced, got a step of 2 s after 2 s"):
        recordings.load(nap.Tsd(np.array([0.0, 1.0, 2.0, 4.0]), np.ones(4)))


def test_mne_raws_share_a_clock_with_their_annotations():
    info = mne.create_info(["Fz", "Cz", "M1"], 100.0, ["eeg", "eeg", "mag"])
    values = 1e-5 * np.random.default_rng(0).normal(size=(3, 1000))
    raw = mne.io.RawArray(values, info, first_samp=50, verbose=False)
    raw.set_annotations(mne.Annotations([1.0, 4.0, 9.0], [2.0, 0.0, 1.0], ["rest", "blink", "rest"]))
    recording = recordings.load(raw)
    np.testing.assert_array_equal(recording.signals["potential"].values, values[:2])
    assert (recording.signals["field"].unit, recording.spikes.t_stop) == ("T", 10.0)
    assert recording.epochs == (Epoch("rest", 1.0, 3.0), Epoch("rest 2", 9.0, 10.0))


def test_edf_files_are_in_volts(tmp_path):
    wave = 50.0 * np.sin(np.arange(2560) / 10.0)
    channels = [edfio.EdfSignal(wave, 256, label=name, physical_dimension="uV") for name in ("Fz", "Cz")]
    channels.append(edfio.EdfSignal(np.arange(20.0), 2, label="temp", physical_dimension="degC"))
    notes = [edfio.EdfAnnotation(1, 3, "rest"), edfio.EdfAnnotation(5, None, "beep")]
    edfio.Edf(channels, annotations=notes).write(tmp_path / "a.edf")
    recording = recordings.load(tmp_path / "a.edf")
    potential = recording.signals["potential"]
    assert (potential.names, potential.unit, potential.sampling_rate) == (("Fz", "Cz"), "V", 256.0)
    np.testing.assert_allclose(potential.values[0], 1e-6 * wave, atol=2e-9)  # 16 bits over 100 uV
    assert (recording.signals["degC"].unit, recording.epochs) == ("degC", (Epoch("rest", 1.0, 4.0),))
    raw = mne.io.read_raw_edf(tmp_path / "a.edf", verbose=False, include=["Fz", "Cz"])
    np.testing.assert_allclose(recordings.load(raw).signals["potential"].values, potential.values, atol=1e-12)


def test_arrays_over_time_are_signals(tmp_path):
    coords = {"time": np.arange(100) / 50.0, "channel": ["a", "b"]}
    array = xr.DataArray(np.ones((100, 2)), coords, ("time", "channel"), "lfp", {"units": "mV"})
    for source in (array, array.to_dataset()):
        lfp = recordings.load(source).signals["lfp"]
        assert (lfp.names, lfp.unit, lfp.sampling_rate, lfp.values[0, 0]) == (("a", "b"), "V", 50.0, 1e-3)
    array.to_netcdf(tmp_path / "lfp.nc", engine="h5netcdf")
    assert recordings.load(tmp_path / "lfp.nc").signals["lfp"].duration == 2.0
    with pytest.raises(ValueError, match="has no array over the dimension 'time'"):
        recordings.load(xr.Dataset({"x": ("y", [1.0])}))


def test_what_makes_no_recording_is_named():
    with pytest.raises(
        TypeError, match=r"no recording is made of builtins\.dict\. Give a path, a run, or an object of"
    ):
        recordings.load({"times": [1.0]})
    with pytest.raises(TypeError, match="epochs must be Epochs such as Epoch"):
        recordings.load(recordings.to_neo(spikes_only()), epochs=[("a", 0, 1)])
    with pytest.raises(ValueError, match=r"its times are in s by its format, so that time_unit='ms' does not apply"):
        recordings.load(recordings.to_neo(spikes_only()), time_unit="ms")


# --- runs -------------------------------------------------------------------------------------------------------------
def _network():
    """Excitation and inhibition that fire, and a population without projections, which is of no type."""
    lif = eq.LIF(tau_m=10 * ms, v_threshold=20 * mV, v_reset=10 * mV, v_leak=0.0, tau_ref=2 * ms)
    drive = {"weight": 1 * mV, "connectivity": eq.FixedInDegree(100)}
    return eq.Circuit(
        populations=[eq.Population(name, size=20, neuron=lif) for name in ("exc", "inh", "alone")]
        + [eq.Source("X", rate=40 * Hz)],
        projections=[
            eq.Projection(source="X", target="exc", **drive), eq.Projection(source="X", target="inh", **drive),
            eq.Projection(source="exc", target="inh", weight=0.1 * mV, connectivity=eq.FixedInDegree(5)),
            eq.Projection(source="inh", target="exc", weight=-0.1 * mV, connectivity=eq.FixedInDegree(5)),
        ],
    )  # fmt: skip


def test_runs_load_alike_as_objects_files_and_directories(tmp_path):
    record = {"memory": eq.spiking.Record(cells=8), "disk": eq.spiking.Record(cells=8, to=tmp_path / "run.zarr")}
    run, _ = (eq.spiking.simulate(_network(), duration=0.2, seed=1, record=one) for one in record.values())
    recording = recordings.load(run)
    assert recording.spikes.n_spikes > 100
    np.testing.assert_array_equal(recording.spikes.times, run.spikes.times)
    np.testing.assert_array_equal(recording.spikes.unit(8), run.spikes_of("inh").unit(0))
    assert recording.unit_names[8] == "inh 0"
    assert recording.labels["type"] == 8 * ("E",) + 8 * ("I",) + 8 * ("",)
    assert recording.labels["population"] == 8 * ("exc",) + 8 * ("inh",) + 8 * ("alone",)
    assert recording.spikes.t_stop == run.duration
    assert_same(recording, recordings.load(eq.spiking.save(run, tmp_path / "run.nc")))
    assert_same(recording, recordings.load(tmp_path / "run.zarr"))


def test_the_extra_is_named_where_a_package_is_missing():
    code = (
        "import sys; sys.modules['pynwb'] = None\n"
        "from equipoise import recordings\n"
        "recordings.save(recordings.example('grasshopper'), 'x.nwb')"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stderr
    assert "writing NWB needs pynwb, which is not installed. Use pip install 'equipoise[data]'." in said


def test_no_format_is_imported_before_it_is_needed():
    code = "import sys, equipoise; print([m for m in ('h5py', 'pynwb', 'neo', 'pyarrow', 'mne') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_other_examples():
    eeg = recordings.example("eeg")
    assert [e.name for e in eeg.epochs[:3]] == ["eyes closed 1", "eyes open 1", "eyes closed 2"]
    assert (eeg.signals["eeg"].values.shape, eeg.signals["eeg"].unit) == ((1, 60_508), "")
    assert [t.size for t in recordings.example("grasshopper").spikes] == [929, 868]
    with pytest.raises(ValueError, match=r"no example 'egg'\. Did you mean 'eeg'"):
        recordings.example("egg")
