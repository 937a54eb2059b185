"""Plastic synapses: the compiled step against its reference, against the rule written out, and against its theory."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from spiking_circuits import LIF

import equipoise as eq
from equipoise.papers.ei_balance import plastic_circuits
from equipoise.papers.ei_balance.plastic_circuits import AMPA, CELL, GABA
from equipoise.spiking import kernel, reference
from equipoise.spiking.packing import packed, unpacked
from equipoise.units import Hz, ms, mV, nS

RULE = eq.InhibitoryPlasticity(5 * Hz, eta=0.05, largest=1.6)


def assert_same(one, other):
    (a, spikes_a), (b, spikes_b) = one, other
    assert np.array_equal(spikes_a, spikes_b)
    for name in ("step", "v", "silent", "currents", "recent"):
        assert np.array_equal(getattr(a, name), getattr(b, name)), name
    assert a.learned.keys() == b.learned.keys()
    for name in a.learned:
        assert np.array_equal(a.learned[name], b.learned[name]), name


def circuit(n_e=900, n_i=300, *, delay=0.7 * ms, spread=None, tau=20 * ms, conductances=False):
    """E and I with plastic synapses onto both, and a second rule beside the first."""
    cell = eq.ConductanceLIF() if conductances else LIF
    e, i = (
        (eq.ConductanceSynapse(5 * ms, reversal=0 * mV), eq.ConductanceSynapse(10 * ms, reversal=-80 * mV))
        if conductances
        else (eq.DeltaSynapse(), eq.DeltaSynapse())
    )
    unit = nS if conductances else 0.3 * mV
    other = eq.InhibitoryPlasticity(9 * Hz, tau=tau, eta=0.02)
    inhibit = 4 * unit * (1.0 if conductances else -1.0)
    return eq.Circuit(
        populations=[
            eq.Population("E", size=n_e, neuron=cell),
            eq.Population("I", size=n_i, neuron=cell),
            eq.Source("X", rate=60 * Hz),
        ],
        projections=[
            eq.Projection(source="E", target="I", weight=unit, in_degree=20, delay=0.5 * ms, synapse=e),
            eq.Projection(
                source="I", target="E", weight=inhibit, in_degree=30, delay=delay, synapse=i, weight_spread=spread,
                plasticity=RULE,
            ),
            eq.Projection(source="I", target="I", weight=inhibit, in_degree=30, synapse=i, plasticity=other),
            eq.Projection(source="X", target="E", weight=unit, in_degree=500, synapse=e),
            eq.Projection(source="X", target="I", weight=unit, in_degree=500, synapse=e),
        ],
    )  # fmt: skip


@given(
    sizes=st.tuples(st.integers(101, 1300), st.integers(40, 700)),
    delay=st.sampled_from([0.1 * ms, 0.7 * ms, eq.UniformDelay(low=0.3 * ms, high=1.1 * ms)]),
    spread=st.sampled_from([None, eq.LogNormalSpread(0.5)]),
    multapses=st.booleans(),
    conductances=st.booleans(),
    threads=st.integers(1, 3),
    seed=st.integers(0, 2**40),
)
@settings(max_examples=6, deadline=None, derandomize=True, phases=[Phase.generate])
def test_kernel_and_reference_agree_bit_for_bit(sizes, delay, spread, multapses, conductances, threads, seed):
    net = circuit(*sizes, delay=delay, spread=spread, tau=3 * ms, conductances=conductances)
    network = eq.spiking.build(net, seed=seed, threads=threads, wiring=eq.spiking.Wiring(multapses=multapses))
    start = kernel.begin(network)
    compiled = kernel.advance(network, start, 120)
    assert_same(compiled, reference.advance(network, start, 120))
    weights = compiled[0].learned["1.weights"]
    assert (weights != start.learned["1.weights"]).mean() > 0.1


@pytest.fixture(scope="module")
def one_thread():
    network = eq.spiking.build(circuit(), seed=3, threads=1)
    return network, kernel.advance(network, kernel.begin(network), 600)


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_and_their_blocks_change_nothing(one_thread, threads):
    network = eq.spiking.build(circuit(), seed=3, threads=threads)
    assert_same(kernel.advance(network, kernel.begin(network), 600), one_thread[1])
    half, _ = kernel.advance(one_thread[0], kernel.begin(network), 300)
    assert np.array_equal(kernel.advance(network, half, 300)[0].v, one_thread[1][0].v)


@pytest.mark.parametrize("instructions", [kernel.BASELINE, kernel.AVX2, kernel.AVX512])
def test_the_instruction_set_changes_nothing(one_thread, instructions):
    network, wanted = one_thread
    assert_same(kernel.advance(network, kernel.begin(network), 600, instruction_set=instructions), wanted)


def test_a_run_in_pieces_equals_the_run_in_one_piece(one_thread):
    network, (wanted, _) = one_thread
    state = kernel.begin(network)
    for steps in (250, 1, 349):
        state, _ = kernel.advance(network, state, steps)
    assert_same((state, state.recent), (wanted, wanted.recent))


# --- against the rule written out -------------------------------------------------------------------------------------
def test_weights_are_the_sum_of_the_rule_over_all_pairs_of_spikes():
    """dw = eta (sum over post spikes before of e^{-(t_pre - t_post)/tau} - alpha) + the same with both exchanged."""
    net = circuit(60, 40, delay=0.7 * ms)
    rule = eq.InhibitoryPlasticity(5 * Hz, eta=0.002)
    projections = [p if p.target != "E" or p.source != "I" else replace(p, plasticity=rule) for p in net.projections]
    network = eq.spiking.build(replace(net, projections=projections), seed=5, threads=1)
    run = eq.spiking.run(network, duration=400 * ms)
    pre, post = network.synapses("I", "E")
    mean = network.circuit.projection("I", "E").weight
    got = network.synaptic_weights("I", "E", learned=run.end.learned) / mean
    trains = {name: [run.spikes_of(name).times[run.spikes_of(name).units == k] for k in range(n)]
              for name, n in (("E", 60), ("I", 40))}  # fmt: skip
    wanted = [
        1.0 + written_out(rule, trains["I"][i] + 0.7 * ms, trains["E"][e], 0.4) for i, e in zip(pre, post, strict=True)
    ]
    assert np.ptp(got) > 0.02
    np.testing.assert_allclose(got, wanted, rtol=2e-5)


def written_out(rule, arrivals, spikes, end):
    """The movement of one synapse; an arrival in the step of a spike comes before it."""
    arrivals = arrivals[arrivals < end + 0.05 * ms]
    lag = spikes[None, :] - arrivals[:, None]
    after = lag > -0.05 * ms
    pairs = np.where(after, np.exp(-np.maximum(lag, 0.0) / rule.tau), np.exp(np.minimum(lag, 0.0) / rule.tau))
    return rule.eta * (pairs.sum() - rule.alpha * arrivals.size)


def test_independent_spikes_move_weights_as_the_mean_of_the_rule_says():
    """<dw/dt> = eta r_pre (2 tau r_post - alpha), within 4 standard errors over 300 targets without common input."""
    rule = eq.InhibitoryPlasticity(5 * Hz, eta=1e-3)
    net = driven_pair(rule)
    network = eq.spiking.build(net, seed=2)
    settled = eq.spiking.run(network, duration=0.3).end
    run = eq.spiking.run(network, duration=20.0, start=replace(settled, learned=network.learning.begin()))
    pre, post = network.synapses("I", "E")
    moved = network.synaptic_weights("I", "E", learned=run.end.learned) / network.synaptic_weights("I", "E") - 1.0
    rates = [np.bincount(run.spikes_of(n).units, minlength=k) / 20.0 for n, k in (("I", 100), ("E", 300))]
    window = 2 * rule.tau * (1 - rule.tau / 20.0)  # partners before the beginning left no trace
    wanted = rule.eta * 20.0 * rates[0][pre] * (window * rates[1][post] - rule.alpha)
    each = np.bincount(post, weights=(moved - wanted) / rule.eta) / np.bincount(post)  # [pairs], of 430
    assert abs(each.mean()) < 4.0 * each.std() / np.sqrt(300)
    np.testing.assert_allclose(np.polyfit(wanted, moved, 1)[0], 1.0, atol=0.05)


def driven_pair(rule):
    """Unconnected but for plastic synapses that are too weak to matter, under independent input."""
    weak = eq.Projection(source="I", target="E", weight=-1e-6 * mV, in_degree=20, plasticity=rule)
    return eq.Circuit(
        populations=[
            eq.Population("E", size=300, neuron=LIF),
            eq.Population("I", size=100, neuron=LIF),
            eq.Source("X", rate=20 * Hz),
        ],
        projections=[
            weak,
            eq.Projection(source="X", target="E", weight=1 * mV, connectivity=eq.FixedInDegree(45)),
            eq.Projection(source="X", target="I", weight=1 * mV, connectivity=eq.FixedInDegree(55)),
        ],
    )


# --- what comes of it -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("target", [3 * Hz, 10 * Hz])
def test_cells_fire_at_the_target(target):
    """Within 2 %; the standard error is 0.2 %. Inhibition keeps off spikes right behind it, which costs 1 %."""
    rule = eq.InhibitoryPlasticity(target, eta=0.05)
    network = eq.spiking.build(inhibited_cells(rule), seed=1)
    settled = eq.spiking.run(network, duration=15.0, record=eq.spiking.Record(cells=0)).end
    run = eq.spiking.run(network, duration=8.0, start=settled)
    assert abs(run.rates[0] / target - 1.0) < 0.02
    cells = np.bincount(run.spikes_of("cell").units, minlength=200) / 8.0
    assert cells.std() < 0.05 * target
    assert 0.5 < run.cvs[0] < 0.9


def inhibited_cells(rule):
    """Cells under independent excitation, and inhibition from 200 independent neurons each."""
    return eq.Circuit(
        populations=[
            eq.Population("cell", size=200, neuron=CELL),
            eq.Population("I", size=400, neuron=eq.LIF(tau_m=10 * ms, v_threshold=20 * mV, v_reset=0.0)),
            eq.Source("X", rate=10 * Hz),
        ],
        projections=[
            eq.Projection(
                source="X", target="cell", weight=0.3 * nS, synapse=AMPA, connectivity=eq.FixedInDegree(800)
            ),
            eq.Projection(source="X", target="I", weight=1 * mV, connectivity=eq.FixedInDegree(180)),
            eq.Projection(
                source="I", target="cell", weight=0.5 * nS, synapse=GABA, connectivity=eq.FixedInDegree(200),
                plasticity=rule,
            ),
        ],
    )  # fmt: skip


def test_a_recurrent_network_becomes_balanced_and_irregular():
    """Spikes that share their causes, and weights on their way to the end, leave the rate within a fifth of 5 Hz."""
    network = eq.spiking.build(
        plastic_circuits.network(eq.InhibitoryPlasticity(5 * Hz, eta=0.03), neurons=2000), seed=1
    )
    record = eq.spiking.Record(membrane={"E": 40}, every=1 * ms)
    first = eq.spiking.run(network, duration=0.5)
    settled = eq.spiking.run(network, duration=25.0, start=first.end, record=eq.spiking.Record(cells=0)).end
    last = eq.spiking.run(network, duration=2.0, start=settled, record=record)
    after = eq.measures.balance(last.membrane.excitation, last.membrane.inhibition)
    assert first.rates[0] > 40 * Hz
    assert abs(last.rates[0] - 5 * Hz) < 1 * Hz
    assert 0.7 < last.cvs[0] < 1.1
    assert float(after.inhibition.mean()) < -2.0 * float(after.excitation.mean())  # against the 200 pA too
    assert float(after.tracking.mean()) > 0.2


def test_inhibition_takes_the_tuning_of_excitation():
    """Correlation over channels 0.9 or more from no tuning at all."""
    rule = eq.InhibitoryPlasticity(5 * Hz, eta=0.05)
    net = plastic_circuits.tuned(rule)
    network = eq.spiking.build(net, seed=1, wiring=plastic_circuits.tuned_wiring(net))
    run = eq.spiking.run(network, duration=30.0, record=eq.spiking.Record(cells=0))
    pre, _ = network.synapses("I", "cell")
    weights = network.synaptic_weights("I", "cell", learned=run.end.learned)
    learned = plastic_circuits.by_channel(weights, pre, "I")
    assert float(eq.measures.cotuning(plastic_circuits.tuning(), learned)) > 0.9


# --- scaling of all synapses of a neuron ------------------------------------------------------------------------------
def test_inhibitory_scaling_brings_conductance_networks_to_its_rate():
    """ds_I/dt = k (r - r0) for all synapses of a population: the integral of the error is what the weight has moved."""
    start, speed = 3.2 * nS, 0.02 * nS
    rule = eq.InhibitoryScaling("E", "I", rate=5 * Hz, speed=speed)
    net = replace(plastic_circuits.network(None, neurons=2000, start=start), slow_rules=(rule,))
    network = eq.spiking.build(net, seed=1, apart=[("I", "E")])
    run = eq.spiking.run(network, duration=14.0, warmup=0.2, homeostasis=eq.spiking.Homeostasis(window=100 * ms))
    moved = float(run.homeostasis["J_EI"][-1]) - start
    np.testing.assert_allclose(moved, speed * (run.rates[0] - 5 * Hz) * 14.0, rtol=1e-3)
    late = run.rate_trace().sel(population="E", time=slice(7, None)).mean()
    assert abs(float(late) - 5 * Hz) < 0.4 * Hz


# --- what runs are made of --------------------------------------------------------------------------------------------
def test_states_are_packed_with_what_was_learned(one_thread):
    _, (state, _) = one_thread
    again = unpacked(packed(state))
    assert again.learned.keys() == state.learned.keys()
    assert all(np.array_equal(again.learned[k], x) for k, x in state.learned.items())


def test_weights_can_be_read_before_and_after(one_thread):
    network, (state, _) = one_thread
    start = network.synaptic_weights("I", "E")
    assert np.array_equal(start, network.synaptic_weights("I", "E", learned=network.learning.begin()))
    now = network.synaptic_weights("I", "E", learned=state.learned)
    assert now.shape == start.shape
    assert (now <= 0.0).all()
    assert (now >= RULE.largest * start.min() * (1 + 1e-6)).all()
    assert (now != start).any()


def test_a_run_that_goes_on_in_its_directory_remembers_weights(tmp_path):
    pytest.importorskip("zarr")
    network = eq.spiking.build(circuit(200, 60), seed=3, threads=1)
    whole = eq.spiking.run(network, duration=60 * ms)
    stopped = []

    def stop(fraction):
        if fraction > 0.4 and not stopped:
            stopped.append(fraction)
            raise KeyboardInterrupt

    record = eq.spiking.Record(to=tmp_path / "run", resume=True)
    for _ in range(2):
        again = eq.spiking.run(network, duration=60 * ms, record=record, progress=stop)
    assert np.array_equal(again.end.learned["1.weights"], whole.end.learned["1.weights"])


# --- bad input --------------------------------------------------------------------------------------------------------
def with_plasticity(source, target, **changes):
    net = circuit(100, 40)
    one = replace(net.projection(source, target), plasticity=RULE, **changes)
    return replace(net, projections=[one if p is net.projection(source, target) else p for p in net.projections])


LOSS = eq.During(eq.Deafferentation(source="I", target="E", fraction=0.5), start=0.01)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: eq.InhibitoryPlasticity(5000.0), ValueError, r"InhibitoryPlasticity.rate \(target rate\)"),
        (lambda: eq.InhibitoryPlasticity(5.0, tau=20), ValueError, r"Did you mean tau=20 \* ms"),
        (lambda: eq.InhibitoryPlasticity(5.0, eta=0.0), ValueError, "eta .learning rate, relative to the weight"),
        (lambda: eq.InhibitoryPlasticity(5.0, largest=0.5), ValueError, "largest .* must be at least 1, got 0.5"),
        (lambda: replace(circuit().projections[0], plasticity=5.0), TypeError, "must be eq.InhibitoryPlasticity"),
        (lambda: with_plasticity("E", "I"), ValueError, "E -> I excites, so that rates would run away"),
        (lambda: with_plasticity("X", "E"), ValueError, "'X' is a source, whose trains are not told apart"),
        (lambda: eq.theory.mean_field(circuit(100, 40)), TypeError, "mean_field: I -> E has synapses that move"),
        (lambda: eq.spiking.evolve(replace(circuit(100, 40), slow_rules=(eq.InhibitoryScaling(
            "E", "I", rate=5.0, speed=1e-6),)), duration=60.0, seed=1), TypeError, "evolve: I -> E has synapses"),
        (lambda: eq.spiking.simulate(circuit(100, 40), duration=0.1, seed=1, schedule=[LOSS]), ValueError,
         "I -> E are plastic"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_circuits_with_plasticity_are_read_back_as_they_were_written():
    net = circuit(100, 40)
    text = net.to_toml()
    assert 'plasticity = { rate = "5 Hz", tau = "20 ms", eta = 0.05, largest = 1.6 }' in text
    assert eq.Circuit.from_toml(text) == net


def test_weights_within_bounds_are_those_of_the_rule_event_by_event():
    """Large steps, so that many synapses meet 0 and the largest weight; every synapse by itself in plain Python."""
    rule = eq.InhibitoryPlasticity(40 * Hz, tau=15 * ms, eta=0.4, largest=1.5)
    relay, dt = eq.PIF(v_threshold=1 * mV, v_reset=0.0, v_bound=0.0), 0.1 * ms
    fed = {"connectivity": eq.FixedInDegree(1), "weight": 1.5 * mV}
    net = eq.Circuit(
        populations=[
            eq.Population("I", size=40, neuron=relay), eq.Population("E", size=700, neuron=relay),
            eq.Source("X", rate=60 * Hz), eq.Source("Y", rate=30 * Hz),
        ],
        projections=[
            eq.Projection(source="X", target="I", **fed), eq.Projection(source="Y", target="E", **fed),
            eq.Projection(
                source="I", target="E", weight=-1e-3 * mV, connectivity=eq.FixedInDegree(6), plasticity=rule,
                delay=eq.UniformDelay(low=0.2 * ms, high=2.1 * ms),
            ),
        ],
    )  # fmt: skip
    network = eq.spiking.build(net, seed=7, threads=2, dt=dt)
    run = eq.spiking.run(network, duration=1.0, record=eq.spiking.Record(cells=np.inf))
    pre, post = network.synapses("I", "E")
    delays = np.rint(network.synaptic_delays("I", "E") / dt).astype(int)
    found = network.synaptic_weights("I", "E", learned=run.end.learned) / (-1e-3 * mV)
    trains = [steps_of_trains(run.spikes_of(name), dt) for name in "IE"]
    chosen = np.random.default_rng(1).choice(pre.size, 300, replace=False)
    wanted = [learned_weight(rule, trains[0][pre[k]] + delays[k], trains[1][post[k]], dt) for k in chosen]
    np.testing.assert_allclose(found[chosen], wanted, atol=2e-5)
    assert np.count_nonzero(np.array(wanted) == 0.0) > 20
    assert np.max(wanted) > 1.4


def steps_of_trains(spikes, dt):
    """The step in which each spike of each unit ends."""
    steps = np.rint(spikes.times / dt).astype(int)
    return [steps[spikes.units == k] for k in range(spikes.n_units)]


def learned_weight(rule, arrivals, spikes, dt):
    """Arrivals and spikes of the target, in steps; an arrival comes before a spike in its step."""
    weight, x_pre, x_post, last = 1.0, 0.0, 0.0, 0
    events = sorted([(step, 0) for step in arrivals] + [(step, 1) for step in spikes])
    for step, kind in events:
        if step * dt > 1.0 + 0.5 * dt:
            break
        gone = np.exp(-(step - last) * dt / rule.tau)
        x_pre, x_post, last = x_pre * gone, x_post * gone, step
        move = rule.eta * (x_pre if kind else x_post - rule.alpha)
        weight = min(max(weight + move, 0.0), rule.largest)
        x_pre, x_post = (x_pre, x_post + 1.0) if kind else (x_pre + 1.0, x_post)
    return weight
