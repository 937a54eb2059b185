"""Volleys in pairs onto small networks, and changed inhibition."""

import numpy as np
import pytest

import equipoise as eq
from equipoise.units import Hz, ms, mV, nS

CELL = eq.ConductanceLIF(v_leak=-65 * mV)
FAST = eq.ConductanceSynapse(2 * ms, reversal=0.0)
GABA = eq.ConductanceSynapse(10 * ms, reversal=-75 * mV)


def circuit(*, inhibition=20 * nS, synapse=GABA, delay=1 * ms):
    """S drives E and, more strongly, I; I inhibits E. No other input: it is silent without volleys."""

    def of(source, target, weight, kind, k, d=1 * ms):
        return eq.Projection(source=source, target=target, weight=weight, synapse=kind, in_degree=k, delay=d)

    return eq.Circuit(
        populations=[eq.Population("E", size=400, neuron=CELL), eq.Population("I", size=100, neuron=CELL)],
        sources=[eq.Source("S", rate=0.0)],
        projections=[
            of("S", "E", 1.5 * nS, FAST, 100), of("S", "I", 4 * nS, FAST, 100),
            of("I", "E", inhibition, synapse, 20, delay),
        ],
    )  # fmt: skip


def pulses(*intervals, **more):
    return eq.spiking.PairedPulses(
        source="S", population="E", intervals=intervals, conditioning=60 * Hz, test=500 * Hz, rest=50 * ms, **more
    )


def test_a_weak_volley_inhibits_through_interneurons_until_gaba_is_gone():
    found = eq.spiking.paired_pulses(circuit(), pulses(5 * ms, 30 * ms, 150 * ms), seed=1, trials=3)
    ratio = found["ratio"].values
    assert (found["test"] > 0.3).all()
    assert (found["conditioning"].values < 0.02).all()
    assert ratio[0] < 0.3
    assert ratio[0] < ratio[1] < ratio[2]
    assert ratio[2] == pytest.approx(1.0, abs=0.1)


def test_without_inhibition_a_weak_volley_helps():
    """What is left of its depolarisation adds to the test volley."""
    bare = eq.WeightBlock(source="I", target="E", fraction=0.999).apply(
        circuit().with_projection("S", "E", weight=0.8 * nS)
    )
    found = eq.spiking.paired_pulses(bare, pulses(5 * ms), seed=1, trials=3)
    assert found["ratio"].item() > 1.0
    assert found["low"].item() < found["ratio"].item() < found["high"].item()


def test_no_answer_is_no_ratio():
    weak = circuit().with_projection("S", "E", weight=0.001 * nS)
    found = eq.spiking.paired_pulses(weak, pulses(5 * ms), seed=1, trials=2)
    assert np.isnan(found["ratio"]).all()


# --- changed inhibition -----------------------------------------------------------------------------------------------
def test_reversal_speed_and_delay_change_and_nothing_else():
    net = circuit()
    moved = eq.ReversalShift(source="I", target="E", shift=10 * mV).apply(net).projection("I", "E")
    assert moved.synapse.reversal == pytest.approx(-65 * mV)
    slow = eq.SlowerSynapse(source="I", target="E", factor=4.0).apply(net).projection("I", "E")
    assert slow.synapse.tau == pytest.approx(40 * ms)
    assert slow.weight * slow.synapse.tau == pytest.approx(20 * nS * 10 * ms)
    late = eq.LaterSynapse(source="I", target="E", delay=5 * ms)
    assert late.apply(net).projection("I", "E").delay == pytest.approx(6 * ms)
    spread = late.apply(circuit(delay=eq.UniformDelay(low=1 * ms, high=2 * ms))).projection("I", "E").delay
    assert (spread.low, spread.high) == pytest.approx((6 * ms, 7 * ms))
    normal = late.apply(circuit(delay=eq.NormalDelay(mean=2 * ms, sd=0.5 * ms))).projection("I", "E").delay
    assert normal.expectation == pytest.approx(eq.NormalDelay(mean=2 * ms, sd=0.5 * ms).expectation + 5 * ms, rel=1e-3)
    for change in (late, eq.SlowerSynapse(source="I", target="E", factor=1.0)):
        assert change.apply(net).with_projection("I", "E", delay=1 * ms).projections[:2] == net.projections[:2]


def test_a_current_keeps_its_charge_when_it_slows():
    lif = eq.LIF(v_threshold=20 * mV)
    projection = eq.Projection(
        source="I", target="I", weight=-1 * mV, synapse=eq.ExponentialSynapse(5 * ms), in_degree=10
    )
    net = eq.Circuit(populations=[eq.Population("I", size=100, neuron=lif)], projections=[projection])
    slow = eq.SlowerSynapse(source="I", target="I", factor=2.0).apply(net).projection("I", "I")
    assert (slow.weight, slow.synapse.tau) == pytest.approx((-1 * mV, 10 * ms))
    with pytest.raises(TypeError, match=r"ReversalShift: I -> I must have conductances, .* got ExponentialSynapse"):
        eq.ReversalShift(source="I", target="I", shift=1 * mV).apply(net)
    jumps = net.with_projection("I", "I", synapse=eq.DeltaSynapse())
    with pytest.raises(TypeError, match=r"SlowerSynapse: I -> I must have a time constant, got DeltaSynapse"):
        eq.SlowerSynapse(source="I", target="I", factor=2.0).apply(jumps)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: pulses(), ValueError, r"intervals must be one or more times from width=1 ms"),
        (lambda: pulses(0.5 * ms), ValueError, r"intervals must be .* got \(0.0005,\)"),
        (lambda: pulses(5 * ms, window=10.0), ValueError, r"window .* Did you mean window=10 \* ms"),
        (lambda: eq.spiking.paired_pulses(circuit(), pulses(5 * ms), seed=1, trials=1), ValueError, "least 2, got 1"),
        (lambda: eq.ReversalShift(source="I", target="E", shift=10.0), ValueError, r"Did you mean shift=10 \* mV"),
        (lambda: eq.SlowerSynapse(source="I", target="E", factor=0.0), ValueError, r"factor .* must be above 0, got 0"),
        (lambda: eq.LaterSynapse(source="I", target="E", delay=5.0), ValueError, r"Did you mean delay=5 \* ms"),
        (lambda: eq.LaterSynapse(source="I", target="X", delay=5 * ms).apply(circuit()), KeyError, "no projection I"),
    ],
)  # fmt: skip
def test_bad_input_is_named(make, error, message):
    with pytest.raises(error, match=message):
        make()
