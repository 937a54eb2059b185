"""Loading recordings: layouts, silent units, epochs, and every complaint with its advice."""

import numpy as np
import pytest

from equipoise import recordings
from equipoise.results import Epoch, Recording, SpikeTrains


def poisson_units(seed=0, n_units=3, rate=5.0, duration=100.0):
    rng = np.random.default_rng(seed)
    trains = [np.sort(rng.uniform(0, duration, rng.poisson(rate * duration))) for _ in range(n_units)]
    return np.concatenate(trains), np.repeat(np.arange(n_units), [t.size for t in trains])


@pytest.fixture
def write_csv(tmp_path):
    def write(text, name="recording.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


@pytest.fixture
def write_npz(tmp_path):
    def write(**arrays):
        path = tmp_path / "recording.npz"
        np.savez(path, **arrays)
        return path

    return write


def test_the_example_is_the_published_recording():
    recording = recordings.example()
    assert recording.spikes.n_units == 15
    assert recording.spikes.times.size == 98_794
    assert recording.labels["region"] == 7 * ("adn",) + 8 * ("ca1",)
    assert recording.epochs == (Epoch("sleep", 0.0, 600.0), Epoch("wake", 600.0, 1200.0))
    assert recording.spikes.times[0] == 169 / 20_000


def test_one_recording_has_one_digest_in_every_layout(write_csv, write_npz):
    times, unit = poisson_units()
    order = np.argsort(times, kind="stable")
    rows = [f"{t!r},{u}" for t, u in zip(times.tolist(), unit, strict=True)]
    grouped = recordings.load(write_csv("time,unit\n" + "\n".join(rows)), t_stop=100.0)
    by_time = recordings.load(write_csv("time,unit\n" + "\n".join(np.array(rows)[order])), t_stop=100.0)
    from_npz = recordings.load(write_npz(times=times, unit=unit, t_stop=100.0))
    in_ms = recordings.load(write_npz(times=times[order] * 1e3, unit=unit[order]), t_stop=100.0, time_unit="ms")
    assert recordings.digest(grouped) == recordings.digest(by_time) == recordings.digest(from_npz)
    np.testing.assert_allclose(in_ms.spikes.times, grouped.spikes.times, rtol=1e-15)
    other = recordings.load(write_npz(times=times, unit=unit, t_stop=101.0))
    assert recordings.digest(other) != recordings.digest(grouped)


def test_samples_bring_their_own_clock(write_npz):
    path = write_npz(sample=np.array([30, 60, 90], np.uint32), unit=np.zeros(3, np.uint8), fs=30.0, t_stop=9.0)
    np.testing.assert_array_equal(recordings.load(path).spikes.times, [1.0, 2.0, 3.0])
    path = write_npz(times=np.array([30.0, 60.0, 90.0]), unit=np.zeros(3, int))
    np.testing.assert_allclose(recordings.load(path, time_unit=1 / 30, t_stop=9.0).spikes.times, [1.0, 2.0, 3.0])


def test_silent_units_survive_by_name(write_npz, write_csv):
    path = write_npz(
        times=np.array([1.0, 2.0]), unit=np.array([2, 2]), unit_names=np.array(["a", "b", "c"]), t_stop=4.0
    )
    recording = recordings.load(path)
    assert recording.unit_names == ("a", "b", "c")
    assert [t.size for t in recording.spikes] == [0, 0, 2]
    path = write_csv("time,unit,type\n0.5,7,E\n0.6,10,I\n0.7,7,E\n")
    recording = recordings.load(path, units=["6", "7", "10"], t_stop=1.0)
    assert recording.unit_names == ("6", "7", "10")
    assert recording.labels == {"type": ("", "E", "I")}
    assert recordings.load(path).unit_names == ("7", "10")


def test_epochs_and_windows(write_csv):
    path = write_csv("unit;time\na;0.5\nb;1.5\na;2.5\n")
    recording = recordings.load(path, epochs=[Epoch("early", 0.0, 1.0), Epoch("late", 1.0, 3.0)])
    assert recording.during(recording.epochs[1]).times.tolist() == [1.5, 2.5]
    assert recordings.load(path).epochs == (Epoch("all", 0.0, 2.5),)
    assert recordings.load(write_csv("time,unit\n-1.5,a\n2,a\n"), t_start=-2.0).spikes.t_start == -2.0


def test_an_epoch_may_be_a_part_of_the_recording(write_csv):
    path = write_csv("time,unit\n0.5,a\n1.5,a\n2.5,a\n")
    whole = recordings.load(path)
    assert whole.during(whole.epochs[0]).times.tolist() == [0.5, 1.5, 2.5]  # the last spike ends the window
    part = recordings.load(path, epochs=[Epoch("early", 0.0, 1.5)])
    assert part.spikes.t_stop == 2.5
    assert part.during(part.epochs[0]).times.tolist() == [0.5]
    longer = recordings.load(path, epochs=[Epoch("all", 0.0, 20.0)])
    assert longer.spikes.t_stop == 20.0


def test_epochs_far_past_the_last_spike_need_a_stated_end(write_csv):
    path = write_csv("time,unit\n0.5,a\n2,a\n")
    for epoch in (Epoch("ms", 0.0, 2000.0), Epoch("late", 2.0, 3.0)):
        with pytest.raises(ValueError, match=rf"epoch '{epoch.name}' goes from .* but the last spike is at 2 s"):
            recordings.load(path, epochs=[epoch])
        assert recordings.load(path, epochs=[epoch], t_stop=2000.0).epochs == (epoch,)


def test_upper_case_suffixes_are_read(write_csv):
    assert recordings.load(write_csv("time,unit\n1,a\n", "CELLS.CSV")).unit_names == ("a",)


def test_the_example_takes_options_within_its_window():
    half = recordings.example(epochs=[Epoch("first half", 0.0, 600.0)])
    assert half.during(half.epochs[0]).times.size == recordings.example().spikes.between(0.0, 600.0).times.size
    with pytest.raises(ValueError, match=r"epoch 'x' must lie in \[0, 1200\] s"):
        recordings.example(epochs=[Epoch("x", 0.0, 5000.0)])


FAULTS = {
    "unknown column": ("tme,unit\n1,a\n", r"unknown column 'tme'\. Did you mean 'time'\?"),
    "missing column": ("time,type\n1,a\n", r"has no column 'unit'; it has time, type"),
    "no number": ("time,unit\n1,a\nx,a\n", r"line 3: time must be a number, got 'x'"),
    "missing field": ("time,unit\n1,a\n2\n", r"line 3: needs 2 fields, got 1"),
    "not finite": ("time,unit\n1,a\nnan,a\n", r"line 3: times must be finite, got nan"),
    "no header": ("0.5,a\n1,a\n", r"first line must name the columns, such as 'time,unit', got '0\.5,a'"),
    "nothing": ("", r"first line must name the columns"),
    "twice a column": ("time,unit,unit\n1,a,b\n", r"columns must have different names, got time, unit, unit"),
    "decimal comma": ("time;unit\n0,5;a\n", r"line 2: time must be a number, got '0,5'\. Write decimals with a point"),
    "open quote": ('time,unit\n1,"a\n' + 60_000 * "2,b\n", r"no readable table .*Is a quote left open"),
    "unsorted": ("time,unit\n2,a\n3,b\n1,a\n", r"line 4: .*must be sorted, unit a goes back to 1\. Sort the file"),
    "negative": ("time,unit\n-1,a\n2,a\n", r"must not lie before t_start=0 s, got -1 s\. .*give t_start"),
    "two types": ("time,unit,type\n1,a,E\n2,a,I\n", r"type must be one per unit, unit a has both 'E' and 'I'"),
    "empty": ("time,unit\n", r"holds no spikes; name its units with units="),
    "no unit": ("time,unit\n1,a\n2,\n", r"line 3: every spike needs a unit, got ''"),
    "unit lost": ("time,unit\n1,3.0\n2,nan\n", r"line 3: every spike needs a unit, got 'nan'"),
    "no window": ("time,unit\n0,a\n", r"the window must have a length.*Give t_start and t_stop"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_a_table_are_named_with_their_line(fault, write_csv):
    text, message = FAULTS[fault]
    with pytest.raises(ValueError, match=message):
        recordings.load(write_csv(text))


@pytest.mark.parametrize(
    "text",
    [
        '"time","unit"\n0.5,10\n1.5,9\n',  # quotes around names alone, as R writes them
        "time,unit\n0.5,10.0\n1.5,9.0\n",  # whole numbers as floats, as pandas writes a column that had gaps
        "\ufefftime ; unit\r\n0.5 ; 10\r\n1.5 ; 9\r\n  \r\n",
    ],
)
def test_tables_as_others_write_them(text, write_csv):
    recording = recordings.load(write_csv(text))
    assert recording.unit_names == ("9", "10")
    assert [t.tolist() for t in recording.spikes] == [[1.5], [0.5]]


def test_names_that_look_like_numbers_are_kept_with_their_table(tmp_path):
    spikes = SpikeTrains(np.array([0.5, 1.0]), np.array([0, 1]), 2, 0.0, 2.0)
    path = recordings.save(Recording(spikes, ("007", "7.0"), (Epoch("all", 0.0, 2.0),)), tmp_path / "a.csv")
    assert recordings.load(path).unit_names == ("007", "7.0")


def test_text_in_another_encoding_is_named(tmp_path):
    path = tmp_path / "latin.csv"
    path.write_bytes("time,unit\n1.0,é\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"latin\.csv must be plain text in UTF-8, got the byte 0xe9 at 14"):
        recordings.load(path)


@pytest.mark.parametrize("keep", [0, 10, 5000])
def test_a_file_cut_short_is_named(keep, tmp_path, write_npz):
    whole = write_npz(times=np.arange(2000.0), unit=np.zeros(2000, int)).read_bytes()
    path = tmp_path / "cut.npz"
    path.write_bytes(whole[:keep])
    with pytest.raises(ValueError, match=r"cut\.npz is no readable \.npz file of plain arrays"):
        recordings.load(path)


def test_an_empty_table_with_a_window_is_a_silent_recording(write_csv):
    recording = recordings.load(write_csv("time,unit\n"), units=["a"], t_stop=10.0)
    assert recording.spikes.times.size == 0
    assert recording.unit_names == ("a",)


NPZ_FAULTS = {
    "unknown": ({"time_s": [1.0], "unit": [0]}, r"unknown array 'time_s'\. Did you mean 'time"),
    "no times": ({"unit": [0]}, r"has no array 'times'"),
    "no fs": ({"sample": [1], "unit": [0]}, r"has no array 'fs'"),
    "bad fs": ({"sample": [1], "unit": [0], "fs": -1.0}, r"fs must be one positive number"),
    "two ends": (
        {"times": [1.0], "unit": [0], "t_stop": [1.0, 2.0]},
        r"t_stop must be one finite number, got \[1\.0, 2",
    ),
    "no end": ({"times": [1.0], "unit": [0], "t_stop": np.nan}, r"t_stop must be one finite number, got nan"),
    "text times": ({"times": ["1"], "unit": [0]}, r"times must be a 1-D array of numbers"),
    "lengths": ({"times": [1.0, 2.0], "unit": [0]}, r"every spike needs a unit, got 2 times and 1 units"),
    "index": ({"times": [1.0], "unit": [3], "region": ["a", "b"]}, r"unit must hold integers in \[0, 1\]"),
    "labels": (
        {"times": [1.0], "unit": [0], "region": ["a", "b"], "type": ["E"]},
        r"type must have one entry per unit, 2, got 1",
    ),
    "half epochs": ({"times": [1.0], "unit": [0], "epoch": ["a"]}, r"has no array 'epoch_start'"),
    "epoch outside": (
        {"times": [1.0], "unit": [0], "t_stop": 2.0, "epoch": ["a"], "epoch_start": [0.0], "epoch_stop": [3.0]},
        r"epoch 'a' must lie in \[0, 2\] s",
    ),
    "outside": (
        {"times": [1.0, 5.0], "unit": [0, 0], "t_stop": 2.0},
        r"times must lie in \[0, 2\] s, got 5 s\. Give t_stop",
    ),
    "pickled": ({"times": np.array([None]), "unit": [0]}, r"no readable \.npz file of plain arrays"),
}


@pytest.mark.parametrize("fault", NPZ_FAULTS)
def test_faults_of_an_archive_are_named(fault, write_npz):
    arrays, message = NPZ_FAULTS[fault]
    with pytest.raises(ValueError, match=message):
        recordings.load(write_npz(**{k: np.asarray(v) for k, v in arrays.items()}))


def test_forgotten_units_of_time_are_found(write_npz):
    times, unit = poisson_units()
    with pytest.raises(ValueError, match=r"would last 100000 s\. Are the times ms \(time_unit='ms'\)"):
        recordings.load(write_npz(times=times * 1e3, unit=unit, t_stop=1e5))
    with pytest.raises(ValueError, match=r"Are the times sample numbers \(time_unit=1/fs\)"):
        recordings.load(write_npz(times=np.round(times * 2e4), unit=unit))
    with pytest.raises(ValueError, match=r"unit \d would fire at .* Hz over 0\.1 s\. Is time_unit too small"):
        recordings.load(
            write_npz(
                times=times,
                unit=unit,
            ),
            time_unit="ms",
            t_stop=0.1,
        )
    accepted = recordings.load(write_npz(times=times, unit=unit), time_unit="ms", t_stop=0.1, check_units=False)
    assert accepted.spikes.duration == 0.1


def test_options_are_checked(write_csv):
    path = write_csv("time,unit\n1,aa\n2,b\n")
    with pytest.raises(ValueError, match=r"unknown time_unit 'msec'\. Did you mean 'ms'\?"):
        recordings.load(path, time_unit="msec")
    with pytest.raises(ValueError, match=r"seconds per tick \(> 0\), got 0"):
        recordings.load(path, time_unit=0.0)
    with pytest.raises(ValueError, match=r"unit 'aa' is not in units\. Did you mean 'aaa'"):
        recordings.load(path, units=["aaa", "b"])
    with pytest.raises(ValueError, match="epochs must have different names"):
        recordings.load(path, epochs=[Epoch("x", 0, 1), Epoch("x", 1, 2)])


def test_files_that_are_not_there(tmp_path, write_csv):
    write_csv("time,unit\n1,a\n", "mouse_1.csv")
    with pytest.raises(FileNotFoundError, match=r"mouse1\.csv does not exist\. Did you mean 'mouse_1\.csv'"):
        recordings.load(tmp_path / "mouse1.csv")
    with pytest.raises(FileNotFoundError, match="neither does its directory"):
        recordings.load(tmp_path / "nowhere" / "a.csv")
    with pytest.raises(FileNotFoundError, match="is a directory"):
        recordings.load(tmp_path)
    with pytest.raises(ValueError, match=r"a\.mat must end in \.npz, .*, got '\.mat'"):
        recordings.load(write_csv("", "a.mat"))
