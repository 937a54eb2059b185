"""Damaged and wrong recordings are refused with the place and the reason; nothing else ever leaves `load`."""

import shutil

import edfio
import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recording_samples import both, nwb_tables, spikes_only, write_hdf5, write_phy

from equipoise import recordings

NWB_FAULTS = {
    "no ids": ({"units/id": None}, r"a\.nwb has no dataset /units/id; there are "),
    "no times": ({"units/spike_times": None}, r"has no dataset /units/spike_times"),
    "no index": ({"units/spike_times_index": None}, r"has no dataset /units/spike_times_index"),
    "twice an id": ({"units/id": np.array([4, 9, 4])}, r"unit names must differ, got 4 more than once"),
    "integers": (
        {"units/spike_times": np.array([1, 2, 3, 1, 2])},
        r"/units/spike_times must hold floating-point numbers \(s\), got int64\. Are they sample numbers",
    ),
    "text": ({"units/spike_times": np.array(["x"], object)}, r"must hold floating-point numbers \(s\), got object"),
    "not finite": (
        {"units/spike_times": np.array([0.5, np.nan, 2.5, 0.25, 3.75])},
        r"spike 1: times must be finite, got nan in unit 4",
    ),
    "unsorted": (
        {"units/spike_times": np.array([0.5, 1.5, 2.5, 3.75, 0.25])},
        r"spike 4: the times of a unit must be sorted, unit 11 goes back to 0\.25",
    ),
    "negative": (
        {"units/spike_times": np.array([-0.5, 1.5, 2.5, 0.25, 3.75])},
        r"times must not lie before t_start=0 s, got -0\.5 s",
    ),
    "outside": (
        {"units/spike_times": np.array([0.5, 1.5, 2.5, 0.25, 13.75])},
        r"times must lie in \[0, 10\] s, got 13\.75 s",
    ),
    "index too far": ({"units/spike_times_index": np.array([3, 3, 7])}, r"_index must hold integers in \[0, 5"),
    "index too short": ({"units/spike_times_index": np.array([3, 3, 4])}, r"got 5 values and a last entry of 4"),
    "index falls": ({"units/spike_times_index": np.array([3, 2, 5])}, r"spike_times_index must rise to the number"),
    "index of floats": ({"units/spike_times_index": np.array([3.0, 3, 5])}, r"integers in \[0, 5\], got float64"),
    "index negative": ({"units/spike_times_index": np.array([-1, 3, 5])}, r"integers in \[0, 5\], got int64 "),
    "too few": ({"units/spike_times_index": np.array([3, 5])}, r"must have one entry per unit, 3, got 2"),
    "square times": ({"units/spike_times": np.ones((5, 2))}, r"/units/spike_times must be 1-D, got shape \(5, 2\)"),
    "observed": (
        {"units/obs_intervals": np.array([[2.0, 0.0]] * 4)},
        r"every interval of obs_intervals must be finite and start before it stops",
    ),
    "flat observed": ({"units/obs_intervals": np.ones(4)}, r"obs_intervals must be pairs of start and stop"),
    "electrodes": ({"units/electrodes": np.array([1, 2, 1])}, r"units/electrodes must hold integers in \[0, 1\]"),
    "epoch backwards": (
        {"intervals/epochs/stop_time": np.array([4.0, 3.0, 12.0])},
        r"/intervals/epochs, row 1: goes from 4 to 3 s",
    ),
    "tags": ({"intervals/epochs/tags_index": np.array([1, 2, 9])}, r"tags_index must hold integers in \[0, 3\]"),
    "sample numbers": (
        {
            "units/spike_times": np.arange(3e2) * 3e4, "units/spike_times_index": np.array([300, 300, 300]),
            "units/obs_intervals": None, "intervals/epochs/start_time": None,
        },
        r"hardly an interval between spikes is below 0\.5 s|has no dataset /intervals/epochs/start_time",
    ),
    "nothing": (dict.fromkeys(nwb_tables()), r"has no units and no series; it has nothing"),
}  # fmt: skip


@pytest.mark.parametrize("fault", NWB_FAULTS)
def test_faults_of_an_nwb_file_are_named(fault, tmp_path):
    changes, message = NWB_FAULTS[fault]
    with pytest.raises(ValueError, match=message):
        recordings.load(write_hdf5(tmp_path / "a.nwb", nwb_tables() | changes))


def test_seconds_forgotten_in_an_nwb_file_are_noticed(tmp_path):
    times = np.cumsum(np.random.default_rng(0).exponential(500.0, 300))
    tables = {"units/id": np.array([1]), "units/spike_times": times, "units/spike_times_index": np.array([300])}
    with pytest.raises(ValueError, match=r"hardly an interval .* Are the times ms"):
        recordings.load(write_hdf5(tmp_path / "a.nwb", tables))


def test_an_nwb_file_whose_writing_broke_off_is_refused(tmp_path):
    path = write_hdf5(tmp_path / "a.nwb", nwb_tables() | {"units/spike_times": None})
    with h5py.File(path, "r+") as file:
        times = file["units"].create_dataset("spike_times", (5,), dtype=float, chunks=(2,))
        times[:3] = [0.5, 1.5, 2.5]
    with pytest.raises(ValueError, match=r"/units/spike_times was never written to its end"):
        recordings.load(path)


def test_faults_of_a_series_come_when_it_is_asked_for(tmp_path):
    changes = {"processing/ecephys/LFP/lfp/data": np.array([[1.0, 2.0], [np.nan, 1.0], [1.0, 2.0]])}
    recording = recordings.load(write_hdf5(tmp_path / "a.nwb", nwb_tables() | changes))
    with pytest.raises(ValueError, match=r"series processing/ecephys/LFP/lfp: .* got nan in channel '1' at sample 1"):
        recording.signals["lfp"]


PHY_FAULTS = {
    "lengths": ({"clusters": np.array([0, 1])}, r"every spike needs a cluster, got 6 times and 2 clusters"),
    "unsorted": ({"times": np.array([10, 20, 30, 40, 5, 60])}, r"unit 0 goes back to 5"),
    "negative": ({"times": np.array([-10, 20, 30, 40, 50, 60])}, r"must not lie before t_start=0 s, got -1 s"),
    "objects": ({"times": np.array([None] * 6)}, r"sorted/spike_times\.npy is no readable \.npy file"),
    "text": ({"times": np.array(list("abcdef"))}, r"the array must be a 1-D array of numbers"),
    "half clusters": ({"clusters": np.array([0.5] * 6)}, r"clusters must be integers"),
    "no rate": ({"params": "dtype = 'int16'\n"}, r"params\.py: needs a line such as 'sample_rate = 30000\.0'"),
    "rate computed": ({"params": "sample_rate = 3 * 10\n"}, r"needs a line such as 'sample_rate = 30000\.0'"),
    "no python": ({"params": "sample_rate = = 3\n"}, r"sorted/params\.py is no readable list of parameters"),
    "no groups": ({"group": None}, r"has no verdict on its clusters .*Take all with"),
    "none good": ({"group": "cluster_id\tgroup\n0\tmua\n"}, r"has no clusters of the groups good; it has 1 mua, 3 uns"),
    "twice": ({"group": "cluster_id\tgroup\n0\tgood\n0\tmua\n"}, r"cluster 0 stands there more than once"),
    "short row": ({"group": "cluster_id\tgroup\n0\n"}, r"cluster_group\.tsv, line 2: needs 2 fields"),
    "bad id": ({"group": "cluster_id\tgroup\nx\tgood\n"}, r"cluster_id must be a whole number, got 'x'"),
}


@pytest.mark.parametrize("fault", PHY_FAULTS)
def test_faults_of_a_phy_folder_are_named(fault, tmp_path):
    changes, message = PHY_FAULTS[fault]
    with pytest.raises(ValueError, match=message):
        recordings.load(write_phy(tmp_path / "sorted", **changes))


def test_a_phy_folder_without_a_part_says_which(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"has no file 'spike_clusters\.npy'"):
        recordings.load(write_phy(tmp_path / "sorted", clusters=None))


def test_what_was_saved_with_a_table_must_fit(tmp_path):
    path = recordings.save(spikes_only(), tmp_path / "a.csv")
    beside = tmp_path / "a.recording.json"
    text = beside.read_text("utf-8")
    for wrong, message in ((text[:40], "a.recording.json is no readable JSON"), ("[]", None), ("{}", "unknown column")):
        beside.write_text(wrong, "utf-8")
        with pytest.raises(ValueError, match=message):
            recordings.load(path)
    beside.write_text(text.replace('"u1"', '"u2"'), "utf-8")
    with pytest.raises(ValueError, match="unit 'u1' is not among those that were saved with the table"):
        recordings.load(path)


# --- fuzzing ----------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def wholes(tmp_path_factory):
    """One sound file of each format."""
    folder = tmp_path_factory.mktemp("sound")
    for suffix in (".nwb", ".nc"):
        recordings.save(both(), folder / f"whole{suffix}")
    for suffix in (".csv", ".parquet"):
        recordings.save(spikes_only(), folder / f"whole{suffix}")
    spikes = spikes_only().spikes
    arrays = {"times": spikes.times, "unit": spikes.units, "region": list("abcd"), "t_start": -2.0}
    np.savez(folder / "whole.npz", **arrays, signals=np.zeros((2, 9)), sampling_rate=3.0)
    edfio.Edf([edfio.EdfSignal(np.sin(np.arange(256.0)), 256, label="Fz", physical_dimension="uV")]).write(
        folder / "whole.edf"
    )
    return folder


@st.composite
def _damage(draw):
    """Where to cut, or which bytes to replace, as fractions of the length; headers are hit more often."""
    if draw(st.booleans()):
        return draw(st.floats(0.0, 0.999)), []
    place = st.one_of(st.floats(0.0, 0.999), st.floats(0.0, 0.05))
    return 1.0, draw(st.lists(st.tuples(place, st.integers(0, 255)), min_size=1, max_size=6))


@pytest.mark.parametrize("suffix", [".npz", ".csv", ".parquet", ".nwb", ".nc", ".edf"])
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(damage=_damage())
def test_damaged_bytes_are_refused_or_make_a_sound_recording(suffix, damage, wholes, tmp_path_factory):
    keep, changes = damage
    data = bytearray((wholes / f"whole{suffix}").read_bytes())
    for place, byte in changes:
        data[int(place * len(data))] = byte
    path = tmp_path_factory.getbasetemp() / f"damaged{suffix}"
    path.write_bytes(data[: int(keep * len(data))])
    if suffix == ".csv":
        shutil.copy(wholes / "whole.recording.json", path.with_name("damaged.recording.json"))
    _sound_or_refused(path, must_refuse=keep < 1.0 and suffix in (".npz", ".parquet", ".nwb", ".nc"))


def _sound_or_refused(path, *, must_refuse=False):
    try:
        recording = recordings.load(path)
        signals = dict(recording.signals)
    except (ValueError, FileNotFoundError) as error:
        recording, signals, said = None, {}, str(error)
    if recording is None:
        assert said.startswith("recordings.load: ")
        return
    assert not must_refuse
    for times in recording.spikes:
        assert (np.diff(times) >= 0).all()
        assert np.isfinite(times).all()
    assert all(np.isfinite(one.values).all() for one in signals.values())


_NUMBERS = st.sampled_from([-1, 0, 3, 2**31, 2**63 - 1, -1.5, 0.5, 1e300, np.nan, np.inf])
_VALUES = st.one_of(
    st.none(), _NUMBERS.map(np.array), st.lists(_NUMBERS, max_size=6).map(np.array),
    st.just(np.array(["x", "y", "z"], object)), st.just(np.zeros((3, 2))), st.just(np.array([True, False, True])),
)  # fmt: skip


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(changes=st.dictionaries(st.sampled_from([p for p in nwb_tables() if "@" not in p]), _VALUES, max_size=3))
def test_altered_fields_of_nwb_are_refused_or_make_a_sound_recording(changes, tmp_path_factory):
    tables = nwb_tables() | changes
    tables = {p: value for p, value in tables.items() if "@" not in p or tables.get(p.partition("@")[0], 0) is not None}
    _sound_or_refused(write_hdf5(tmp_path_factory.getbasetemp() / "altered.nwb", tables))


_ARRAYS = {
    "times": np.array([0.5, 1.5, 0.75]), "unit": np.array([0, 0, 1]), "unit_names": np.array(["a", "b", "c"]),
    "type": np.array(["E", "", "I"]), "t_stop": np.array(4.0), "epoch": np.array(["x"]), "epoch_start": np.array([0.0]),
    "epoch_stop": np.array([2.0]), "signals": np.zeros((2, 8)), "sampling_rate": np.array(2.0), "fs": np.array(2.0),
    "sample": np.array([1, 2, 3]), "signal_start": np.array(0.0), "channel_names": np.array(["p", "q"]),
}  # fmt: skip


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(changes=st.dictionaries(st.sampled_from(list(_ARRAYS)), _VALUES, max_size=4))
def test_altered_arrays_are_refused_or_make_a_sound_recording(changes, tmp_path_factory):
    arrays = {name: value for name, value in (_ARRAYS | changes).items() if value is not None}
    path = tmp_path_factory.getbasetemp() / "altered.npz"
    np.savez(path, **arrays)
    _sound_or_refused(path)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    place=st.sampled_from([*recordings.to_xarray(both()).variables, "t_start", "t_stop"]), value=_VALUES, data=st.data()
)
def test_altered_datasets_are_refused_or_make_a_sound_recording(place, value, data):
    dataset = recordings.to_xarray(both())
    if place in dataset.attrs:
        dataset.attrs[place] = value
    elif value is None or value.ndim != 1 or not value.size:
        dataset = dataset.drop_vars(place)
    else:
        size = dataset[place].size
        at = data.draw(st.integers(0, size - 1))
        changed = dataset[place].values.astype(object).ravel()
        changed[at] = value[0]
        kind = dataset[place].dtype if value.dtype.kind in "if" and dataset[place].dtype.kind == "f" else object
        dataset[place] = (dataset[place].dims, changed.reshape(dataset[place].shape).astype(kind))
    _sound_or_refused(dataset)


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    changes=st.dictionaries(
        st.sampled_from(["times", "clusters", "params", "group"]),
        st.one_of(st.none(), _VALUES, st.text(max_size=40)),
        max_size=2,
    )
)
def test_altered_parts_of_phy_are_refused_or_make_a_sound_recording(changes, tmp_path_factory):
    folder = tmp_path_factory.getbasetemp() / "altered"
    shutil.rmtree(folder, ignore_errors=True)
    texts = {k: v if v is None else str(v) for k, v in changes.items() if k in ("params", "group")}
    arrays = {k: v if v is None else np.asarray(v) for k, v in changes.items() if k in ("times", "clusters")}
    _sound_or_refused(write_phy(folder, **texts, **arrays))
