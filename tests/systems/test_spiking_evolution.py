"""Homeostasis over hours: against slow simulations, measured responses against theory, repeatability, and failures."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from homeostatic_circuits import BALANCED, CELL, LIF, SENSOR, alone, calcium_rules, network
from scipy.linalg import expm
from scipy.signal import lfilter

import equipoise as eq
from equipoise.spiking import checkpoint
from equipoise.spiking.evolve import evolve
from equipoise.spiking.fluctuations import noticed
from equipoise.spiking.pace import Pace
from equipoise.spiking.response import fast_part, propagate
from equipoise.spiking.walk import Walk
from equipoise.theory.network import loop_of
from equipoise.theory.network_loop import slow_jacobian
from equipoise.units import Hz, hour, minute, ms, second

CELLS = {"E": CELL, "I": CELL}


# --- parts ------------------------------------------------------------------------------------------------------------
def test_only_fast_modes_that_decay_are_kept():
    rng = np.random.default_rng(2)
    vectors = rng.standard_normal((5, 5))
    A = vectors @ np.diag([-10.0, -4.0, -0.5, 0.3, 5.0]) @ np.linalg.inv(vectors)
    modes = np.sort(np.linalg.eigvals(fast_part(A)).real)
    np.testing.assert_allclose(modes, [-10.0, -4.0, 0.0, 0.0, 0.0], atol=1e-10)
    np.testing.assert_allclose(fast_part(A) @ vectors[:, 0], -10.0 * vectors[:, 0], rtol=1e-9)


def test_what_set_points_of_a_short_stretch_do_adds_up_to_the_exact_answer():
    """A constant error d of what is sensed: z = A^-1 (e^{tA} - 1) B d after 30 moves; and its SD."""
    A, B, h = np.array([[-0.5, 0.2], [0.1, -0.02]]), np.array([[1.0, 0.0], [0.3, -2.0]]), 1.5
    linear, noise = (propagate(A, h, B), np.eye(2) + propagate(A, h, A)), None
    for _ in range(30):
        noise = noticed(noise, np.ones(2), np.zeros(2), linear, 0.0)
    exact = np.linalg.solve(A, expm(30 * h * A) - np.eye(2)) @ B
    np.testing.assert_allclose(noise.held, exact, rtol=1e-9)
    sensed = np.array([[1.0, 0.4], [0.4, 2.0]])
    errors = np.random.default_rng(5).multivariate_normal(
        np.zeros(2), sensed * 0.5 / 9.0, 4000
    )  # 9 s of windows of 0.5 s
    told = replace(noise, sensed=sensed).of_set_points(0.5) / np.sqrt(9.0)
    np.testing.assert_allclose((errors @ exact.T).std(axis=0), told, rtol=0.045)  # four standard errors


@pytest.mark.parametrize("h", [1e-3, 1.0, 50.0])
def test_moves_are_exact_for_linear_dynamics(h):
    """dz/dt = A z + b from 0 ends at A^-1 (e^{hA} - 1) b; a singular A counts too."""
    rng = np.random.default_rng(1)
    A = -np.diag([20.0, 3.0, 0.1]) + 0.3 * rng.standard_normal((3, 3))
    b = rng.standard_normal(3)
    exact = np.linalg.solve(A, (expm(h * A) - np.eye(3)) @ b)
    np.testing.assert_allclose(propagate(A, h, b), exact, rtol=1e-9)
    np.testing.assert_allclose(propagate(A, h, np.eye(3)) @ b, exact, rtol=1e-9)
    np.testing.assert_allclose(propagate(np.zeros((3, 3)), h, b), h * b)


@pytest.fixture(scope="module")
def still():
    """A walk with windows of 1 s and calcium of 300 ms."""
    return Walk.blank(eq.spiking.build(alone(n=20, rules=calcium_rules(targets={"E": CELL})), seed=1), Pace(), 1.0)


def windows(runs, n, step=0.01):
    """Averages over windows of 1 s of white noise seen through calcium of 300 ms (runs, n)."""
    noise = np.random.default_rng(4).standard_normal((runs, round((n + 2) / step)))
    seen = lfilter([1.0], [1.0, -np.exp(-step / SENSOR.tau)], noise)
    return seen[:, round(2 / step) :].reshape(runs, n, -1).mean(axis=2)


def test_successive_windows_are_as_correlated_as_said(still):
    s = windows(200, 200)
    c = np.mean(s[:, 1:] * s[:, :-1]) / np.mean(s**2)
    assert c == pytest.approx(still._echo(0.0), abs=4 / np.sqrt(s.size))  # four standard errors
    assert still._echo(0.3) == pytest.approx(still._echo(0.0) / np.e)


def test_the_spread_that_fluctuations_cause_is_told_from_the_windows_of_one_run(still):
    """Weights that add up what was sensed: the variance over 400 runs, three standard errors of 7 %."""
    s, linear = windows(400, 201), (np.array([[0.3]]), np.eye(1))
    true = np.var(0.3 * s[:, 1:].sum(axis=1))
    told = []
    for run in s[:40]:
        noise = None
        for x in run:
            noise = noticed(noise, np.array([x]), np.zeros(1), linear, still._echo(0.0))
        told.append(noise.z[0, 0])
    assert np.mean(told) == pytest.approx(true, rel=0.2)


def test_what_a_window_misses_of_an_answer_is_the_average_of_an_exponential(still):
    t = (np.arange(20_000) + 0.5) * 5e-5
    for settled in (0.0, 0.2):
        missed = np.exp(-(t + settled) / SENSOR.tau).mean()
        assert still._left(settled) == pytest.approx(missed, rel=1e-6)


def test_the_measured_response_has_the_modes_of_theory():
    """The fast pair within 20 % of mean field at K = 100, all others slower than an eighth of it."""
    circuit = network(n=1000, factor=1.0, rules=calcium_rules())
    walk = Walk.blank(eq.spiking.build(circuit, seed=1), Pace(window=3 * second), 1 * hour)
    walk.warm_up()
    walk.fastest_rate()
    assert walk.response is not None
    regulator = walk.regulator()
    sensed = walk.coordinates.sensed(walk.sense(regulator, 2 * second))
    modes = np.sort(np.linalg.eigvals(walk.response.matrix(walk.response.z, sensed)).real)
    loop = loop_of(circuit.infinite())
    state = eq.theory.mean_field(circuit.infinite())
    expected = np.sort(np.linalg.eigvals(slow_jacobian(loop, state.x, loop.weights)).real)
    np.testing.assert_allclose(modes[:2].mean(), expected[:2].mean(), rtol=0.2)
    assert np.abs(modes[2:]).max() < 0.125 * abs(modes[0])


# --- against simulations that are not sped up as much -----------------------------------------------------------------
def sped_up(circuit, f, duration):
    """The same circuit and graph with all time constants f times shorter, simulated for duration/f."""
    rules = [replace(a, rule=replace(a.rule, tau_e=a.rule.tau_e / f, tau_i=a.rule.tau_i / f)) for a in circuit.rules]
    return eq.spiking.simulate(replace(circuit, rules=rules), duration=duration / f, seed=1, warmup=1 * second)


def test_shared_weights_follow_a_slow_simulation():
    """Ten minutes in which rates fall from 14 to 9 Hz; means within 0.3 % of a run at f = 6 all along."""
    circuit = network(rules=calcium_rules())
    days = evolve(circuit, duration=10 * minute, seed=1)
    slow = sped_up(circuit, 6.0, 10 * minute).homeostasis
    assert days.status is eq.Status.OK
    for name in ("J_EE", "J_EI", "J_IE", "J_II", "J_EX"):
        expected = np.interp(days.data.time, 6.0 * slow.time, slow[name])
        np.testing.assert_allclose(days.data[name], expected, rtol=3e-3)
    moved = np.abs(np.log(days.data["J_EI"].values[-1] / 0.18))
    assert moved > 0.015
    assert days.simulated < 150.0


def test_weights_of_neurons_follow_a_slow_simulation_in_mean_and_spread():
    """Ten minutes at speeds of about 80 and 32 against f = 6: the spread differs by no more than is reported."""
    circuit = network(rules=calcium_rules("neuron", CELLS))
    days = evolve(circuit, duration=10 * minute, seed=1)
    slow = sped_up(circuit, 6.0, 10 * minute).homeostasis
    data = days.data.isel(time=days.data.time > 2 * minute)
    for name in ("J_EE", "J_EI", "J_IE", "J_II"):
        mean, sd = (np.interp(data.time, 6.0 * slow.time, slow[name + end]) for end in ("", "_sd"))
        np.testing.assert_allclose(data[name], mean, rtol=3e-3)
        assert (np.abs(data[f"{name}_sd"] - sd) < data[f"{name}_sd_error"] + 0.005 * sd).all()
        assert (data[f"{name}_sd_error"] < 0.12 * sd).all()


# --- whose calcium ----------------------------------------------------------------------------------------------------
def heterogeneity(days):
    """SD over neurons of rates counted over 15 s [Hz], E cells."""
    run = eq.spiking.run(days.network, start=days.end, duration=15 * second)
    return np.bincount(run.spikes_of("E").units, minlength=500).std() / 15.0


def test_the_scope_decides_about_heterogeneous_rates():
    """Cells with weights of their own all fire alike up to counting noise, sqrt(10 C_v^2/15) = 0.7 Hz."""
    own = evolve(network(rules=calcium_rules("neuron", CELLS)), duration=20 * minute, seed=1)
    shared = evolve(network(rules=calcium_rules()), duration=30 * minute, seed=1)
    assert heterogeneity(own) < 1.5
    assert heterogeneity(shared) > 6.0
    assert own.data["J_EE_sd"][-1] > 0.003
    assert shared.data["J_EE_sd"][-1] == 0.0
    assert "J_EE" in repr(own)
    assert "SD" in repr(own)


def test_moments_out_of_a_cells_reach_are_found():
    """More second moment than one law at this mean can have: excitation and inhibition grow together without end."""
    target = eq.CalciumSetPoint(mean=2.0, second_moment=9.0)
    rules = calcium_rules("neuron", {"E": target}, tau_e=2 * hour, tau_i=1 * hour)
    days = evolve(alone(n=200, K=200, weights=(0.055, 0.033), rules=rules), duration=6 * hour, seed=1)
    assert days.status is eq.Status.RUNAWAY
    assert "second moment stays" in days.message or "has grown" in days.message


# --- schedules --------------------------------------------------------------------------------------------------------
def test_a_schedule_keeps_the_weights_and_homeostasis_answers():
    """Less external input for 20 minutes: rates fall at once, then excitation grows."""
    rules = calcium_rules("population", {"E": eq.SetPoint(rate=10 * Hz, cv=0.8)})
    full = alone(n=500, rules=rules)
    less = eq.During(eq.SourceRate("X", rate=9.5 * Hz), 10 * minute)
    days = evolve(full, duration=30 * minute, seed=1, schedule=[less])
    data, t = days.data, days.data.time.values
    before, after = data.isel(time=t <= 10 * minute), data.isel(time=t > 10 * minute)
    assert t[t <= 10 * minute][-1] == 10 * minute
    assert after["rate"].values[0, 0] < 0.85 * before["rate"].values[0, -1]
    assert after["rate"].values[0, -1] == pytest.approx(before["rate"].values[0, -1], rel=0.05)
    assert abs(np.log(after["J_EX"].values[0] / before["J_EX"].values[-1])) < 0.02
    assert (
        after["J_EX"].values[-1] / after["J_EY"].values[-1]
        > 1.03 * before["J_EX"].values[-1] / before["J_EY"].values[-1]
    )


# --- what is done is kept ---------------------------------------------------------------------------------------------
TINY = {"duration": 8 * minute, "seed": 3, "pace": Pace(window=200 * ms, settle=100 * ms, warmup=500 * ms)}


def tiny(scope="population", **changes):
    return network(n=150, K=30, rules=calcium_rules(scope, BALANCED if scope == "population" else CELLS, **changes))


def same(a, b):
    assert a.data.drop_attrs().equals(b.data.drop_attrs())
    np.testing.assert_array_equal(a.end.v, b.end.v)
    assert a.end.step == b.end.step
    assert a.simulated == b.simulated


@pytest.mark.parametrize("scope", ["population", "neuron"])
@pytest.mark.parametrize("at", [0.1, 0.6])
def test_interrupted_and_resumed_is_uninterrupted(tmp_path, monkeypatch, scope, at):
    monkeypatch.setattr(checkpoint, "SAVE_EVERY", 0.0)
    order = TINY | ({} if scope == "population" else {"duration": 5 * minute})
    whole = evolve(tiny(scope), **order)

    def stop(done):
        if done > at:
            raise KeyboardInterrupt

    part = evolve(tiny(scope), **order, checkpoint=tmp_path / "c.npz", progress=stop)
    assert part.status is eq.Status.INTERRUPTED
    assert 0 < part.data.time[-1] <= order["duration"]
    same(evolve(tiny(scope), **order, checkpoint=tmp_path / "c.npz"), whole)
    same(evolve(tiny(scope), **order, checkpoint=tmp_path / "c.npz"), whole)


SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
import test_spiking_evolution as t
t.checkpoint.SAVE_EVERY = 0.0
t.evolve(t.tiny(), **t.TINY, checkpoint=sys.argv[2])
"""


def test_a_killed_run_goes_on(tmp_path):
    """kill -9 in the middle, and the last checkpoint torn: the one before serves."""
    path = tmp_path / "c.npz"
    child = subprocess.Popen([sys.executable, "-c", SCRIPT, str(Path(__file__).parent), str(path)])
    deadline = time.monotonic() + 60.0
    while not checkpoint.previous(path).exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert checkpoint.previous(path).exists()
    if path.exists():
        path.write_bytes(path.read_bytes()[:1000])
    same(evolve(tiny(), **TINY, checkpoint=path), evolve(tiny(), **TINY))


def test_the_checkpoint_of_another_run_is_refused(tmp_path):
    evolve(tiny(), **TINY | {"duration": 60.0}, checkpoint=tmp_path / "c.npz")
    with pytest.raises(ValueError, match=r"c.npz is the checkpoint of another run \(circuit, schedule, seed, duration"):
        evolve(tiny(), **TINY, checkpoint=tmp_path / "c.npz")


def test_threads_change_nothing():
    short = TINY | {"duration": 2 * minute}
    one, two = (evolve(tiny(), **short | {"pace": replace(TINY["pace"], threads=n)}) for n in (1, 2))
    same(one, two)


# --- bad input and rules that are too fast ----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: evolve(network(n=50, K=10), **TINY), "evolve: the circuit has no rules; attach some"),
        (lambda: evolve(tiny(), duration=0.0, seed=1), r"evolve.duration \(slow time\) must lie in"),
        (
            lambda: evolve(tiny(), **TINY, homeostasis=eq.spiking.Homeostasis(window=1.0)),
            "Homeostasis.window is for simulations; give Pace",
        ),
        (lambda: evolve(tiny(), **TINY, speed=0.5), "evolve.speed .* must be .*1.*, got 0.5"),
        (
            lambda: evolve(tiny("neuron"), **TINY, speed=5000),
            r"evolve.speed must be at most \d+.*: the fastest mode of the rules takes .* s, and sped up by 5000 it",
        ),
        (
            lambda: evolve(tiny(scale="absolute", tau_e=60.0, tau_i=30.0), **TINY),
            r"the rules act within 0.\d+ s, near the 300 ms that what they sense takes; there is no slow",
        ),
        (lambda: Pace(window=0.0), r"Pace.window \(sensing window\) must lie in \[10, 60000\] ms, got 0 ms"),
    ],
)
def test_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_neuron_and_the_sensor_are_those_of_the_circuit():
    days = evolve(alone(n=50, K=400, rules=calcium_rules(targets={"E": CELL})), **TINY | {"duration": 60.0})
    assert days.network.circuit.populations[0].neuron == LIF
    assert days.data["calcium_mean"].attrs["units"] == "uM"
    assert float(days.data["rate"].max()) > 0.0
    assert days.speeds == (1500.0, 600.0)
    assert SENSOR.tau == 300 * ms
