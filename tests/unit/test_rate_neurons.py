"""Rate neurons: transfer functions, their inverses and slopes, TOML, messages."""

import mpmath
import numpy as np
import pytest

import equipoise as eq
from equipoise.rate import curves
from equipoise.units import Hz, ms

NEURONS = [
    eq.ThresholdLinear(gain=4.0, threshold=25.0),
    eq.ThresholdLinear(gain=2.0, threshold=-1.0, max_rate=30 * Hz),
    eq.PowerLaw(),
    eq.PowerLaw(gain=0.3, threshold=2.0, exponent=1.4, max_rate=50 * Hz),
    eq.Softplus(gain=1.5, threshold=3.0, width=0.7),
    eq.AbbottChance(gain=1.5, threshold=3.0, width=0.7),
]


@pytest.mark.parametrize("neuron", NEURONS, ids=repr)
def test_slopes_and_inverses_belong_to_the_transfer_function(neuron):
    h = np.linspace(-20.0, 60.0, 401) + 0.0123
    step = 1e-6
    slope = (neuron.transfer(h + step) - neuron.transfer(h - step)) / (2 * step)
    np.testing.assert_allclose(neuron.slope(h), slope, rtol=1e-6, atol=1e-6)
    rates = neuron.transfer(h)
    inside = (rates > 1e-9) & (rates < neuron.ceiling)
    np.testing.assert_allclose(neuron.required_input(rates[inside]), h[inside], rtol=1e-9, atol=1e-6)


def test_a_silent_neuron_requires_its_threshold_and_nothing_reaches_beyond_the_ceiling():
    assert eq.ThresholdLinear(threshold=4.8).required_input(0.0) == 4.8
    assert eq.PowerLaw(threshold=1.0).required_input(0.0) == 1.0
    assert eq.Softplus().required_input(0.0) == -np.inf
    assert eq.ThresholdLinear(max_rate=10.0).required_input([10.0, 10.1]).tolist() == [10.0, np.inf]


def test_abbott_chance_is_its_formula_to_rounding():
    """f = x/(1 - exp(-x/w)), its slope and inverse, against 50 digits, far out and at the middle."""
    neuron, w = eq.AbbottChance(width=0.5), mpmath.mpf("0.5")
    with mpmath.workdps(50):
        for x in (-200.0, -3.0, -1e-2, -1e-5, 1e-9, 4e-3, 0.02, 1.0, 40.0, 1e3):
            f = mpmath.mpf(x) / -mpmath.expm1(-mpmath.mpf(x) / w)
            slope = mpmath.diff(lambda y: y / -mpmath.expm1(-y / w), mpmath.mpf(x))
            assert float(neuron.transfer(x)) == pytest.approx(float(f), rel=1e-14)
            assert float(neuron.slope(x)) == pytest.approx(float(slope), rel=1e-12)
            assert float(neuron.required_input(float(f))) == pytest.approx(x, rel=1e-13, abs=1e-15)
    assert neuron.transfer(0.0) == 0.5
    assert neuron.required_input(0.0) == -np.inf


def test_softplus_becomes_threshold_linear_as_its_corner_sharpens():
    h = np.linspace(-5.0, 5.0, 101)
    for width in (1e-1, 1e-2, 1e-3):
        round_one = eq.Softplus(gain=2.0, width=width).transfer(h)
        assert np.abs(round_one - eq.ThresholdLinear(gain=2.0).transfer(h)).max() == pytest.approx(
            2.0 * width * np.log(2.0)
        )


@pytest.mark.parametrize("neuron", [eq.LIF(tau_m=10 * ms), eq.PIF(), eq.EIF()], ids=lambda n: type(n).__name__)
def test_an_f_i_curve_is_the_exact_rate_with_its_gain_and_shift(neuron):
    curve = eq.FICurve(neuron=neuron, sigma=4.0, gain=1.5, threshold=20.0)
    h = np.array([30.0, 90.0, 250.0])
    ones = np.ones(3)
    f, by_h, by_s = curves.evaluate(curve, 0.0, h, 0.0 * h, 1.5 * ones, 20.0 * ones)
    np.testing.assert_allclose(f, 1.5 * eq.renewal.rate(neuron, mu=h - 20.0, sigma=4.0), rtol=1e-8)
    assert not by_s.any()
    back = curves.required_input(curve, 0.0, f, 0.0 * h, 1.5 * ones, 20.0 * ones)
    np.testing.assert_allclose(back, h, rtol=1e-7)
    more = curves.evaluate(curve, 0.0, h + 1e-3, 0.0 * h, 1.5 * ones, 20.0 * ones)[0]
    less = curves.evaluate(curve, 0.0, h - 1e-3, 0.0 * h, 1.5 * ones, 20.0 * ones)[0]
    np.testing.assert_allclose(by_h, (more - less) / 2e-3, rtol=1e-5)


def test_no_input_sustains_a_rate_beyond_the_refractory_one():
    curve, one = eq.FICurve(neuron=eq.LIF(tau_m=10 * ms, tau_ref=2 * ms), sigma=1.0), np.ones(1)
    assert curves.required_input(curve, 0.0, 600.0 * one, one, one, 0.0 * one) == np.inf


def test_rate_circuits_have_a_toml_form():
    circuit = eq.Circuit(
        populations=[
            eq.Population("E", neuron=eq.ThresholdLinear(gain=2.0, threshold=4.8, max_rate=100 * Hz), drive=1.5),
            eq.Population("P", neuron=eq.PowerLaw(exponent=3.0)),
            eq.Population("S", neuron=eq.Softplus(width=0.3)),
            eq.Population("F", neuron=eq.FICurve(neuron=eq.EIF(), sigma=3.0)),
            eq.Population("G", neuron=eq.FICurve(neuron=eq.LIF())),
        ],
        projections=[
            eq.Projection(source="E", target="P", weight=7.5, connectivity=eq.AllToAll()),
            eq.Projection(source="E", target="G", weight=0.1, in_degree=100),
        ],
    )
    assert eq.Circuit.from_toml(circuit.to_toml()) == circuit


def test_curves_of_neurons_in_volts_are_written_in_volts():
    lif = eq.LIF(tau_m=20 * ms, v_threshold=0.02, v_reset=0.01)
    circuit = eq.Circuit(populations=[eq.Population("E", neuron=eq.FICurve(neuron=lif))], projections=[])
    assert 'v_threshold = "20 mV"' in circuit.to_toml()
    assert eq.Circuit.from_toml(circuit.to_toml()) == circuit


def project(**changes):
    return eq.Projection(source="E", target="E", weight=1.0, **changes)


def circuit_of(neuron, **changes):
    return eq.Circuit(populations=[eq.Population("E", neuron=neuron)], projections=[project(**changes)])


RATE = circuit_of(eq.ThresholdLinear(), connectivity=eq.AllToAll())
COMPLAINTS = [
    (lambda: eq.ThresholdLinear(gain=0.0), ValueError, r"ThresholdLinear.gain \(gain\) must be above 0, got 0"),
    (lambda: eq.PowerLaw(tau=20.0), ValueError, r"must lie in \[0.01, 10000\] ms, got 20000 ms. .*tau=20 \* ms"),
    (lambda: eq.PowerLaw(exponent=0.5), ValueError, r"PowerLaw.exponent \(exponent\) must lie in \[1, 10\], got 0.5"),
    (lambda: eq.Softplus(max_rate=0.0), ValueError, r"Softplus.max_rate \(largest rate\) must be above 0 Hz"),
    (lambda: eq.FICurve(neuron=eq.PowerLaw()), TypeError, r"FICurve.neuron must be a spiking neuron such as eq.LIF"),
    (lambda: eq.FICurve(neuron=eq.LIF(), sigma=0.0), ValueError, r"FICurve.sigma \(noise of the input\) must"),
    (lambda: eq.RateNeuron().transfer(1.0), NotImplementedError, r"RateNeuron must define shape\(self, x\)"),
    (lambda: circuit_of(eq.LIF(), connectivity=eq.AllToAll()), ValueError, r"AllToAll\(\) has no single inputs"),
    (lambda: eq.AllToAll().with_mean(3, 10), ValueError, "AllToAll has no in-degree to change"),
    (lambda: eq.theory.mean_field(RATE), TypeError, "'E' has ThresholdLinear neurons, which are rates"),
    (lambda: eq.rate.network(circuit_of(eq.PIF(), in_degree=1)), TypeError, r"no time constant. Give one: neuron=eq.F"),
    (lambda: eq.rate.network(eq.LIF()), TypeError, r"rate: circuit must be an eq.Circuit, got LIF"),
    (
        lambda: eq.rate.network(circuit_of(eq.PowerLaw(), in_degree=1, synapse=eq.ExponentialSynapse(5 * ms))),
        TypeError,
        "'E' has PowerLaw neurons, whose inputs act at once; a synapse of 5 ms cannot be represented",
    ),
    (
        lambda: eq.spiking.simulate(RATE.with_node("E", size=10), duration=1.0, seed=1),
        TypeError,
        "'E' has ThresholdLinear neurons; this level runs LIF, PIF, EIF and ConductanceLIF",
    ),
]  # fmt: skip


@pytest.mark.parametrize("k", range(len(COMPLAINTS)))
def test_complaints(k):
    call, error, message = COMPLAINTS[k]
    with pytest.raises(error, match=message):
        call()


def test_a_file_says_true_for_all_to_all():
    text = RATE.to_toml()
    assert eq.Circuit.from_toml(text) == RATE
    with pytest.raises(ValueError, match=r"projections\[0\].all_to_all: must be true, got False"):
        eq.Circuit.from_toml(text.replace("all_to_all = true", "all_to_all = false"))
