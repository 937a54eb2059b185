"""The protein chemistry: its reductions, their orders of convergence, their failure, and what the proteins read."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate as quadrature

from equipoise import Calcium
from equipoise.model.kinetics import Pathway, ProteinKinetics
from equipoise.renewal.kinetics import integrate, integrate_linear, integrate_quasi_steady

SENSOR = Calcium()
SPIKES = np.cumsum(np.random.default_rng(1).exponential(0.2, 60))
STOP = float(SPIKES[-1]) + 0.5


def kinetics(k_m, *, speed=1.0, turnover=20.0):
    """Both pathways half-saturated at k_m [µM]; binding `speed` times the default, P decays in `turnover` s."""
    common = {"k_off": 499.0 * speed, "k_cat": speed, "gamma": 1 / turnover}
    return ProteinKinetics(
        inhibitory=Pathway(k_on=500 * speed / k_m, **common),
        excitatory=Pathway(order=2, k_on=500 * speed / k_m**2, **common),
    )


def ends(function, described):
    trace = function(described, SENSOR, SPIKES, t_stop=STOP, t=[STOP])
    return np.array([trace.p_i[0], trace.p_e[0]])


def test_constants_and_gains():
    k = ProteinKinetics()
    assert pytest.approx((50.0, 2500.0)) == (k.K_M, k.K_D)
    assert pytest.approx(1.0 * 0.1 * 3600 / 50) == k.c_I
    assert pytest.approx(1.0 * 0.1 * 3600 / 2500) == k.c_E
    assert k.inhibitory.quasi_steady(50.0) == pytest.approx(0.05)
    assert k.excitatory.quasi_steady(50.0) == pytest.approx(0.05)


def test_quasi_steady_state_is_where_binding_rests():
    for path in (ProteinKinetics().inhibitory, ProteinKinetics().excitatory):
        calcium = np.geomspace(0.01, 1000, 9)
        assert np.abs(path.binding(path.quasi_steady(calcium), calcium)).max() < 1e-12 * path.k_on * calcium.max() ** 2


def test_constant_calcium_relaxes_to_the_exact_solution():
    """With a very slow sensor C is constant and x(t), P(t) are exponentials."""
    slow, k, c, t = Calcium(tau=100.0), kinetics(5.0, turnover=0.05), 1e-6, np.linspace(0.0, 0.02, 5)
    trace = integrate(k, slow, [], t_stop=0.02, t=t, initial=[c, 0, 0, 0, 0])
    path = k.inhibitory
    rate = path.k_on * c + path.k_off + path.turnover
    steady = path.enzyme * path.k_on * c / rate
    x = steady * -np.expm1(-rate * t)
    p = path.turnover * steady * (-np.expm1(-path.gamma * t) / path.gamma)
    p -= path.turnover * steady * (np.exp(-path.gamma * t) - np.exp(-rate * t)) / (rate - path.gamma)
    assert trace.x_i[1:] == pytest.approx(x[1:], rel=2e-4)  # the sensor loses 2e-4 of its calcium meanwhile
    assert trace.p_i[1:] == pytest.approx(p[1:], rel=2e-4)


def test_one_spike_of_the_linear_reduction_is_exact():
    """P(T) = k_cat S E0/K INT C^n e^{-gamma (T - t)} dt after one spike at 0.1 s."""
    k, total = kinetics(50.0), 0.9
    trace = integrate_linear(k, SENSOR, [0.1], t_stop=0.1 + total, t=[0.1 + total])
    for path, value in ((k.inhibitory, trace.p_i[0]), (k.excitatory, trace.p_e[0])):

        def made(t, path=path):
            return path.turnover * path.linear(math.exp(-t / 0.3)) * math.exp(-path.gamma * (total - t))

        assert value == pytest.approx(quadrature.quad(made, 0, total, epsrel=1e-13)[0], rel=1e-8)


def test_linear_reduction_is_of_first_order_in_calcium_over_half_saturation():
    errors = np.array(
        [ends(integrate_quasi_steady, k) / ends(integrate_linear, k) - 1 for k in map(kinetics, (50, 100, 200, 400))]
    )
    order_m = np.log2(errors[:-1, 0] / errors[1:, 0])
    order_d = np.log2(errors[:-1, 1] / errors[1:, 1]) / 2  # C^2/K_D: K_D grows fourfold
    assert (errors < 0).all()
    assert (np.diff(np.abs(order_m - 1)) < 0).all()
    assert order_m[-1] == pytest.approx(1, abs=0.01)
    assert order_d[-1] == pytest.approx(1, abs=0.01)


def test_full_chemistry_tends_to_its_quasi_steady_state_as_binding_gets_faster():
    """Errors of first order in the binding time over the calcium decay; the same P production at each speed."""

    def error(speed):
        k = kinetics(10.0, speed=speed)
        return np.abs(ends(integrate, k) / ends(integrate_quasi_steady, k) - 1)

    errors = np.array([error(speed) for speed in (0.1, 0.2, 0.4)])
    orders = np.log2(errors[:-1] / errors[1:])
    assert (errors[-1] < 2e-3).all()
    assert orders[-1] == pytest.approx([1.0, 1.0], abs=0.2)


def test_full_chemistry_reads_both_calcium_moments_where_calcium_is_small():
    """<P_E> = c_E nu_Ca and <P_I> = c_I mu_Ca over the train, turnover much slower than calcium, within C/K."""
    k = kinetics(5000.0, turnover=200.0)
    t = np.linspace(0.0, STOP, 20_001)
    start = [1.3, 0.0, 0.0, k.c_I * 1.3, k.c_E * 2.1]
    full, exact = (f(k, SENSOR, SPIKES, t_stop=STOP, t=t, initial=start) for f in (integrate, integrate_linear))
    moments = []
    for power in (1, 2):  # exact time averages: closed form between spikes
        c, total, now = 1.3, 0.0, 0.0
        for edge in [*SPIKES, STOP]:
            lost = 1 - math.exp(-power * (edge - now) / 0.3)
            total += c**power * 0.3 / power * lost
            c, now = 0.9 * c * math.exp(-(edge - now) / 0.3) + 1.0, edge
        moments.append(total / STOP)
    for p, gain, moment, gamma in [(full.p_i, k.c_I, moments[0], 1 / 200), (full.p_e, k.c_E, moments[1], 1 / 200)]:
        average = np.trapezoid(p, t) / STOP + (p[-1] - p[0]) / (gamma * STOP)  # exact balance over a finite window
        assert average == pytest.approx(gain * moment, rel=2e-3)
        assert p.std() / p.mean() < 0.02
    assert full.p_i == pytest.approx(exact.p_i, rel=1e-3)


def test_the_linear_rule_fails_where_calcium_reaches_half_saturation():
    """At K_M = 2 µM (calcium near 1.3 µM) the proteins fall short by nearly half; at 50 µM by 3 % and 0.2 %."""
    short_i, short_e = 1 - ends(integrate, kinetics(2.0)) / ends(integrate_linear, kinetics(2.0))
    assert 0.35 < short_i < 0.55
    assert 0.35 < short_e < 0.60
    short_i, short_e = 1 - ends(integrate, kinetics(50.0)) / ends(integrate_linear, kinetics(50.0))
    assert 0.02 < short_i < 0.05
    assert 0.0005 < short_e < 0.005


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    k_on=st.floats(0.01, 1e3),
    k_off=st.floats(0.0, 1e4),
    k_cat=st.floats(1e-3, 100.0),
    enzyme=st.floats(1e-3, 10.0),
    gamma=st.floats(1e-5, 10.0),
    influx=st.floats(0.01, 100.0),
)
def test_enzyme_is_conserved(k_on, k_off, k_cat, enzyme, gamma, influx):
    shared = {"k_on": k_on, "k_off": k_off, "k_cat": k_cat, "enzyme": enzyme, "gamma": gamma}
    k = ProteinKinetics(inhibitory=Pathway(**shared), excitatory=Pathway(order=2, **shared))
    sensor = Calcium(influx=influx)
    trace = integrate(k, sensor, [0.05, 0.06, 0.4], t_stop=0.8, t=np.linspace(0, 0.8, 81))
    for x, p in ((trace.x_i, trace.p_i), (trace.x_e, trace.p_e)):
        assert (x >= -1e-9 * enzyme).all()
        assert (x <= enzyme * (1 + 1e-9)).all()
        assert (p >= -1e-9 * enzyme * k_cat).all()
        assert (p <= k_cat * enzyme * trace.t * (1 + 1e-9)).all()


def test_output_times_are_before_the_spike_and_default_to_the_spikes():
    trace = integrate(ProteinKinetics(), SENSOR, [0.1, 0.4], t_stop=0.5)
    assert trace.t.tolist() == [0.1, 0.4, 0.5]
    assert trace.calcium[0] == 0.0
    assert trace.calcium[1] == pytest.approx(math.exp(-1.0))
    assert trace.calcium[2] == pytest.approx((0.9 * math.exp(-1.0) + 1) * math.exp(-1 / 3))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"spike_times": [0.3, 0.2]}, r"times must be sorted, got 0.3 s before 0.2 s"),
        ({"t_stop": -1.0}, r"kinetics.integrate.t_stop \(end of the spike train\) must be above 0 second, got -1"),
        ({"t": [0.1, 9.0]}, r"kinetics.integrate: t must be sorted times in \[0, 1\] s, got 2 of them, the last 9 s"),
        ({"t": []}, r"kinetics.integrate: t must be sorted times in \[0, 1\] s, got none"),
        ({"initial": [1.0]}, r"initial must be \(C, x_I, x_E, P_I, P_E\), got shape \(1,\)"),
        ({"initial": [1.0, 0, 0, -1.0, 0]}, r"initial must be finite and at least 0, got -1 at index \(3,\)"),
    ],
)
def test_bad_input_is_named(change, message):
    arguments = {"spike_times": [0.2], "t_stop": 1.0} | change
    with pytest.raises(ValueError, match=message):
        integrate(ProteinKinetics(), SENSOR, arguments.pop("spike_times"), **arguments)


def test_bad_descriptions_are_named():
    with pytest.raises(ValueError, match=r"Pathway.order .* must be 1 or 2, got 3"):
        Pathway(order=3)
    with pytest.raises(ValueError, match=r"ProteinKinetics.excitatory must have order=2, got 1"):
        ProteinKinetics(excitatory=Pathway())
    with pytest.raises(ValueError, match=r"Pathway.gamma \(protein turnover rate\) must be above 0 Hz, got 0 Hz"):
        Pathway(gamma=0.0)
