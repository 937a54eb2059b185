"""Neurons with a table in front of threshold integration, against the neuron itself and against closed forms."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

import equipoise as eq
from equipoise.renewal import tabulated
from equipoise.units import ms

EIF = eq.EIF(tau_m=10 * ms, v_leak=0.0, v_onset=1.0, slope=0.1, v_threshold=2.5, v_reset=0.0, tau_ref=2 * ms)


@dataclass(frozen=True, kw_only=True)
class Leaky(eq.IntegrateAndFire):
    """The LIF as a neuron that knows no closed form."""

    twin: eq.LIF

    def drift(self, v):
        return self.twin.drift(v)

    def lower_bound(self, mu, sigma):
        return self.twin.lower_bound(mu, sigma)


def inputs(n, seed):
    rng = np.random.default_rng(seed)
    return rng.uniform(-150.0, 250.0, n), np.exp(rng.uniform(np.log(4.0), np.log(14.0), n))


def test_values_and_gradients_are_the_neurons_own():
    mu, sigma = inputs(150, 1)
    table = tabulated(EIF)
    own, fast = (eq.renewal.rate(n, mu=mu, sigma=sigma) for n in (EIF, table))
    assert fast == pytest.approx(own, rel=1e-9)
    own, fast = (eq.renewal.log_isi_laplace(n, s=10.0 / 3.0, mu=mu, sigma=sigma) for n in (EIF, table))
    assert fast == pytest.approx(own, rel=1e-9)
    own, fast = (eq.renewal.log_rate_gradient(n, mu=mu, sigma=sigma) for n in (EIF, table))
    for a, b in zip(own, fast, strict=True):
        assert b == pytest.approx(a, rel=1e-7, abs=1e-9)
    own, fast = (eq.renewal.log_isi_laplace_gradient(n, s=10.0 / 3.0, mu=mu, sigma=sigma) for n in (EIF, table))
    for a, b in zip(own, fast, strict=True):
        assert b == pytest.approx(a, rel=1e-7, abs=1e-9)


def test_a_result_depends_on_no_other():
    mu, sigma = inputs(40, 2)
    together = eq.renewal.rate(tabulated(EIF), mu=mu, sigma=sigma)
    alone = tabulated.__wrapped__(EIF)  # a table without a past
    backwards = [float(eq.renewal.rate(alone, mu=m, sigma=s)) for m, s in zip(mu[::-1], sigma[::-1], strict=True)]
    assert together == pytest.approx(backwards[::-1], rel=1e-14, abs=0.0)  # the last bit is that of NumPy's loops


def test_what_never_fires_has_rate_zero_and_no_slope():
    table = tabulated(EIF)
    assert eq.renewal.rate(table, mu=-500.0, sigma=0.01) < 1e-25
    assert eq.renewal.log_rate_gradient(table, mu=-500.0, sigma=0.01) == (0.0, 0.0)
    assert eq.renewal.isi_laplace(table, s=3.0, mu=-500.0, sigma=0.01) < 1e-25


def test_closed_forms_need_no_table():
    for neuron in (eq.LIF(), eq.PIF()):
        assert tabulated(neuron) == neuron


def test_a_network_without_closed_forms_has_the_state_of_its_twin():
    circuit = eq.Circuit.example("balanced_network")
    twin = Leaky(tau_ref=2 * ms, twin=circuit.populations[0].neuron)
    other = eq.Circuit(
        populations=[*(replace(p, neuron=twin) for p in circuit.populations), *circuit.sources],
        projections=circuit.projections,
    )
    sensor = eq.Calcium(tau=300 * ms, buffering=0.1)
    targets = eq.theory.network_set_points(circuit, sensor)
    rules = [eq.AttachedRule(name, eq.CalciumHomeostasis(sensor, target)) for name, target in targets.items()]
    states = [eq.theory.network_equilibrium(c.with_rules(rules)) for c in (circuit, other)]
    assert states[1].state.rates == pytest.approx(states[0].state.rates, rel=1e-8)
    assert states[1].weights == pytest.approx(states[0].weights, rel=1e-8)
