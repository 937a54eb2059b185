"""Laws of delays and weights as circuits hold them: moments, text, and what is refused."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate, stats

import equipoise as eq
from equipoise.units import Hz, ms, mV

LIF = eq.LIF(tau_m=20 * ms, v_threshold=20 * mV, v_reset=10 * mV)
DELAYS = {
    "uniform": (eq.UniformDelay(low=0.5 * ms, high=2.5 * ms), stats.uniform(0.5 * ms, 2 * ms)),
    "normal": (
        eq.NormalDelay(mean=1.5 * ms, sd=0.75 * ms, low=0.3 * ms),
        stats.truncnorm(-1.2 / 0.75, 4.0, 1.5 * ms, 0.75 * ms),
    ),
    "cut": (eq.NormalDelay(mean=0.3 * ms, sd=2 * ms, low=0.2 * ms), stats.truncnorm(-0.05, 4.0, 0.3 * ms, 2 * ms)),
}


def circuit(source="E", **changes):
    projection = {"weight": 0.1 * mV, "in_degree": 30} | changes
    return eq.Circuit(
        populations=[eq.Population("E", size=300, neuron=LIF), eq.Source("X", rate=20 * Hz)],
        projections=[eq.Projection(source=source, target="E", **projection)],
    )


@pytest.mark.parametrize("name", DELAYS)
def test_a_law_of_delays_is_the_one_it_says(name):
    law, exact = DELAYS[name]
    t = np.linspace(0.0, 12 * ms, 300)
    assert law.cdf(t) == pytest.approx(exact.cdf(t), abs=1e-12)
    assert law.expectation == pytest.approx(exact.mean(), rel=1e-12)
    assert circuit(delay=law).delays()[0, 0] == law.expectation


@pytest.mark.parametrize("cv", [0.05, 1 / 3, 1.0])
def test_normal_weights_keep_their_sign_and_have_the_moments_of_what_is_left(cv):
    spread = eq.NormalSpread(cv)
    density = stats.truncnorm(-1 / cv, np.inf, spread.scale, cv * spread.scale).pdf
    moments = [integrate.quad(lambda x, n=n: x**n * density(x), 0, 1 + 12 * cv)[0] for n in range(1, 5)]
    assert moments[0] == pytest.approx(1.0, rel=1e-8)
    assert spread.moments == pytest.approx(moments[1:], rel=1e-7)


@pytest.mark.parametrize("cv", [0.1, 1.0, 3.0])
def test_log_normal_weights_have_their_moments(cv):
    spread = eq.LogNormalSpread(cv)
    exact = stats.lognorm(spread.log_sd, scale=math.exp(-0.5 * spread.log_sd**2))
    assert exact.mean() == pytest.approx(1.0, rel=1e-12)
    assert exact.std() == pytest.approx(cv, rel=1e-12)
    assert spread.moments == pytest.approx([exact.moment(n) for n in (2, 3, 4)], rel=1e-9)


def test_moments_stand_in_arrays_beside_ones_of_equal_weights():
    moments = circuit(weight_spread=eq.LogNormalSpread(0.5)).weight_moments()
    assert moments.shape == (3, 1, 2)
    assert moments[:, 0, 0] == pytest.approx([1.25, 1.25**3, 1.25**6])
    assert (moments[:, 0, 1] == 1.0).all()


@pytest.mark.parametrize("delay", [1 * ms, *(law for law, _ in DELAYS.values())])
@pytest.mark.parametrize("spread", [None, eq.LogNormalSpread(0.3), eq.NormalSpread(0.1)])
def test_circuits_with_spread_are_read_back_as_they_were_written(delay, spread):
    given = circuit(delay=delay, weight_spread=spread)
    assert eq.Circuit.from_toml(given.to_toml()) == given
    assert given.digest != circuit().digest


def test_files_say_delays_and_weights_in_place_or_for_all():
    text = """
        populations = [{ name = "E", size = 300, neuron = { model = "LIF", v_threshold = "20 mV" , v_reset = "0 mV" } }]
        [[projections]]
        source = "E"
        target = "E"
        weight = "0.1 mV"
        in_degree = 30
        """
    in_place = (
        text
        + """
        delay = { mean = "1.5 ms", sd = "0.75 ms" }
        weight_spread = { model = "NormalSpread", cv = 0.1 }
        """
    )
    for_all = (
        text
        + """
        [defaults]
        delay = { low = "0.5 ms", high = "2 ms" }
        weight_spread = { model = "LogNormalSpread", cv = 0.1 }
        """
    )
    (one,), (other,) = (eq.Circuit.from_toml(t).projections for t in (in_place, for_all))
    assert (one.delay, one.weight_spread) == (eq.NormalDelay(mean=1.5 * ms, sd=0.75 * ms), eq.NormalSpread(0.1))
    assert (other.delay, other.weight_spread) == (eq.UniformDelay(low=0.5 * ms, high=2 * ms), eq.LogNormalSpread(0.1))


@pytest.mark.parametrize(
    ("delay", "message"),
    [
        ('"1.5"', r'projections\[0\].delay: must be a time such as "10 ms", got \'1.5\''),
        ("1.5", r"projections\[0\].delay: must be a time such as .* Did you mean '1.5 ms'"),
        ('{ low = "3 ms", high = "2 ms" }', r"projections\[0\].delay.high: must be above low = 3 ms, got 2 ms"),
        ('{ low = "3 ms" }', r"projections\[0\].delay.model: must be given, one of UniformDelay, NormalDelay"),
        ('{ mean = "3 ms", sd = 1 }', r"projections\[0\].delay.sd: must be a time such as .* Did you mean '1 ms'"),
        ('{ mean = "3 ms" }', r"projections\[0\].delay.sd: must be given"),
    ],
)
def test_files_with_wrong_delays_are_refused_by_place(delay, message):
    text = circuit().to_toml().replace('delay = "1.5 ms"', f"delay = {delay}")
    with pytest.raises(ValueError, match=message):
        eq.Circuit.from_toml(text)


def refused(make, error, message):
    return pytest.param(make, error, message, id=message[:40])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        refused(
            lambda: eq.UniformDelay(low=0.5, high=2.5),
            ValueError,
            r"UniformDelay.high .* got 2500 ms. Did you mean high=2.5 \* ms\?",
        ),
        refused(lambda: eq.UniformDelay(low=0.0, high=1 * ms), ValueError, r"UniformDelay.low \(shortest delay\) must"),
        refused(
            lambda: eq.UniformDelay(low=2 * ms, high=2 * ms),
            ValueError,
            r"UniformDelay.high \(longest delay\) must be above low = 2 ms, got 2 ms. One delay for all is written",
        ),
        refused(
            lambda: eq.NormalDelay(mean=1 * ms, sd=1 * ms, low=1 * ms),
            ValueError,
            r"NormalDelay.low \(shortest delay\) must be below mean = 1 ms, got 1 ms",
        ),
        refused(lambda: eq.NormalDelay(mean=1 * ms, sd=0.0), ValueError, r"NormalDelay.sd .* must lie in \(0, 1000\]"),
        refused(
            lambda: circuit(delay="1.5 ms"),
            TypeError,
            r"Projection.delay \(conduction delay\) must be a number or UniformDelay or NormalDelay, got '1.5 ms'",
        ),
        refused(
            lambda: circuit(weight_spread=0.5),
            TypeError,
            r"Projection.weight_spread must be LogNormalSpread\(cv\), NormalSpread\(cv\) or None, got 0.5",
        ),
        refused(lambda: eq.LogNormalSpread(0.0), ValueError, r"LogNormalSpread.cv .* must lie in \(0, 3\], got 0"),
        refused(lambda: eq.NormalSpread(2.0), ValueError, r"NormalSpread.cv .* must lie in \(0, 1\], got 2"),
        refused(
            lambda: eq.spiking.build(circuit("X", weight_spread=eq.LogNormalSpread(0.5)), seed=1),
            ValueError,
            "spiking: X -> E comes from a source, whose trains have one weight",
        ),
        refused(
            lambda: eq.spiking.build(circuit(delay=eq.UniformDelay(low=0.02 * ms, high=1 * ms)), seed=1),
            ValueError,
            "the shortest delay of E -> E must be at least dt=0.1 ms, got 0.02 ms",
        ),
    ],
)
def test_what_cannot_be_is_said(make, error, message):
    with pytest.raises(error, match=message):
        make()


def given(**matrices):
    synapses = {("E", "E"): np.ones((300, 300))}
    return lambda: eq.spiking.build(circuit(), seed=1, wiring=eq.spiking.Wiring(**({"explicit": synapses} | matrices)))


PAIR, ONES = ("E", "E"), np.ones((300, 300))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (given(explicit={}, weights={PAIR: ONES}), r"Wiring.weights: E -> E has no matrix in Wiring.explicit"),
        (given(delays={("E", "I"): ONES}), r"Wiring.delays: no projection between populations is 'E -> I'"),
        (
            given(weights={PAIR: np.ones((2, 2))}),
            r"Wiring.weights: E -> E must have shape \(post, pre\) = \(300, 300\)",
        ),
        (
            given(weights={PAIR: -0.1 * mV * ONES}),
            r"finite weights of the sign of the projection's 0.0001, got -0.0001",
        ),
        (given(weights={PAIR: np.nan * ONES}), r"finite weights of the sign .* got nan"),
        (
            given(delays={PAIR: 0.25 * ms * ONES}),
            r"Wiring.delays: E -> E must hold multiples of dt=0.1 ms, got 0.25 ms",
        ),
        (given(delays={PAIR: 0.0 * ONES}), r"Wiring.delays of E -> E must be at least dt=0.1 ms, got 0 ms"),
        (given(delays={PAIR: np.nan * ONES}), r"Wiring.delays: E -> E must hold multiples of dt"),
    ],
)
def test_wrong_matrices_are_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_theory_refuses_unequal_weights_beside_cells_that_regulate_themselves():
    sensor = eq.Calcium(tau=100 * ms)
    rule = eq.CalciumHomeostasis(sensor, eq.SetPoint(rate=8 * Hz, cv=0.8), tau_e=20.0, tau_i=10.0)
    here = circuit(weight_spread=eq.LogNormalSpread(0.5))
    here = replace(here, rules=[eq.AttachedRule("E", rule, scope="neuron")])
    with pytest.raises(TypeError, match=r"E -> E has weights that differ between synapses.*Use scope='population'"):
        eq.theory.network_equilibrium(here)
