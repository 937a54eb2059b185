"""The M-current: the compiled step against its reference, an adaptive solver, and what the channel is known for."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from test_inhibitory_plasticity import assert_same, circuit

import equipoise as eq
from equipoise.spiking import kernel, reference
from equipoise.units import Hz, ms, mV, nS

M = eq.MCurrent(100 * Hz, v_half=-48 * mV, slope=5 * mV, reversal=-90 * mV, tau=60 * ms)
LIF = eq.LIF(tau_m=20 * ms, v_leak=-60 * mV, v_reset=-60 * mV, v_threshold=-50 * mV, tau_ref=2 * ms)
CELLS = {
    "LIF": LIF,
    "PIF": eq.PIF(v_threshold=-50 * mV, v_reset=-60 * mV, v_bound=-90 * mV, tau_ref=2 * ms),
    "EIF": eq.EIF(
        tau_m=20 * ms, v_leak=-60 * mV, v_reset=-60 * mV, v_onset=-50 * mV, slope=2 * mV, v_threshold=-30 * mV
    ),
    "ConductanceLIF": eq.ConductanceLIF(tau_ref=2 * ms),
}


def alone(neuron, drive, own=M, *, size=1):
    """Neurons without synapses."""
    return eq.Circuit(
        populations=[eq.Population("E", size=size, neuron=neuron, drive=drive, adaptation=own)], projections=[]
    )


# --- the step ---------------------------------------------------------------------------------------------------------
def gated(conductances, **options):
    """E and I with plastic synapses, E with an M-current, and with membranes of its own where they may differ."""
    net = circuit(conductances=conductances, **options)
    leak = net.node("E").neuron.v_leak
    top = net.node("E").neuron.v_threshold - leak
    own = replace(M, v_half=leak + 0.9 * top, slope=0.3 * top, reversal=leak - 2.0 * top, tau=10 * ms)
    spread = eq.Spread() if conductances else eq.Spread(tau_m=2 * ms)
    return replace(
        net, populations=[replace(p, adaptation=own, spread=spread) if p.name == "E" else p for p in net.populations]
    )


@pytest.mark.parametrize("conductances", [False, True])
def test_kernel_and_reference_agree_bit_for_bit(conductances):
    network = eq.spiking.build(gated(conductances, n_e=700, n_i=90), seed=5, threads=2)
    start = kernel.begin(network)
    compiled = kernel.advance(network, start, 150)
    assert_same(compiled, reference.advance(network, start, 150))
    last = np.count_nonzero(network.currents[:, 0] == 0) - 1
    before, after = (x.currents[last, :700] for x in (start, compiled[0]))
    assert (before > 0.0).all()
    assert (after < 1.0).all()
    assert np.abs(after - before).max() > 0.1


@pytest.mark.parametrize("conductances", [False, True])
@pytest.mark.parametrize("instructions", [kernel.BASELINE, kernel.AVX2])
def test_threads_pieces_and_instructions_change_nothing(conductances, instructions):
    one, other = (eq.spiking.build(gated(conductances), seed=3, threads=n) for n in (1, 3))
    state, raster = kernel.advance(one, kernel.begin(one), 300)
    now, parts = kernel.begin(other), []
    for steps in (1, 120, 179):
        now, part = kernel.advance(other, now, steps, instruction_set=instructions)
        parts.append(part)
    assert_same((now, np.concatenate(parts)), (state, raster))


# --- against a solver -------------------------------------------------------------------------------------------------
def derivative(neuron, drive, own):
    """dV/dt and dm/dt, written anew."""

    def moves(_, y):
        v, m = y
        leak = 0.0 if isinstance(neuron, eq.PIF) else (neuron.v_leak - v) / neuron.tau_m
        if isinstance(neuron, eq.EIF):
            leak += neuron.slope * np.exp((v - neuron.v_onset) / neuron.slope) / neuron.tau_m
        goal = 1.0 / (1.0 + np.exp(-(v - own.v_half) / own.slope))
        return [leak + drive + own.conductance * m * (own.reversal - v), (goal - m) / own.tau]

    return moves


def solved(neuron, drive, own, duration, start):
    """Spike times by an adaptive solver, from a potential whose gate is at rest."""
    moves, times = derivative(neuron, drive, own), []
    y, t = [start, 1.0 / (1.0 + np.exp(-(start - own.v_half) / own.slope))], 0.0

    def crosses(_, y):
        return y[0] - neuron.v_threshold

    crosses.terminal, crosses.direction = True, 1.0
    while t < duration:
        path = solve_ivp(moves, (t, duration), y, events=crosses, rtol=1e-9, atol=1e-12)
        if not path.t_events[0].size:
            break
        t = float(path.t_events[0][0])
        times.append(t)
        m = 1.0 - (1.0 - path.y_events[0][0][1]) * np.exp(-own.spike / own.tau)
        goal = 1.0 / (1.0 + np.exp(-(neuron.v_reset - own.v_half) / own.slope))
        y, t = [neuron.v_reset, goal + (m - goal) * np.exp(-neuron.tau_ref / own.tau)], t + neuron.tau_ref
    return np.array(times)


@pytest.mark.parametrize("kind", CELLS)
def test_spikes_are_those_of_an_adaptive_solver(kind):
    """Each spike is up to one step late, which moves all that follow; the upstroke of the EIF is late by five more."""
    neuron, dt = CELLS[kind], 0.01 * ms
    drive = 4 * mV / ms
    network = eq.spiking.build(alone(neuron, drive), seed=1, dt=dt)
    start = float(kernel.begin(network).v[0]) + getattr(neuron, "v_leak", 0.0)
    found = eq.spiking.run(network, duration=0.5).spikes.times
    wanted = solved(neuron, drive, M, 0.5, start)
    assert 8 < found.size == wanted.size
    late = found - wanted
    assert (late > -0.5 * dt).all()
    assert np.diff(late).max() < (6.5 if kind == "EIF" else 1.5) * dt


@pytest.mark.parametrize("kind", ["LIF", "PIF", "ConductanceLIF"])
def test_the_step_is_of_second_order(kind):
    """Below threshold, in coarse and in half as long steps; the EIF's upstroke is of first order.

    The gate begins at rest, and so half a step ahead as well.
    """
    neuron = replace(CELLS[kind], v_threshold=100 * mV, v_reset=-60 * mV)
    drive, duration = 4 * mV / ms, 32 * ms
    leak = getattr(neuron, "v_leak", 0.0)

    def error(dt):
        network = eq.spiking.build(alone(neuron, drive), seed=1, dt=dt)
        state = kernel.begin(network)
        v, m = float(state.v[0]) + leak, float(state.currents[0, 0])
        moves = derivative(neuron, drive, M)
        exact = solve_ivp(moves, (0.0, duration), [v, m], rtol=1e-11, atol=1e-14).y[0, -1]
        end, _ = kernel.advance(network, state, round(duration / dt))
        return abs(float(end.v[0]) + leak - exact)

    coarse, fine = error(1 * ms), error(0.5 * ms)
    assert coarse > 5e-7
    assert 3.3 < coarse / fine < 4.8


# --- what it does -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["LIF", "ConductanceLIF"])
def test_depolarisation_below_threshold_opens_it(kind):
    """Without any spike the membrane rests where leak, drive and g_M m_inf (E_K - V) cancel."""
    neuron, drive = replace(CELLS[kind], v_threshold=-20 * mV), 1 * mV / ms

    def current(v):
        return (neuron.v_leak - v) / neuron.tau_m + drive + M.conductance * float(M.steady(v)) * (M.reversal - v)

    rest = brentq(current, -80 * mV, -30 * mV)
    free = neuron.v_leak + drive * neuron.tau_m
    record = eq.spiking.Record(membrane={"E": 1})
    run = eq.spiking.simulate(alone(neuron, drive), duration=0.1, warmup=1.0, seed=1, record=record)
    np.testing.assert_allclose(run.membrane.potential.values[-1, 0], rest, atol=1e-7)
    assert run.spikes.times.size == 0
    assert free - rest > 5 * mV
    assert float(np.abs(run.membrane.inhibition).max()) == 0.0  # not an input


def test_steady_gate_and_what_a_spike_opens():
    np.testing.assert_allclose(M.steady([-48 * mV, -53 * mV]), [0.5, 1.0 / (1.0 + np.e)], rtol=1e-12)
    np.testing.assert_allclose(M.opened, 1.0 - np.exp(-1.0 / 60.0), rtol=1e-12)


def rates_of(own, drive):
    """Over the first 25 ms of a neuron's firing, and when it has adapted, averaged over start potentials."""
    run = eq.spiking.simulate(alone(LIF, drive, own, size=200), duration=1.0, seed=1, warmup=0.0, dt=0.05 * ms)
    t = run.spikes.times
    return ((t < 0.025).sum() / (200 * 0.025), (t > 0.7).sum() / (200 * 0.3))


def test_firing_adapts_and_the_f_i_curve_begins_later():
    """It fires less with time, and has a higher rheobase, which spike-triggered adaptation leaves where it is."""
    drives = np.array([3.0, 4.0, 5.0]) * mV / ms
    first, late = np.transpose([rates_of(M, drive) for drive in drives])
    free = np.array([rates_of(None, drive)[1] for drive in drives])
    assert (late < 0.9 * free).all()
    assert (late < 0.95 * first).all()
    assert (np.diff(late) > 0.0).all()
    low = 1.5 * mV / ms  # above the rheobase of 0.5 mV/ms of the free neuron
    triggered = eq.Adaptation(0.1 * mV / ms, tau=M.tau)
    assert rates_of(M, low)[1] == 0.0
    assert rates_of(triggered, low)[1] > 5.0


# --- files and bad input ----------------------------------------------------------------------------------------------
def test_circuits_are_read_back_as_they_were_written():
    net = alone(LIF, 1.0)
    text = net.to_toml()
    assert 'v_half = "-48 mV", slope = "5 mV", reversal = "-90 mV"' in text
    assert eq.Circuit.from_toml(text) == net


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: replace(M, reversal=-40 * mV), ValueError, r"MCurrent.reversal .* must lie below v_half=-0.048"),
        (lambda: replace(M, slope=0.0), ValueError, r"MCurrent.slope \(slope factor of the gate\)"),
        (lambda: replace(M, tau=100), ValueError, r"Did you mean tau=100 \* ms"),
        (lambda: replace(M, conductance=10 * nS), ValueError, "MCurrent.conductance"),
        (lambda: alone(LIF, 1.0, replace(M, v_half=-45.0, reversal=-90.0)), ValueError,
         r"Circuit.populations\[0\].adaptation: v_half of the MCurrent .* got -45. Did you mean v_half=-45 \* mV"),
        (lambda: alone(LIF, 1.0, replace(M, slope=5.0)), ValueError,
         r"slope of the MCurrent .* Did you mean slope=5 \* mV"),
        (lambda: alone(eq.LIF(), 1.0, replace(M, v_half=-2.0, reversal=-1e3)), ValueError, "reversal of the MCurrent"),
        (lambda: eq.theory.mean_field(replace(alone(LIF, 1.0))), TypeError, "mean_field: 'E' has adaptation"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said(make, error, message):
    with pytest.raises(error, match=message):
        make()
