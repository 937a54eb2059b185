"""Input of given spike times: when it arrives, in the compiled step and in its NumPy reference, and who refuses it."""

from dataclasses import replace

import numpy as np
import pytest

import equipoise as eq
from equipoise.spiking import kernel, reference
from equipoise.units import Hz, ms, mV, nS

LEAKY = eq.LIF(tau_m=10 * ms, tau_ref=2 * ms)


def circuit(*times, size=1, weight=1.5, in_degree=1, jitter=0.0, synapse=None, **more):
    volleys = eq.Volleys("X", times=times, jitter=jitter)
    p = eq.Projection(
        source="X",
        target="E",
        weight=weight,
        connectivity=eq.FixedInDegree(in_degree),
        synapse=synapse or eq.DeltaSynapse(),
        **{"delay": 1 * ms, **more},
    )
    return eq.Circuit(populations=[eq.Population("E", size=size, neuron=LEAKY), volleys], projections=[p])


def resting(network):
    """A start at the leak potential."""
    return replace(kernel.begin(network), v=np.zeros(network.layout.places, np.float32))


def test_a_spike_arrives_after_the_delay():
    network = eq.spiking.build(circuit(20 * ms, 50 * ms), seed=1)
    run = eq.spiking.run(network, duration=80 * ms, start=resting(network))
    assert run.spikes.times == pytest.approx([0.021, 0.051])


def test_the_potential_is_that_of_the_spikes():
    network = eq.spiking.build(circuit(10 * ms, 12 * ms, weight=0.3), seed=1)
    record = eq.spiking.Record(membrane={"E": 1})
    trace = eq.spiking.run(network, duration=30 * ms, start=resting(network), record=record).membrane
    t = trace["time"].values
    exact = sum(0.3 * np.where(t > s - 1e-9, np.exp(-(t - s) / LEAKY.tau_m), 0.0) for s in (0.011, 0.013))
    assert np.abs(trace["potential"].values[:, 0] - exact).max() < 1e-6


def test_every_train_of_every_neuron_fires_once_in_every_volley():
    network = eq.spiking.build(circuit(30 * ms, 90 * ms, size=700, weight=0.001, in_degree=40, jitter=2 * ms), seed=2)
    (given,) = network.externals
    rest = given.laws.rest[0]
    step, _, count = rest[3:].reshape(-1, 3).T
    assert count.sum() == 700 * 40 * 2
    times = np.repeat((step + 1) * network.dt, count) - 1 * ms
    for volley in (30 * ms, 90 * ms):
        own = times[np.abs(times - volley) < 30 * ms]
        assert own.mean() == pytest.approx(volley, abs=5 * 2 * ms / np.sqrt(28_000))  # five standard errors
        assert own.std() == pytest.approx(2 * ms, rel=5 / np.sqrt(2 * 28_000))


@pytest.mark.parametrize("synapse", [eq.DeltaSynapse(), eq.ExponentialSynapse(3 * ms)])
def test_the_compiled_step_is_the_reference(synapse):
    one = circuit(5 * ms, 9 * ms, size=600, weight=0.12, in_degree=20, jitter=1 * ms, synapse=synapse)
    network = eq.spiking.build(one, seed=3, threads=2)
    start = resting(network)
    (a, fired), (b, also) = (level.advance(network, start, 150) for level in (kernel, reference))
    assert fired.any()
    assert (fired == also).all()
    assert (a.v == b.v).all()


def test_a_run_in_pieces_is_the_run_in_one_piece():
    network = eq.spiking.build(circuit(20 * ms, 50 * ms, size=300, weight=0.1, in_degree=15, jitter=3 * ms), seed=4)
    whole = eq.spiking.run(network, duration=80 * ms)
    first = eq.spiking.run(network, duration=45 * ms)
    rest = eq.spiking.run(network, duration=35 * ms, start=first.end)
    assert whole.spikes.times.size == first.spikes.times.size + rest.spikes.times.size > 0
    assert (whole.end.v == rest.end.v).all()


def test_volleys_stand_beside_poisson_sources_and_rules_find_both_weights():
    one = circuit(20 * ms)
    one = replace(
        one,
        populations=[*one.populations, *one.sources, eq.Source("Y", rate=5 * Hz)],
        sources=(),
        projections=[eq.Projection(source="Y", target="E", weight=0.2, in_degree=100), *one.projections],
    )
    seen = []
    plan = eq.spiking.Homeostasis(functions={"E": lambda state, *_: seen.append(state) or {}}, window=10 * ms)
    eq.spiking.run(eq.spiking.build(one, seed=1), duration=10 * ms, homeostasis=plan)
    assert (seen[0]["J_EY"][0], seen[0]["J_EX"][0]) == (0.2, 1.5)


def test_gaussian_noise_leaves_volleys_as_they_are():
    network = eq.spiking.build(circuit(20 * ms), seed=1, noise="gaussian")
    assert eq.spiking.run(network, duration=30 * ms, start=resting(network)).spikes.times == pytest.approx([0.021])


def test_toml_keeps_volleys():
    one = circuit(20 * ms, 50 * ms, jitter=1.5 * ms)
    assert eq.Circuit.from_toml(one.to_toml()) == one
    with pytest.raises(ValueError, match=r"sources\[0\].times: must be a list of times, got '20 ms'"):
        eq.Circuit.from_toml(one.to_toml().replace('["20 ms", "50 ms"]', '"20 ms"'))
    with pytest.raises(ValueError, match=r"sources\[0\].times\[0\]: must be a time .* got 20"):
        eq.Circuit.from_toml(one.to_toml().replace('"20 ms"', "20"))


def test_stationary_levels_refuse_volleys_by_name():
    one = circuit(20 * ms)
    for level in (eq.theory.mean_field, eq.rate.fixed_points):
        with pytest.raises(TypeError, match="'X' fires in volleys, and this level takes stationary trains only"):
            level(one)


def test_slow_rules_refuse_volleys_onto_their_population():
    one = circuit(20 * ms, size=20, in_degree=5, weight=0.1).with_rules(
        [eq.InputCentricThreshold("E", set_point=50.0, reading="B", tau=10.0)]
    )
    with pytest.raises(
        TypeError, match="a slow rule of 'E' senses the noise of stationary trains, but 'X' fires in vo"
    ):
        eq.spiking.simulate(one, duration=10 * ms, seed=1)


def test_ramps_leave_volleys_alone():
    one = circuit(20 * ms)
    half = eq.Ramp(eq.TonicDrive("E", 10.0), 0.0, 1.0, steps=1).applied(one, 0.5)
    assert (half.sources, half.node("E").drive) == (one.sources, 5.0)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"times": ()}, "Volleys.times must be a list of times"),
        ({"times": (-1 * ms,)}, "Volleys: times must be finite and at least 0, got -0.001 at index"),
        ({"times": (1 * ms,), "jitter": 5.0}, r"Volleys.jitter .*Did you mean jitter=5 \* ms\?"),
    ],
)
def test_bad_volleys(how, message):
    with pytest.raises(ValueError, match=message):
        eq.Volleys("X", **how)


def test_a_law_of_delays_is_refused():
    with pytest.raises(
        ValueError, match="comes from volleys, whose spikes are counted together; it must have one delay"
    ):
        eq.spiking.build(circuit(20 * ms, delay=eq.UniformDelay(low=1 * ms, high=2 * ms)), seed=1)


def test_more_spikes_at_once_than_are_counted():
    with pytest.raises(ValueError, match="volleys of 'X' bring 70,000 spikes to a neuron in one step"):
        eq.spiking.build(circuit(20 * ms, in_degree=70_000, weight=1e-5), seed=1)


def test_conductances_take_volleys():
    cell = eq.ConductanceLIF(v_leak=-65 * mV, v_reset=-65 * mV)
    p = eq.Projection(
        source="X",
        target="E",
        weight=60 * nS,
        connectivity=eq.FixedInDegree(1),
        delay=1 * ms,
        synapse=eq.ConductanceSynapse(2 * ms, 0.0),
    )
    one = eq.Circuit(
        populations=[eq.Population("E", size=3, neuron=cell), eq.Volleys("X", times=[20 * ms])], projections=[p]
    )
    network = eq.spiking.build(one, seed=1)
    run = eq.spiking.run(network, duration=60 * ms, start=resting(network))
    (_, fired), (_, also) = (level.advance(network, resting(network), 600) for level in (kernel, reference))
    assert (fired == also).all()
    assert run.spikes.times.size == 3
    assert run.spikes.times.min() > 21 * ms
