"""Sweeps: the table, failures as data, and that nothing is lost or done twice, whoever dies."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import equipoise as eq
from equipoise import Status
from equipoise.sweeps import failures, sweep


def _product(a, b, scale=1.0):
    return a * b * scale


def _several(a, b):
    curve = xr.DataArray(np.arange(3.0) * a, dims="time", coords={"time": [0.0, 0.1, 0.2]}, attrs={"units": "Hz"})
    return {"curve": curve, "count": b, "name": f"{a}/{b}", "raw": np.full(2, b)}


def _fails(a):
    if a == 1:
        raise ValueError("one is bad")
    if a == 2:
        raise eq.NumericalFailure(Status.PAST_FOLD, "f: no equilibrium")
    return a


def _marked(folder: Path, name: object) -> int:
    """How often a point was computed."""
    return len(list(folder.glob(f"{name}.*")))


def _marking(folder: str, a: int, wait: float = 0.0):
    (Path(folder) / f"{a}.{time.time_ns()}").touch()
    time.sleep(wait)
    return a


@pytest.mark.parametrize("workers", [1, 2])
def test_table_over_the_grid(workers):
    swept = sweep(_product, a=[1, 2, 3], b=(10.0, 20.0), scale=2.0, workers=workers, progress=False)
    assert swept["value"].dims == ("a", "b")
    assert np.array_equal(swept["value"], 2.0 * np.outer([1, 2, 3], [10.0, 20.0]))
    assert (swept["status"] == "OK").all()
    assert swept.attrs["function"] == "_product"
    assert swept.attrs["constants"] == "scale=2.0"


@pytest.mark.parametrize("workers", [1, 2])
def test_labelled_results_keep_their_labels(workers):
    swept = sweep(_several, a=np.array([1, 2]), b=range(2), workers=workers, progress=False)
    assert swept["curve"].dims == ("a", "b", "time")
    assert swept["curve"].attrs == {"units": "Hz"}
    assert np.array_equal(swept["time"], [0.0, 0.1, 0.2])
    assert swept["curve"].sel(a=2, b=1, time=0.2).item() == 4.0
    assert swept["name"].sel(a=2, b=0).item() == "2/0"
    assert (swept["count"].dtype.kind, swept["raw"].sizes["raw_dim_0"]) == ("i", 2)


def test_objects_are_axes_by_name():
    rules = [eq.LIF(tau_m=0.01, v_threshold=1.0, v_reset=0.0, tau_ref=t) for t in (0.001, 0.002)]
    swept = sweep(lambda neuron: neuron.tau_ref, neuron=rules, workers=1)
    assert swept["neuron"].values.tolist() == [repr(rule) for rule in rules]
    assert swept["value"].values.tolist() == [0.001, 0.002]


@pytest.mark.parametrize("workers", [1, 2])
def test_points_that_leave_python_fail_alone(workers):
    def leaves(a):
        if a == 1:
            raise SystemExit(3)
        if a == 2 and workers > 1:  # in this process it is the user's
            raise KeyboardInterrupt
        return a

    swept = sweep(leaves, a=range(4), workers=workers, progress=False)
    bad = [1] if workers == 1 else [1, 2]
    assert [place["a"] for place, _, _ in failures(swept)] == bad
    assert np.array_equal(swept["value"].drop_sel(a=bad), [a for a in range(4) if a not in bad])


@pytest.mark.parametrize("workers", [1, 2])
def test_failures_are_recorded_and_listed(workers):
    swept = sweep(_fails, a=[0, 1, 2, 3], workers=workers, progress=False)
    assert swept["status"].values.tolist() == ["OK", "FAILED", "PAST_FOLD", "OK"]
    assert np.array_equal(swept["value"], [0.0, np.nan, np.nan, 3.0], equal_nan=True)
    assert failures(swept) == [
        ({"a": 1}, Status.FAILED, "ValueError: one is bad"),
        ({"a": 2}, Status.PAST_FOLD, "f: no equilibrium [PAST_FOLD]"),
    ]


def test_objects_of_one_name_are_numbered_and_equal_ones_refused():
    circuit = eq.Circuit.example("balanced_network")
    swept = sweep(lambda c: c.populations[0].size, c=[circuit, circuit.scaled(100)], workers=1)
    assert swept["c"].values.tolist() == [f"{circuit.name} (1)", f"{circuit.name} (2)"]
    long = [np.zeros(2000), np.where(np.arange(2000) == 1000, 1.0, 0.0)]
    assert sweep(lambda x: x.sum(), x=long, workers=1)["value"].values.tolist() == [0.0, 1.0]
    with pytest.raises(ValueError, match="values of c must differ"):
        sweep(lambda c: 1, c=[circuit, circuit], workers=1)


def test_collections_of_unlike_length_are_values_too():
    swept = sweep(lambda a: len(a), a=[[1, 2], (3,)], workers=1)
    assert swept["value"].values.tolist() == [2, 1]


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (xr.DataArray([1.0, 2.0], dims="a"), "value"),
        (xr.DataArray([1.0, 2.0], dims="k", coords={"k": [1.0, np.nan]}), "value"),
        (xr.DataArray([1.0, 2.0], dims="k", coords={"status": ("k", [5, 6])}), "value"),
        ({"k": 7, "x": xr.DataArray([1.0, 2.0], dims="k", coords={"k": [1, 2]})}, "x"),
        ({"status_of_point": 8, "status": 9, "x": np.array([1.0, 2.0])}, "x"),
    ],
)
def test_names_that_clash_and_labels_that_are_nan_lose_nothing(value, name):
    swept = sweep(lambda a: value, a=[1, 2], workers=1)
    assert (swept["status"] == "OK").all()
    assert np.array_equal(swept[name], [[1.0, 2.0], [1.0, 2.0]])
    assert len(set(swept[name].dims)) == 2
    if isinstance(value, dict):
        rest = {int(v) for k in map(str, swept.data_vars) if k.endswith("_of_point") for v in swept[k]}
        assert rest == {v for v in value.values() if isinstance(v, int)}


def test_times_are_missing_as_times_and_objects_are_refused(tmp_path):
    def when(a):
        if a == 2:
            raise ValueError("no date")
        return xr.DataArray(np.array("2020-01-01", "M8[ns]"))

    assert np.isnat(sweep(when, a=[1, 2], workers=1)["value"].values).tolist() == [False, True]
    for _ in range(2):  # the second time from the store
        swept = sweep(lambda a: np.array(["x", "yz"], object), a=[1], store=tmp_path / "s.db", workers=1)
        assert swept["value"].values.tolist() == [["x", "yz"]]
    objects = sweep(lambda a: xr.DataArray(np.array([{}], object), dims="k"), a=[1], workers=1)
    assert "got ndarray of object" in objects["message"].item()


def test_all_points_may_fail():
    swept = sweep(_fails, a=[1, 2], workers=1)
    assert "value" not in swept
    assert len(failures(swept)) == 2


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda a: np.zeros(a), "value of shape (2,), the first point value of shape (1,)"),
        (lambda a: {"x": a} if a == 1 else {"y": a}, "gives y of shape (), the first point x of shape ()"),
        (lambda a: xr.DataArray([1.0, 2.0], dims="k", coords={"k": [0, a]}), "coordinates differ"),
        (lambda a: a if a == 1 else object(), "must return numbers, text, arrays"),
    ],
)
def test_points_of_another_form_fail_alone(function, words):
    swept = sweep(function, a=[1, 2], workers=1)
    assert swept["status"].values.tolist() == ["OK", "FAILED"]
    assert words in swept["message"].values[1]


def test_own_status_of_a_result_keeps_a_name():
    swept = sweep(lambda a: {"status": Status.SILENT, "a": a}, a=[1, 2], workers=1)
    assert swept["status_of_point"].values.tolist() == ["SILENT", "SILENT"]
    assert swept["status"].values.tolist() == ["OK", "OK"]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: sweep(3, a=[1]), TypeError, "function must be callable"),
        (lambda: sweep(_product, scale=1.0), ValueError, "at least one axis"),
        (lambda: sweep(_product, a=[1], c=[2]), TypeError, r"_product.* cannot be called with a, c"),
        (lambda: sweep(_product, a=[1], b=[2], scal=3.0), TypeError, r"Did you mean 'scale'"),
        (lambda: sweep(_product, a=[1]), TypeError, "missing a required argument: 'b'"),
        (lambda: sweep(_product, a=[1], b=(i for i in [2])), TypeError, r"b must be .* got generator.*Give b=list"),
        (lambda: sweep(_product, a=[], b=[1]), ValueError, "a must have at least one value"),
        (lambda: sweep(_product, a=[1, 1], b=[1]), ValueError, "values of a must differ"),
        (lambda: sweep(_product, a=np.zeros((2, 2)), b=[1]), ValueError, "a must be 1-D"),
        (lambda: sweep(lambda status: status, status=[1]), ValueError, "no axis can be called 'status'"),
        (lambda: sweep(_product, a=[1], b=[1], workers=0), ValueError, "workers"),
        (lambda: sweep(_product, a=[1], b=[1], client=3), TypeError, "client must be a Dask client or the address"),
        (lambda: sweep(_product, a=[1], b=[1], client="tcp://x", workers=2), ValueError, "client or workers, not both"),
    ],
)
def test_bad_calls_are_refused_before_anything_runs(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_what_cannot_be_sent_is_refused_by_name():
    lock = threading.Lock()
    with pytest.raises(TypeError, match="cannot be sent to other processes"):
        sweep(lambda a: lock.locked() + a, a=[1, 2], workers=2)


def test_each_process_has_one_thread_and_its_own_memory():
    from equipoise.spiking.network import most_threads

    swept = sweep(lambda a: {"threads": most_threads(), "process": os.getpid()}, a=range(6), workers=2, progress=False)
    assert (swept["threads"] == 1).all()
    assert os.getpid() not in swept["process"].values


# Stores --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2])
def test_stored_points_are_not_computed_again(tmp_path, workers):
    marks = tmp_path / "marks"
    marks.mkdir()
    options = {"folder": str(marks), "store": tmp_path / "s.db", "workers": workers, "progress": False}
    first = sweep(_marking, a=[1, 2], **options)
    second = sweep(_marking, a=[1, 2, 3], **options)
    assert [_marked(marks, a) for a in (1, 2, 3)] == [1, 1, 1]
    assert first["value"].values.tolist() == [1, 2]
    assert second["value"].values.tolist() == [1, 2, 3]


def test_labels_survive_the_store(tmp_path):
    fresh, stored = (sweep(_several, a=[1, 2], b=[3], store=tmp_path / "s.db", workers=1) for _ in range(2))
    xr.testing.assert_identical(fresh, stored)


def test_other_code_is_another_sweep(tmp_path):
    store, factor = tmp_path / "s.db", 2
    values = [
        sweep(function, a=[3], store=store, workers=1)["value"].item()
        for function in (lambda a: a + 1, lambda a: a + 2, lambda a: factor * a, lambda a, b=5: a * b)
    ]
    factor = 7
    values.append(sweep(lambda a: factor * a, a=[3], store=store, workers=1)["value"].item())
    assert values == [4, 5, 6, 15, 21]


def _helped(factor: float):
    """A function of a module with a helper and a constant."""
    space: dict = {"__name__": "users"}
    exec(f"LIMIT = 10\ndef helper(a): return {factor} * a\ndef point(a): return helper(a) + LIMIT", space)
    return space["point"], space


def test_helpers_of_the_same_module_are_part_of_the_code(tmp_path):
    values = []
    for factor, limit in ((2, 10), (2, 10), (3, 10), (3, 20)):
        point, space = _helped(factor)
        space["LIMIT"] = limit
        values.append(sweep(point, a=[1], store=tmp_path / "s.db", workers=1)["value"].item())
    assert values == [12, 12, 13, 23]


def _classy(factor: float):
    """A function that uses a class and a cached helper of its own module, and a callable with a state."""
    space: dict = {"__name__": "users"}
    exec(
        "from functools import cache\n"
        f"class Model:\n    @property\n    def gain(self): return {factor}\n"
        f"@cache\ndef helper(a): return {factor} * a\n"
        "class Call:\n    def __init__(self, x): self.x = x\n    def __call__(self, a): return a + self.x\n"
        "def by_class(a): return a * Model().gain\ndef by_cache(a): return helper(a)",
        space,
    )
    return space["by_class"], space["by_cache"], space["Call"](factor)


def test_classes_caches_and_states_are_part_of_the_code(tmp_path):
    found = [[sweep(f, a=[1], store=tmp_path / "s.db", workers=1)["value"].item() for f in _classy(x)] for x in (2, 3)]
    assert found == [[2, 2, 3], [3, 3, 4]]


def test_a_class_has_the_same_identity_in_every_process():
    text = """
        import dataclasses
        from equipoise.sweeps.identity import digest_of_function

        @dataclasses.dataclass(frozen=True)
        class Model:
            gain: float = 2.0
            names: frozenset = frozenset({"E", "I", "X"})

            @staticmethod
            def double(a): return [2 * x for x in a]

        def point(a): return Model(a).double({"x", "y", "z"})

        print(digest_of_function(point))
    """
    told = {
        subprocess.run(
            [sys.executable, "-c", textwrap.dedent(text)],
            env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(told) == 1


def test_constants_are_read_and_sent_once(tmp_path):
    read = []

    class Large:
        """Counts how often it is looked at."""

        def __init__(self, name: str = "large"):
            self.name = name

        def __fspath__(self):
            read.append("path")
            return self.name

        def __reduce__(self):
            read.append("sent")
            return str, (self.name,)

    large = Large()
    os.PathLike.register(Large)
    swept = sweep(lambda a, b: a, a=range(30), b=large, store=tmp_path / "s.db", workers=2, progress=False)
    assert swept["value"].values.tolist() == list(range(30))
    assert read == ["path", "sent"]


def test_a_store_that_cannot_be_written_any_more_costs_no_result(tmp_path):
    store = tmp_path / "s.db"
    sweep(_product, a=[1], b=[1], store=store, workers=1)
    with contextlib.closing(sqlite3.connect(store)) as database:
        database.execute("create trigger full before insert on points begin select raise(fail, 'disk is full'); end")
        database.commit()
    with pytest.warns(RuntimeWarning, match=r"s.db' cannot be written \(disk is full\); .* in the table alone"):
        swept = sweep(_product, a=[1, 2], b=[1, 2], store=store, workers=1)
    assert swept["value"].values.tolist() == [[1, 2], [2, 4]]


def test_failed_points_are_tried_again(tmp_path):
    flag = tmp_path / "flag"

    def needs(a):
        return a + float(flag.read_text())

    first = sweep(needs, a=[1], store=tmp_path / "s.db", workers=1)
    flag.write_text("2")
    second = sweep(needs, a=[1], store=tmp_path / "s.db", workers=1)
    assert (first["status"].item(), second["value"].item()) == ("FAILED", 3.0)


def test_a_store_needs_arguments_with_an_identity(tmp_path):
    with pytest.raises(TypeError, match="arguments that can be told apart on another day"):
        sweep(lambda a, b: a, a=[1], b=object(), store=tmp_path / "s.db", workers=1)


def test_a_file_that_is_no_store_is_refused(tmp_path):
    bad = tmp_path / "bad.db"
    bad.write_text("not a database, but long enough to be looked at. " * 100)
    for store in (bad, bad / "inside.db"):
        with pytest.raises(ValueError, match="store must be a file that a sweep has written"):
            sweep(_product, a=[1], b=[1], store=store, workers=1)


def _script(tmp_path: Path, wait: float) -> list[str]:
    """A script as users write them: no guard, a function of its own."""
    text = f"""
        import time
        from pathlib import Path
        from equipoise import sweep

        def point(a):
            Path({str(tmp_path)!r}, f"{{a}}.{{time.time_ns()}}").touch()
            time.sleep({wait})
            return a

        swept = sweep(point, a=range(40), store={str(tmp_path / "s.db")!r}, workers=2)
        print(int((swept["status"] == "OK").sum()), float(swept["value"].sum()))
    """
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(text))
    return [sys.executable, str(script)]


def _wait_for(tmp_path: Path, points: int) -> None:
    end = time.monotonic() + 60.0
    while len(list(tmp_path.glob("*.*"))) < points + 2:
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_sweep_goes_on_where_it_was(tmp_path, how):
    command = _script(tmp_path, 0.05)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    _wait_for(tmp_path, 12)
    process.send_signal(how)
    told = process.communicate(timeout=60)[0]
    done = int(told.split()[0]) if how == signal.SIGINT else None
    assert process.returncode == (0 if how == signal.SIGINT else -signal.SIGKILL)
    time.sleep(0.5)  # workers that survive the kill finish the points they hold
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == ["40", "780.0"]
    twice = [a for a in range(40) if _marked(tmp_path, a) > 1]
    assert len(twice) <= 4, "only what was under way with two processes, two points each, may be done twice"
    assert sum(_marked(tmp_path, a) for a in range(40)) <= 44
    assert done is None or 5 <= done < 40


def test_a_point_that_kills_its_process_fails_alone():
    def deadly(a):
        if a == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        return a

    swept = sweep(deadly, a=range(12), workers=2, progress=False)
    assert [place["a"] for place, _, _ in failures(swept)] == [5]
    assert "died" in swept["message"].sel(a=5).item()
    assert np.array_equal(swept["value"].drop_sel(a=5), [a for a in range(12) if a != 5])


# Clusters ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed")
    before = dict(os.environ)
    made = distributed.LocalCluster(
        n_workers=3, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    )
    with made:
        yield made
    # Dask leaves its limits on threads in the environment of whoever starts workers.
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_gives_the_same_table(cluster, tmp_path):
    here = sweep(_several, a=[1, 2], b=range(30), workers=1)
    there = sweep(_several, a=[1, 2], b=range(30), client=cluster.scheduler_address, store=tmp_path / "s.db")
    xr.testing.assert_identical(here.drop_vars("seconds"), there.drop_vars("seconds"))


@pytest.mark.filterwarnings("ignore")
def test_points_of_lost_workers_are_computed_by_others(cluster, tmp_path):
    from distributed import Client

    with Client(cluster) as client:
        lost: list[int] = []

        def lose(fraction: float) -> None:
            if fraction > 0.2 and not lost:
                process = next(iter(cluster.workers.values())).process.process.pid
                lost.append(process)
                os.kill(process, signal.SIGKILL)

        swept = sweep(
            _marking,
            folder=str(tmp_path),
            a=range(60),
            wait=0.02,
            client=client,
            store=tmp_path / "s.db",
            progress=lose,
        )
        again = sweep(_marking, folder=str(tmp_path), a=range(60), wait=0.02, client=client, store=tmp_path / "s.db")
    assert lost
    assert swept["value"].values.tolist() == list(range(60))
    xr.testing.assert_identical(swept, again)


class _Gone:
    """A client whose scheduler is lost after some points."""

    def __init__(self, points: int):
        self.points, self.status = points, "running"

    def nthreads(self):
        return {"one": 1}

    def submit(self, compute, packed, arguments, pure):
        assert pure is False
        future: Any = Future()
        future.key = arguments["a"]
        if future.key < self.points:
            future.set_result(compute(packed, arguments))
        else:
            self.status = "closed"
        return future


def test_a_lost_scheduler_is_told_and_what_is_known_kept(tmp_path):
    pytest.importorskip("distributed")
    with pytest.warns(RuntimeWarning, match="the Dask scheduler or its client is gone; 17 points are INTERRUPTED"):
        swept = sweep(_product, a=range(20), b=[2.0], client=_Gone(3), store=tmp_path / "s.db")
    assert swept["value"].values[:3, 0].tolist() == [0.0, 2.0, 4.0]
    assert (swept["status"].values[3:] == "INTERRUPTED").all()
    kept = sweep(_product, a=range(3), b=[2.0], store=tmp_path / "s.db", workers=1)
    assert np.array_equal(kept["seconds"], swept["seconds"][:3])


def test_no_scheduler_is_told_and_dask_is_left_as_it_was():
    dask = pytest.importorskip("dask")
    before = dask.config.get("scheduler", None)
    with pytest.raises(ConnectionError, match=r"no Dask scheduler answers at 'ftp://nowhere'"):
        sweep(_product, a=[1], b=[1], client="ftp://nowhere")
    assert dask.config.get("scheduler", None) == before
