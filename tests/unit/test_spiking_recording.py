"""Recording: runs on disk as they go on, files, the line on the terminal, and what a run will need."""

import io
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

import equipoise as eq
from equipoise import cli
from equipoise.spiking import columns, estimates, kernel, progress, store
from equipoise.units import Hz, hour, ms, mV

RECORD = {"cells": 50, "bin": 0.7 * ms, "membrane": {"E": 3, "I": [5, 2]}, "every": 0.3 * ms}


def circuit(rules=False):
    lif = eq.LIF(tau_m=20 * ms, tau_ref=2 * ms, v_threshold=20 * mV, v_reset=10 * mV)
    rule = eq.CalciumHomeostasis(eq.Calcium(), target=eq.SetPoint(rate=8 * Hz, cv=0.9), tau_e=2 * hour, tau_i=1 * hour)
    inputs = {"E": (0.3 * mV, 40), "I": (-1.5 * mV, 10), "X": (0.3 * mV, 300)}
    return eq.Circuit(
        name="small",
        populations=[
            eq.Population("E", size=300, neuron=lif),
            eq.Population("I", size=100, neuron=lif),
            eq.Source("X", rate=15 * Hz),
        ],
        projections=[
            eq.Projection(source=s, target=t, weight=w, connectivity=eq.FixedInDegree(k), delay=1 * ms)
            for t in "EI"
            for s, (w, k) in inputs.items()
        ],
        rules=[eq.AttachedRule("E", rule)] if rules else [],
    )


@pytest.fixture(scope="module")
def network():
    return eq.spiking.build(circuit(rules=True), seed=1)


@pytest.fixture(scope="module")
def in_memory(network):
    return eq.spiking.run(network, duration=1.0003, warmup=20 * ms, record=eq.spiking.Record(**RECORD))


def streamed(network, path, resume=False, **more):
    record = eq.spiking.Record(**RECORD, to=path, resume=resume)
    return eq.spiking.run(network, duration=1.0003, warmup=20 * ms, record=record, **more)


def assert_same(one, other):
    for name in ("steps", "units", "counts"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    assert one.membrane.identical(other.membrane)
    assert one.homeostasis.drop_attrs().identical(other.homeostasis.drop_attrs())
    assert np.array_equal(one.end.v, other.end.v)
    assert np.array_equal(one.end.slow.values["E"]["J_EI"], other.end.slow.values["E"]["J_EI"])
    assert one.provenance == other.provenance
    assert (one.status, one.duration, one.recorded) == (other.status, other.duration, other.recorded)


# On disk --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settle", [0.0, 1e9])
def test_a_run_on_disk_equals_the_run_in_memory(network, in_memory, tmp_path, monkeypatch, settle):
    monkeypatch.setattr(store, "SETTLE_EVERY", settle)
    run = streamed(network, tmp_path / "run.zarr")
    assert in_memory.steps.size > 500
    assert len(in_memory.slow) > 2
    assert_same(run, in_memory)
    loaded = eq.spiking.load(tmp_path / "run.zarr")
    assert_same(loaded, in_memory)
    assert loaded.circuit == circuit(rules=True)
    assert repr(loaded) == repr(run)


def test_a_stretch_is_read_by_itself(network, in_memory, tmp_path):
    run = streamed(network, tmp_path / "run.zarr")
    assert isinstance(run.written.columns["spike_step"], store.Part)
    for one in (run, in_memory):
        part, whole = one.spikes_between(0.25, 0.5), in_memory.spikes
        inside = (in_memory.steps >= 2500) & (in_memory.steps < 5000)
        assert np.array_equal(part.times, whole.times[inside])
        assert np.array_equal(part.units, whole.units[inside])
        assert (part.t_start, part.t_stop) == (0.25, 0.5)
        wanted = in_memory.membrane.isel(time=slice(833, 1666))
        assert one.membrane_between(0.25, 0.5).identical(wanted)
    with pytest.raises(
        ValueError, match=r"Run: start and stop must satisfy 0 <= start < stop <= 1.0003 s, got start=0.5"
    ):
        run.spikes_between(0.5, 2.0)


def test_xarray_opens_the_directory(network, in_memory, tmp_path):
    import xarray as xr

    streamed(network, tmp_path / "run.zarr")
    with xr.open_zarr(tmp_path / "run.zarr", consolidated=False) as data:
        assert data["potential"].dims == ("sample", "cell")
        assert np.array_equal(data["spike_step"], in_memory.steps)


def test_memory_of_a_run_on_disk_is_bounded(network, tmp_path, monkeypatch):
    """What waits for the disk never exceeds the buffer by more than one slice."""
    waiting, slices, add = [], [], store.Store.add

    def watched(self, blocks):
        add(self, blocks)
        waiting.append(self.bytes)
        slices.append(sum(b.nbytes for b in blocks.values()))

    monkeypatch.setattr(store.Store, "add", watched)
    monkeypatch.setattr(store, "BUFFER_BYTES", 20_000)
    streamed(network, tmp_path / "run.zarr")
    assert sum(slices) > 10 * 20_000
    assert max(waiting) <= 20_000 + 2 * max(slices)


KILLED = """
import sys
import equipoise as eq
sys.path.insert(0, {tests!r})
from equipoise.spiking import store
from test_spiking_recording import RECORD, circuit
store.SETTLE_EVERY = 0.05
network = eq.spiking.build(circuit(), seed=1, threads=1)
eq.spiking.run(network, duration=10_000.0, record=eq.spiking.Record(**RECORD, to={path!r}))
"""


def test_a_killed_run_leaves_what_was_whole(tmp_path):
    path = tmp_path / "run.zarr"
    script = textwrap.dedent(KILLED).format(tests=str(Path(__file__).parent), path=str(path))
    process = subprocess.Popen([sys.executable, "-c", script])
    try:
        left = None
        for _ in range(600):
            time.sleep(0.05)
            try:
                left = eq.spiking.load(path)
            except (FileNotFoundError, ValueError):
                continue
            if left.duration > 0.5:
                break
    finally:
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    left = eq.spiking.load(path)
    assert left.status is eq.Status.INTERRUPTED
    assert 0.5 < left.duration < 10_000
    assert f"unfinished: {left.duration:g} of 10000 s; the run goes on or was killed." in repr(left)
    whole = eq.spiking.run(
        eq.spiking.build(circuit(), seed=1, threads=1), duration=left.duration, record=eq.spiking.Record(**RECORD)
    )
    for name in ("steps", "units", "counts"):
        assert np.array_equal(getattr(left, name), getattr(whole, name)), name
    assert left.membrane.identical(whole.membrane)
    with pytest.raises(ValueError, match=r"Run.end: the directory does not hold where the network stood. Unfinished"):
        _ = left.end


@pytest.mark.parametrize("how", [KeyboardInterrupt, RuntimeError])
def test_a_run_on_disk_that_was_stopped_goes_on_bit_by_bit(network, in_memory, tmp_path, monkeypatch, how):
    """Ctrl-C closes the directory; any other error leaves it as a kill would, between two writings."""
    monkeypatch.setattr(store, "SETTLE_EVERY", 0.0)
    told = []

    def stop(fraction):
        told.append(fraction)
        if fraction > 0.3 + 0.3 * (len(told) > 100):
            raise how

    for _ in range(2):
        try:
            part = streamed(network, tmp_path / "run.zarr", resume=True, progress=stop)
        except RuntimeError:
            part = eq.spiking.load(tmp_path / "run.zarr")
        assert part.status is eq.Status.INTERRUPTED
        assert 0 < part.duration < 1
        told += [0.0] * 100
    whole = streamed(network, tmp_path / "run.zarr", resume=True)
    assert whole.status is eq.Status.OK
    assert_same(whole, in_memory)
    assert whole.homeostasis.identical(in_memory.homeostasis)
    for name in ("v", "silent", "recent"):
        assert np.array_equal(getattr(whole.end, name), getattr(in_memory.end, name))
    assert_same(streamed(network, tmp_path / "run.zarr", resume=True), in_memory)  # nothing is left to do


def test_only_the_same_run_goes_on(network, tmp_path):
    streamed(network, tmp_path / "run.zarr")
    other = eq.spiking.build(circuit(rules=True), seed=2)
    with pytest.raises(ValueError, match=r"Record.to: '.*run.zarr' holds another run, or nothing to go on from"):
        streamed(other, tmp_path / "run.zarr", resume=True)


def test_nothing_is_left_of_a_run_that_is_stopped_in_its_warm_up(network, tmp_path):
    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        streamed(network, tmp_path / "run.zarr", progress=stop)
    assert not (tmp_path / "run.zarr").exists()


def test_what_cannot_be_written_or_read_is_named(network, tmp_path, monkeypatch):
    (tmp_path / "old").mkdir()
    with pytest.raises(FileExistsError, match=r"Record.to: '.*old' exists. Give resume=True to go on, remove it, or"):
        streamed(network, tmp_path / "old")
    with pytest.raises(ValueError, match=r"spiking.load: '.*old' is not a run that Record\(to=...\) wrote."):
        eq.spiking.load(tmp_path / "old")
    with pytest.raises(FileNotFoundError, match=r"spiking.load: no file or directory '.*none'"):
        eq.spiking.load(tmp_path / "none")
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(ImportError, match=r"need zarr, which is not installed. Use pip install 'equipoise\[zarr\]'"):
        streamed(network, tmp_path / "run.zarr")


def test_a_full_disk_leaves_what_was_written_before(network, in_memory, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "SETTLE_EVERY", 0.0)
    put, written = store._put, []

    def full(column, begin, block):
        written.append(begin)
        if len(written) > 30:
            raise OSError(28, "No space left on device")
        return put(column, begin, block)

    monkeypatch.setattr(store, "_put", full)
    with pytest.raises(OSError, match=r"Record.to: '.*run.zarr' takes no more \(No space left on device\)"):
        streamed(network, tmp_path / "run.zarr")
    left = eq.spiking.load(tmp_path / "run.zarr")
    assert left.status is eq.Status.INTERRUPTED
    assert left.steps.size > 0
    assert np.array_equal(left.steps, in_memory.steps[: left.steps.size])


# Files ----------------------------------------------------------------------------------------------------------------


def test_a_run_survives_its_file(network, in_memory, tmp_path):
    path = eq.spiking.save(in_memory, tmp_path / "run.nc")
    loaded = eq.spiking.load(path)
    assert_same(loaded, in_memory)
    after = [eq.spiking.run(network, duration=0.1, start=run.end).end.v for run in (in_memory, loaded)]
    assert np.array_equal(*after)
    bare = eq.spiking.run(network, duration=1 * ms, record=eq.spiking.Record(cells=0))
    assert eq.spiking.load(eq.spiking.save(bare, tmp_path / "bare.nc")).steps.size == 0


def test_other_files_are_refused(in_memory, tmp_path):
    import xarray as xr

    from equipoise.results import save_dataset

    with pytest.raises(ValueError, match=r"spiking.save: path must end in .nc, got '.*run.zarr'"):
        eq.spiking.save(in_memory, tmp_path / "run.zarr")
    other = save_dataset(xr.Dataset({"x": 1.0}), tmp_path / "other.nc")
    with pytest.raises(ValueError, match=r"spiking.load: '.*other.nc' is not a run that spiking.save wrote."):
        eq.spiking.load(other)


def test_late_variables_have_no_values_before():
    blocks = [np.array([[1.0]]), np.array([[2.0, 3.0]])]
    assert np.array_equal(columns.joined(blocks), [[1.0, np.nan], [2.0, 3.0]], equal_nan=True)


@pytest.mark.parametrize(
    ("record", "error", "message"),
    [
        ({"membrane": {"e": 1}}, ValueError, "unknown population 'e'. Known: E, I"),
        ({"membrane": {"E": [300]}}, ValueError, r"Record.membrane\['E'\] must choose among the 300 neurons 0 to 299"),
        ({"membrane": {"E": 301}}, ValueError, "must choose among the 300 neurons 0 to 299, got 301"),
        ({"membrane": {"E": -1}}, ValueError, "must choose among the 300 neurons 0 to 299, got -1"),
        ({"membrane": {"E": 2.5}}, TypeError, r"a list of neurons such as \[3, 5\], got 2.5"),
        ({"membrane": {"E": "all"}}, TypeError, "got 'all'"),
        ({"membrane": 5}, TypeError, "Record.membrane must be a mapping such as"),
        ({"every": 0.25 * ms}, ValueError, "Record.every must be a multiple of dt=0.1 ms, got 0.25 ms"),
        ({"every": 20.0 * 3600}, ValueError, r"Record.every .* must lie in"),
    ],
)
def test_records_that_make_no_sense_are_named(network, record, error, message):
    with pytest.raises(error, match=message):
        eq.spiking.run(network, duration=0.1, record=eq.spiking.Record(**record))


def test_a_membrane_that_was_not_recorded_is_named(network):
    with pytest.raises(ValueError, match=r"Run.membrane: no neurons were chosen. Take record=Record\(membrane="):
        _ = eq.spiking.run(network, duration=1 * ms).membrane


# Progress -------------------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_clock_tells_time_speed_and_what_is_left(monkeypatch):
    monkeypatch.setattr(progress.time, "perf_counter", lambda: 112.0)
    clock = progress.Clock(60.0, started=100.0)
    assert clock.words(0.25) == "15.0 s of 60.0 s, 1.25 s per s, 36.0 s left"
    assert clock.words(0.0) == "0.0 s of 60.0 s"
    assert [progress.duration(t) for t in (119.0, 120.0, 7200.0, 172800.0)] == [
        "119.0 s",
        "2.0 min",
        "2.0 h",
        "2.0 days",
    ]


def test_a_line_is_drawn_on_a_terminal_and_nowhere_else(network, monkeypatch):
    for stream, wanted in ((Terminal(), True), (io.StringIO(), False)):
        monkeypatch.setattr(sys, "stderr", stream)
        eq.spiking.run(network, duration=50 * ms, progress=True)
        text = stream.getvalue()
        assert ("of 0.1 s" in text) == wanted
        assert text.endswith(progress.CLEAR) == wanted
        assert "\n" not in text


def test_levels_and_evolve_tell_their_progress(monkeypatch):
    shares = []
    eq.compare.levels(circuit(), levels=["spiking"], seed=1, duration=50 * ms, progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    monkeypatch.setattr(sys, "stderr", Terminal())
    pace = eq.spiking.Pace(warmup=50 * ms)
    eq.spiking.evolve(circuit(rules=True), duration=20.0, seed=1, pace=pace, progress=True)
    assert "of 20.0 s" in sys.stderr.getvalue()


def test_the_command_tells_simulated_time_speed_and_what_is_left():
    told = []

    class Bar:
        def update(self, task, **how):
            told.append((task, how))

    tell = cli.circuits.simulated(Bar(), 7, 20.0)
    tell(0.0)
    tell(0.5)
    assert told[0] == (7, {"description": "Simulating 0.0 s of 20.0 s", "completed": 0.0, "total": 1.0})
    assert told[1][1]["description"].startswith("Simulating 10.0 s of 20.0 s, ")
    assert told[1][1]["description"].endswith(" left")


# What a run will need -------------------------------------------------------------------------------------------------

Usage = namedtuple("Usage", "total used free")


def test_an_estimate_is_what_the_network_takes():
    small = circuit()
    network = eq.spiking.build(small, seed=1)
    before, after = (eq.spiking.estimate(x, duration=10.0, warmup=1.0) for x in (small, network))
    assert after.synapses == network.tables.nbytes
    assert before.synapses == pytest.approx(after.synapses, rel=0.1)
    assert before.state == pytest.approx(after.state, rel=0.1)
    assert (before.rates, before.basis, after.basis) == ((10.0, 10.0), "assumed", "a trial of 200 steps")
    assert after.memory == after.synapses + after.state + after.recorded
    assert 0.1 < before.seconds / after.seconds < 10 or after.seconds < 5
    assert "Estimate(memory" in repr(after)


def test_what_is_recorded_is_estimated(network, in_memory, tmp_path):
    record = eq.spiking.Record(**RECORD, to=tmp_path / "run.zarr")
    rate = float(in_memory.rates.mean())
    told = eq.spiking.estimate(network, duration=1.0003, record=record, rate=rate)
    written = sum(np.asarray(c[:]).nbytes for name, c in in_memory.written.columns.items() if name != "slow")
    assert told.disk == pytest.approx(written, rel=0.1)
    assert told.basis == "as given"
    assert told.rates == (rate, rate)
    assert not (tmp_path / "run.zarr").exists()
    kept = eq.spiking.estimate(network, duration=1.0003, record=eq.spiking.Record(**RECORD), rate=rate)
    assert (kept.recorded, kept.disk) == (2 * told.disk, 0.0)


def test_a_run_that_does_not_fit_is_refused_before_it_begins(network, tmp_path, monkeypatch):
    monkeypatch.setattr(estimates, "available_memory", lambda: 1e6)
    monkeypatch.setattr(estimates.shutil, "disk_usage", lambda _: Usage(1e9, 1e9, 1e6))
    with pytest.raises(
        MemoryError, match=r"needs .* (MB|GB) \(E .* Hz, I .* Hz\), 1 MB are free. Take a shorter duration"
    ):
        eq.spiking.run(network, duration=3600.0)
    with pytest.raises(OSError, match=r"1 MB are free on the disk of '.*run.zarr', before compression"):
        eq.spiking.run(network, duration=3600.0, record=eq.spiking.Record(to=tmp_path / "run.zarr"))
    assert not (tmp_path / "run.zarr").exists()


def test_a_trial_changes_nothing(network, monkeypatch):
    """Where the highest rates would not fit, but the real ones do."""
    plain = eq.spiking.run(network, duration=0.2)
    steps, advance = [], kernel.advance

    def watched(network, state, n, **options):
        steps.append(n)
        return advance(network, state, n, **options)

    monkeypatch.setattr(kernel, "advance", watched)
    monkeypatch.setattr(estimates, "available_memory", lambda: 1e6)
    tried = eq.spiking.run(network, duration=0.2)
    assert sum(steps) == 2000 + 200
    assert np.array_equal(tried.steps, plain.steps)


BUILT = """
import sys
import equipoise as eq
sys.path.insert(0, {benchmarks!r})
from spiking_million import circuit

def peak():
    lines = open("/proc/self/status").read().splitlines()
    return 1024 * int(next(x for x in lines if x.startswith("VmHWM")).split()[1])

small = eq.spiking.build(circuit(10_000, 1000), seed=1)
before = peak()
network = eq.spiking.build(circuit(50_000, 1000), seed=1, threads=2)
print(network.tables.nbytes, network.tables.synapses, peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell the largest memory")
def test_building_takes_little_more_memory_than_the_network():
    """A twentieth of a million neurons with a billion synapses: 2.2 bytes each, and no copy of the lists."""
    script = BUILT.format(benchmarks=str(Path(__file__).parents[2] / "benchmarks"))
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=os.environ)
    size, synapses, grown = map(int, out.stdout.split())
    assert synapses == pytest.approx(5e7, rel=0.01)
    assert size < 2.2 * synapses
    assert grown < 1.25 * size
