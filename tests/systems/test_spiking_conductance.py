"""Conductance neurons in the compiled step: its NumPy reference, exact solutions, order in dt, and what is recorded."""

from dataclasses import replace

import numpy as np
import pytest
from conductance_circuits import AMPA, CELL, GABA, SHUNT, SILENT, beside_currents, driven, network
from scipy.integrate import solve_ivp

import equipoise as eq
from equipoise import _core
from equipoise.spiking import kernel, reference
from equipoise.spiking.probes import probes_at
from equipoise.units import ms, mV, nS

BUILD = eq.spiking.build
SPREAD = {"delay": eq.UniformDelay(low=0.3 * ms, high=1.7 * ms), "weight_spread": eq.LogNormalSpread(0.5)}
CHOSEN = {"E": [0, 3, 511, 512], "I": 3, "L": 2}


def looked_at(net, advance, steps=70, **options):
    start = kernel.begin(net)
    probes = probes_at(net, CHOSEN, start.currents).along(steps)
    return *advance(net, start, steps, probes=probes, **options), probes


def assert_same(one, other):
    (a, spikes_a, probes_a), (b, spikes_b, probes_b) = one, other
    assert np.array_equal(spikes_a, spikes_b)
    for name in ("step", "v", "silent", "currents", "recent"):
        assert np.array_equal(getattr(a, name), getattr(b, name)), name
    assert np.array_equal(probes_a.trace, probes_b.trace)
    assert np.array_equal(probes_a.split, probes_b.split)


# --- one step for all -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("circuit", "threads"),
    [
        (network(900, 300), 2),
        (network(900, 300, synapses=(AMPA, SHUNT), how=SPREAD), 3),
        (network(600, 120, k=300, how={"delay": 0.1 * ms}, cell=replace(CELL, tau_ref=0.0)), 1),
        (network(600, 120, cell=CELL).with_node("E", spread=eq.Spread(v_threshold=1 * mV, tau_ref=1 * ms)), 2),
    ],
)
def test_kernel_and_reference_agree_bit_for_bit(circuit, threads):
    """Beside populations that take currents, for lists, bitmaps and weights of single synapses."""
    net = BUILD(beside_currents(circuit), seed=4, threads=threads, drive={"E": 0.2, "L": 0.5})
    compiled = looked_at(net, kernel.advance)
    assert_same(compiled, looked_at(net, reference.advance))
    assert _core.spiking_count(compiled[1].ravel()) > 100
    assert (np.abs(compiled[2].trace[..., [1, 2, 4, 5]]).max(axis=(0, 1)) > 0.0).all()


@pytest.mark.parametrize("instructions", [kernel.BASELINE, kernel.AVX2, kernel.AVX512])
def test_the_instruction_set_changes_nothing(instructions):
    if instructions > _core.spiking_instruction_set():
        pytest.skip("this machine does not have it")
    net = BUILD(beside_currents(network(900, 300)), seed=5, threads=1)
    assert_same(looked_at(net, kernel.advance, instruction_set=instructions), looked_at(net, kernel.advance))


def test_threads_and_pieces_change_nothing():
    states = []
    for threads, pieces in ((1, (400,)), (3, (1, 7, 92, 300))):
        net = BUILD(network(900, 300), seed=3, threads=threads)
        state = kernel.begin(net)
        for steps in pieces:
            state, _ = kernel.advance(net, state, steps)
        states.append(state)
    assert np.array_equal(states[0].v, states[1].v)
    assert np.array_equal(states[0].currents, states[1].currents)


def test_what_is_lost_in_a_step_is_accurate_where_it_is_small():
    x = np.geomspace(1e-8, 200.0, 20_001).astype(np.float32)
    exact = -np.expm1(-x.astype(np.float64))
    assert np.abs(reference.lost32(x) / exact - 1.0).max() < 1e-6


# --- free membranes ---------------------------------------------------------------------------------------------------
def let_go(cell, conductances, *, start, time, dt, drive=0.0):
    """A membrane from `start` [V] after `time` [s], with conductances [S] that decay and are not fed again."""
    circuit = driven(cell, size=1, synapses=(AMPA, GABA), drive=drive)
    silent = replace(circuit, sources=[eq.Source(s.name, rate=0.0) for s in circuit.sources])
    net = BUILD(silent, seed=1, dt=dt, threads=1)
    state = kernel.begin(net)
    state.v[0] = start - cell.v_leak
    state.currents[:, 0] = np.array(conductances) / cell.capacitance
    state, _ = kernel.advance(net, state, round(time / dt))
    return float(state.v[0]) + cell.v_leak


def exact_membrane(cell, conductances, *, start, time, drive=0.0):
    def slope(t, v):
        g = [g * np.exp(-t / s.tau) * (s.reversal - v) for g, s in zip(conductances, (AMPA, GABA), strict=True)]
        return (cell.g_leak * (cell.v_leak - v) + sum(g)) / cell.capacitance + drive

    return solve_ivp(slope, (0.0, time), [start], rtol=1e-11, atol=1e-14, method="DOP853").y[0, -1]


@pytest.mark.parametrize("dt", [0.1 * ms, 1 * ms])
def test_without_input_the_membrane_decays_exactly(dt):
    """Leak and drive, with steps of any length; single precision rounds 200 steps to 1e-5 of 10 mV at most."""
    v = let_go(SILENT, (0.0, 0.0), start=-50 * mV, time=20 * ms, dt=dt, drive=0.3)
    rest = -60 * mV + 0.3 * 20 * ms
    assert v == pytest.approx(rest + (-50 * mV - rest) * np.exp(-1.0), abs=1e-7)


@pytest.mark.parametrize("dt", [0.1 * ms, 1 * ms])
def test_shunting_decays_exactly(dt):
    """A reversal at the leak: v = v_0 e^{-A}, A = t/tau_m + g tau_s (1 - e^{-t/tau_s})/C, for steps of any length."""
    cell = replace(SILENT, v_leak=GABA.reversal, v_reset=GABA.reversal)
    time, g = 10 * ms, 100 * nS
    lost = time / cell.tau_m + g / cell.capacitance * GABA.tau * -np.expm1(-time / GABA.tau)
    v = let_go(cell, (0.0, g), start=-60 * mV, time=time, dt=dt)
    assert v - cell.v_leak == pytest.approx(20 * mV * np.exp(-lost), rel=5e-6)


@pytest.mark.parametrize(("g_e", "g_i"), [(60 * nS, 150 * nS), (300 * nS, 50 * nS)])
def test_the_step_is_of_second_order(g_e, g_i):
    """tau_eff is 1 and 0.6 ms at first; errors fall as dt^2, and are 0.5 uV and 1 uV at 0.1 ms."""
    given = {"start": -60 * mV, "time": 8 * ms}
    exact = exact_membrane(SILENT, (g_e, g_i), **given)
    dts = np.array([1.0, 0.5, 0.25, 0.125]) * ms
    errors = np.array([abs(let_go(SILENT, (g_e, g_i), dt=dt, **given) - exact) for dt in dts])
    orders = np.log2(errors[:-1] / errors[1:])
    assert orders == pytest.approx(2.0, abs=0.02), errors


# --- under Poisson conductances ---------------------------------------------------------------------------------------
def fine_steps(cell, g, first, dt, parts=50):
    """Potentials at the ends of steps dt, by midpoint steps of dt/parts; conductances g (step, 2) at their starts."""
    h, v, spikes, silent, out = dt / parts, first, [], 0, []
    taus, reversals = (np.array([getattr(s, name) for s in (AMPA, GABA)]) for name in ("tau", "reversal"))
    middles = np.exp(-h * (np.arange(parts)[:, None] + 0.5) / taus)
    for k, row in enumerate(g):
        now, free = row * middles, v
        totals = cell.g_leak + now.sum(axis=1)
        rests = (cell.g_leak * cell.v_leak + now @ reversals) / totals
        for rest, kept in zip(rests.tolist(), np.exp(-h * totals / cell.capacitance).tolist(), strict=True):
            free = rest + (free - rest) * kept
        v, silent = (free, 0) if silent == 0 else (v, silent - 1)
        if v >= cell.v_threshold:
            v, silent = cell.v_reset, round(cell.tau_ref / dt)
            spikes.append(k)
        out.append(v)
    return np.array(out), spikes


def test_a_neuron_under_poisson_conductances_follows_fine_steps():
    """The same arrivals, membrane steps 50 times finer: 1 s, spike times equal, potentials within 1 uV between them.

    A drive of 0.4 V/s is a leak potential 8 mV higher.
    """
    record = eq.spiking.Record(membrane={"E": 1})
    circuit = driven(size=1, drive=0.4)
    run = eq.spiking.simulate(circuit, duration=1.0, seed=6, warmup=0.0, record=record)
    data = run.membrane.isel(cell=0)
    g = np.stack([data.g_excitatory.values, data.g_inhibitory.values], axis=1).astype(np.float64)
    v, spikes = fine_steps(replace(CELL, v_leak=-52 * mV), g[:-1], float(data.potential[0]), 0.1 * ms)
    found = run.steps[run.steps > 0] - 1
    assert found.size > 8
    np.testing.assert_array_equal(found, spikes)
    assert np.abs(v - data.potential.values[1:]).max() < 1e-6


def test_mean_conductance_and_potential_are_those_of_campbell():
    """Mean K r g tau, variance K r g^2 tau/2; arrivals at ends of steps show g high by dt/(2 tau), 1 % and 0.5 %.

    500 neurons over 2 s are some 1e5 independent samples; limits are five standard errors.
    """
    record = eq.spiking.Record(membrane={"E": 500}, every=5 * ms)
    run = eq.spiking.simulate(driven(SILENT), duration=2.0, seed=2, record=record)
    g = run.membrane.mean()
    assert float(g.g_excitatory) == pytest.approx(10 * nS * 1.01, rel=0.003)
    assert float(g.g_inhibitory) == pytest.approx(20 * nS * 1.005, rel=0.003)


# --- what is recorded -------------------------------------------------------------------------------------------------
def test_currents_are_conductances_times_driving_forces():
    circuit = driven(drive=0.1)
    run = eq.spiking.simulate(circuit, duration=0.2, seed=3, record=eq.spiking.Record(membrane={"E": 3}))
    m, C = run.membrane, CELL.capacitance
    np.testing.assert_allclose(m.excitation, m.g_excitatory / C * (AMPA.reversal - m.potential), rtol=2e-6)
    np.testing.assert_allclose(m.inhibition, m.g_inhibitory / C * (GABA.reversal - m.potential), rtol=2e-6, atol=1e-5)
    np.testing.assert_allclose(m.drive, 0.1, rtol=1e-6)
    assert m.g_excitatory.attrs["units"] == "S"


def test_runs_of_currents_have_no_conductances():
    circuit = beside_currents(network(300, 100))
    record = eq.spiking.Record(membrane={"L": 2})
    assert "g_excitatory" not in eq.spiking.simulate(circuit, duration=0.05, seed=1, record=record).membrane
    both = eq.spiking.Record(membrane={"L": 2, "E": 1})
    mixed = eq.spiking.simulate(circuit, duration=0.05, seed=1, record=both).membrane
    assert (mixed.g_excitatory.values[:, 1:] == 0.0).all()
    assert mixed.g_excitatory.values[:, 0].max() > 0.0


def test_conductances_survive_a_file(tmp_path):
    record = eq.spiking.Record(membrane={"E": 2})
    run = eq.spiking.simulate(driven(), duration=0.05, seed=1, record=record)
    loaded = eq.spiking.load(eq.spiking.save(run, tmp_path / "run.nc"))
    assert loaded.membrane.equals(run.membrane)


# --- what neurons may have of their own, and what is refused ----------------------------------------------------------
def test_a_gain_multiplies_conductances():
    def gain(state, sensed, dt):
        return {"gain": np.full_like(state["gain"], 2.0)}

    net = BUILD(driven(SILENT), seed=1)
    plan = eq.spiking.Homeostasis(functions={"E": gain}, window=100 * ms)
    record = eq.spiking.Record(membrane={"E": 200}, every=50 * ms)
    run = eq.spiking.run(net, duration=1.0, homeostasis=plan, record=record)
    g = run.membrane.g_inhibitory.mean("cell")
    assert float(g[6:].mean() / g[1]) == pytest.approx(2.0, rel=0.05)


def test_thresholds_can_be_given_and_moved():
    net = eq.spiking.with_neurons(BUILD(driven(), seed=1), "E", v_threshold=np.repeat([-52.0, -48.0], 250) * mV)
    run = eq.spiking.run(net, duration=1.0)
    counts = np.bincount(run.units, minlength=500)
    assert counts[:250].sum() > 2 * counts[250:].sum() > 0


def test_weights_may_be_blocked_while_it_runs():
    block = eq.WeightBlock(source="Y", target="E", fraction=0.5)
    record = eq.spiking.Record(membrane={"E": 200}, every=50 * ms)
    run = eq.spiking.simulate(
        driven(SILENT), duration=1.0, seed=1, schedule=[eq.During(block, start=0.5, stop=1.0)], record=record
    )
    g = run.membrane.g_inhibitory.mean("cell")
    assert float(g[-8:].mean() / g[:9].mean()) == pytest.approx(0.5, rel=0.03)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: BUILD(driven(), seed=1, noise="gaussian"), TypeError,
         "noise='gaussian' would give 'E' negative conductances. Take noise='poisson'"),
        (lambda: driven().with_node("E", spread=eq.Spread(tau_m=1 * ms)), ValueError,
         "tau_m of ConductanceLIF neurons cannot vary. Those that can: v_threshold, v_reset, tau_ref"),
        (lambda: eq.spiking.with_neurons(BUILD(driven(), seed=1), "E", tau_m=10 * ms), ValueError,
         "ConductanceLIF neurons cannot differ in 'tau_m'"),
        (lambda: eq.spiking.simulate(driven().with_rules([eq.InputCentricThreshold("E", set_point=1.0)]),
                                     duration=1.0, seed=1), TypeError,
         "a rule of 'E' senses RequiredInput, an input of currents; its synapses are conductances"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
