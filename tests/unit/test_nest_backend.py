"""What is refused before NEST is asked, and the translation of units; none of this needs NEST."""

import sys
from dataclasses import replace

import numpy as np
import pytest

import equipoise as eq
from equipoise.backends.nest import kernel, network, neurons, regulation, sensing, synapses
from equipoise.model.circuit import examples_folder
from equipoise.rate.study import is_rate_circuit
from equipoise.units import Hz, hour, ms, mV, nS, second, us

SENSOR = eq.Calcium(tau=300 * ms)
VOLTS = eq.LIF(tau_m=20 * ms, v_threshold=-50 * mV, v_reset=-60 * mV, v_leak=-70 * mV)


def circuit(*, neuron=None, size=10, synapses=(), connectivity=None, fano=1.0, rules=(), delay=1 * ms):
    weights = (0.1 * mV, -0.2 * mV, 0.1 * mV)
    kinds = [*synapses, *[eq.DeltaSynapse()] * (3 - len(synapses))]
    sources = [eq.Source("X", rate=5 * Hz, fano=fano), eq.Source("Y", rate=5 * Hz), eq.Source("Z", rate=5 * Hz)]
    return eq.Circuit(
        populations=[eq.Population("E", size=size, neuron=neuron or VOLTS), *sources],
        projections=[
            eq.Projection(source=s.name, target="E", weight=w, in_degree=100, synapse=k, delay=delay)
            for s, w, k in zip(sources, weights, kinds, strict=True)
        ]
        + ([eq.Projection(source="E", target="E", weight=0.1 * mV, connectivity=connectivity)] if connectivity else []),
        rules=rules,
    )


def refused(wrong, error, message, **settings):
    with pytest.raises(error, match=message):
        eq.backends.nest.simulate(wrong, **{"duration": 1.0, "seed": 1} | settings)


# --- translation ------------------------------------------------------------------------------------------------------
def test_potentials_are_measured_from_the_leak_and_scaled_to_20_mv():
    cell = neurons.cell(circuit(), circuit().populations[0], 0.1 * ms, {})
    assert cell.model == "iaf_psc_delta"
    assert cell.scale == pytest.approx(2000.0)  # 10 mV become 20
    assert {k: round(v, 9) for k, v in cell.parameters.items()} == {
        "C_m": 250.0, "tau_m": 20.0, "t_ref": 2.0, "E_L": 0.0, "V_reset": 20.0, "V_th": 40.0, "I_e": 0.0
    }  # fmt: skip
    assert cell.start == pytest.approx((20.0, 40.0))
    assert cell.weight_unit(circuit(), circuit().projections[0]) * 0.1 * mV == pytest.approx(0.2)


def test_neurons_that_differ_have_lists_of_parameters():
    own = {
        "v_threshold": np.array([-50, -49]) * mV,
        "tau_m": np.array([18, 25]) * ms,
        "tau_ref": np.array([1.97, 3]) * ms,
    }
    cell = neurons.cell(circuit(), circuit().populations[0], 0.1 * ms, own)
    assert cell.parameters["V_th"] == pytest.approx(np.array([40.0, 42.0]))
    assert cell.parameters["tau_m"] == pytest.approx(np.array([18.0, 25.0]))
    assert cell.parameters["t_ref"] == pytest.approx(np.array([2.0, 3.0]))
    assert cell.parameters["V_reset"] == cell.start[0] == pytest.approx(20.0)
    assert cell.start[1] == pytest.approx(np.array([40.0, 42.0]))


def test_the_same_seed_draws_the_same_neurons_as_for_the_packages_own_simulation():
    wide = circuit(size=30).with_node("E", spread=eq.Spread(v_threshold=1 * mV, tau_m=3 * ms))
    cell, own = network.checked_cells(wide, 0.1 * ms, 7)["E"], eq.spiking.build(wide, seed=7).neurons[0]
    assert cell.parameters["tau_m"] == pytest.approx(own["tau_m"] / ms)
    assert cell.parameters["V_th"] == pytest.approx(2000.0 * (own["v_threshold"] + 70 * mV))


def test_a_current_carries_the_charge_of_its_jump():
    """J = I tau_s/C: 0.15 mV in the microcircuit's units is 87.8 pA for 0.5 ms on 250 pF, 0.1756 mV."""
    micro = eq.Circuit.example("microcircuit")
    cell = neurons.cell(micro, micro.populations[0], 0.1 * ms, {})
    projection = micro.projection("L23E", "L23E")
    stretched = cell.scale * 1e-3  # NEST's mV for one mV
    assert cell.model == "iaf_psc_exp"
    assert cell.weight_unit(micro, projection) * projection.weight / stretched == pytest.approx(87.8)
    assert cell.parameters["tau_syn_ex"] == cell.parameters["tau_syn_in"] == 0.5


def test_exponential_neuron_has_no_adaptation():
    wanted = eq.EIF(v_onset=-50 * mV, v_threshold=-20 * mV, v_reset=-60 * mV, v_leak=-65 * mV, slope=2 * mV)
    cell = neurons.cell(circuit(neuron=wanted), circuit(neuron=wanted).populations[0], 0.1 * ms, {})
    p = cell.parameters
    assert cell.model == "aeif_psc_delta"
    assert (p["a"], p["b"], p["g_L"]) == (0.0, 0.0, 25.0)
    assert [p[k] for k in ("V_reset", "V_th", "V_peak", "Delta_T")] == pytest.approx([2.5, 7.5, 22.5, 1.0])
    assert cell.start == pytest.approx((2.5, 7.5))
    both = circuit(neuron=wanted, synapses=[eq.ExponentialSynapse(t * ms) for t in (2, 5, 2)])
    assert neurons.cell(both, both.populations[0], 0.1 * ms, {}).model == "aeif_psc_exp"


def test_memory_is_estimated_from_synapses_and_neurons():
    large = circuit(size=10_000, connectivity=eq.ErdosRenyi(probability=0.1))
    bare = circuit(size=10_000)
    assert synapses.expected_bytes(large) - synapses.expected_bytes(bare) == pytest.approx(19 * 1e7, rel=1e-3)
    network.check_memory(large, 1)
    huge = circuit(size=10**8, connectivity=eq.ErdosRenyi(in_degree=10_000))
    with pytest.raises(MemoryError, match=r"neurons and synapses need about 20,450\.0 GB a process, .* GB are free"):
        network.check_memory(huge, 1)
    with pytest.raises(MemoryError, match=r"need about 2,045\.0 GB a process"):
        network.check_memory(huge, 10)


# --- refused ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"neuron": eq.PIF(), "size": 5}, TypeError, "'E' has PIF neurons; NEST has no such model with a reflecting"),
        ({"size": np.inf}, ValueError, r"population 'E' is infinite; .* eq.Population\('E', size=..., ...\)"),
        ({"fano": 0.5}, ValueError, r"source 'X' must be Poisson \(fano=1\), got fano=0.5"),
        (
            {"synapses": [eq.ExponentialSynapse(2 * ms)]},
            TypeError,
            "'E' has delta and exponential synapses; NEST's models have one kind",
        ),
        (
            {"synapses": [eq.ExponentialSynapse(t * ms) for t in (2, 2, 5)]},
            TypeError,
            "'E' has excitatory synapses of 2, 5 ms; NEST's model has one time constant for each sign",
        ),
        (
            {"connectivity": eq.FixedInDegree(10)},
            ValueError,
            "E -> E wants 10 different partners for each neuron, but there are 9",
        ),
        ({"neuron": replace(VOLTS, tau_ref=1.96 * ms)}, ValueError, "E: tau_ref must be a multiple of dt=0.1 ms, got"),
    ],
)
def test_what_nest_cannot_represent_is_named(change, error, message):
    refused(circuit(**change), error, message)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        (
            {"duration": -1.0},
            ValueError,
            r"backends.nest: duration \(biological time to run\) must be at least 1e-06 s",
        ),
        (
            {"duration": 1.00005},
            ValueError,
            "duration must be a multiple of dt=0.1 ms, got 1000.05 ms. Take 1000 ms, or",
        ),
        ({"dt": 0.1}, ValueError, r"dt \(time step\) must lie in \[0.001, 1\] ms, got 100 ms"),
        ({"dt": 0.1004 * us * 15}, ValueError, "dt must be a multiple of NEST's resolution=0.001 ms, got 0.001506 ms"),
        ({"threads": 1.5}, ValueError, "threads must be a whole number, got 1.5"),
        ({"threads": 0}, ValueError, r"threads \(number of threads\) must lie in \[1, 1024\], got 0"),
        ({"warmup": 0.00005}, ValueError, "warmup must be a multiple of dt=0.1 ms"),
        ({"record": 0}, ValueError, r"record \(recorded neurons of each population\) must be at least 1, got 0"),
        ({"record": 2.5}, ValueError, "record must be a whole number, got 2.5"),
        ({"seed": "1"}, TypeError, "seed must be an integer or a numpy SeedSequence, got '1'. Use seed=1"),
        ({"seed": -1}, ValueError, "seed must be at least 0, got -1"),
    ],
)
def test_bad_settings_are_named(settings, error, message):
    refused(circuit(), error, message, **settings)


def test_anything_but_a_circuit_is_named():
    refused("E", TypeError, "circuit must be an eq.Circuit, got 'E'")


def test_missing_nest_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "nest", None)
    with pytest.raises(ImportError, match=r"NEST is not installed. Use pip install 'equipoise\[nest\]'"):
        kernel.load()
    refused(circuit(), ImportError, "NEST is not installed")


@pytest.mark.parametrize("found", ["3.8.0", "2.20", "unknown"])
def test_an_old_nest_is_refused(found):
    with pytest.raises(ImportError, match=f"needs NEST 3.10 or newer, found {found}"):
        kernel._check_version(found)
    kernel._check_version("3.10.0-post1")
    kernel._check_version("4.0")


def test_spikes_of_all_processes_are_put_together(monkeypatch):
    class Communicator:
        COMM_WORLD = None

        def allgather(self, mine):
            return [mine, [10 + x for x in mine]]

    module = type(sys)("mpi4py.MPI")
    module.COMM_WORLD = Communicator()
    monkeypatch.setitem(sys.modules, "mpi4py", type(sys)("mpi4py"))
    monkeypatch.setitem(sys.modules, "mpi4py.MPI", module)
    steps, senders = kernel.gathered([np.array([1, 2]), np.array([3, 4])])
    assert steps.tolist() == [1, 2, 11, 12]
    assert senders.tolist() == [3, 4, 13, 14]


# --- rules ------------------------------------------------------------------------------------------------------------
def ruled(rule, *, scope="population"):
    whole = circuit(rules=[eq.AttachedRule("E", rule, scope=scope)])
    return regulation.regulated(whole, "E")


TARGET = eq.CalciumSetPoint(mean=1.5, second_moment=4.0)


def test_time_scale_is_tau_at_relative_scale_and_tau_j_over_target_at_absolute_scale():
    at = np.array([1.5, 4.0])
    none = np.zeros(3)
    slow = ruled(eq.CalciumHomeostasis(SENSOR, TARGET, tau_e=2 * hour, tau_i=1 * hour))
    assert slow.time_scale(at, none) == pytest.approx(1 * hour)
    literal = ruled(eq.CalciumHomeostasis(SENSOR, TARGET, tau_e=2 * hour, tau_i=1 * hour, scale="absolute"))
    assert literal.time_scale(at, none) == pytest.approx(min(2 * hour * 1e-4 / 4.0, 1 * hour * 2e-4 / 1.5))
    single = ruled(eq.RateHomeostasis(tau_e=100.0, tau_i=200.0, target_e=5.0, target_i=5.0))
    assert single.time_scale(np.array([5.0]), none) == pytest.approx(100.0)


def test_rules_that_act_within_calciums_memory_are_refused():
    absolute = eq.CalciumHomeostasis(SENSOR, TARGET, tau_e=1 * hour, tau_i=1 * hour, scale="absolute")
    message = r"'E' moves a weight by its own size in 0.09 s; .* 6 s, .* 67 times longer"
    for scope in ("population", "neuron"):
        refused(circuit(rules=[eq.AttachedRule("E", absolute, scope=scope)]), ValueError, message)
    fast = eq.AdaptiveCalciumHomeostasis(SENSOR, TARGET, tau_e=1.0, tau_i=1.0)
    refused(circuit(rules=[eq.AttachedRule("E", fast, scope="neuron")]), ValueError, "by its own size in 0.5 s")


def test_a_rule_without_weights_is_named():
    alone = replace(circuit(rules=[eq.AttachedRule("E", eq.RateHomeostasis())]), projections=[])
    refused(alone, ValueError, "the rule of 'E' has no weights to move; nothing projects there")


def test_set_points_out_of_reach_are_found_before_the_run():
    rule = eq.CalciumHomeostasis(SENSOR, eq.SetPoint(rate=600 * Hz, cv=0.5))
    refused(circuit(rules=[eq.AttachedRule("E", rule)]), eq.NumericalFailure, "600")


@pytest.mark.parametrize("scope", ["population", "neuron"])
def test_steps_follow_the_rule_and_stop_at_zero(scope):
    rule = eq.CalciumHomeostasis(SENSOR, TARGET, tau_e=100 * second, tau_i=50 * second)
    cells = ruled(rule, scope=scope)
    sensed = np.array([1.8, 5.0]) if scope == "population" else np.array([[1.8], [5.0]]) * np.ones(10)
    new = cells.stepped(sensed, 1.0)
    first = [size if scope == "population" else size[3] for size in new.sizes]
    want = [0.1 * mV * (1 - 0.25 / 100), 0.2 * mV * (1 + 0.2 / 50), 0.1 * mV * (1 - 0.25 / 100)]
    assert first == pytest.approx(want, rel=1e-12)
    assert (cells.stepped(sensed, 1e6).sizes[0] == 0.0).all()


def test_adaptive_set_points_and_proteins_move_with_the_weights():
    rule = eq.AdaptiveCalciumHomeostasis(SENSOR, TARGET, tau_e=100.0, tau_i=100.0, tau_adapt=1000.0)
    sensed = np.array([1.8, 5.0])
    cells = regulation.begun(ruled(rule), sensed)
    assert cells.others == pytest.approx([4.0, 1.5])
    assert cells.stepped(sensed, 10.0).others == pytest.approx([4.01, 1.503])
    kinetic = eq.KineticHomeostasis(SENSOR, TARGET, tau_e=100.0, tau_i=100.0)
    occupancy = np.array([0.03, 0.01])
    proteins = regulation.begun(ruled(kinetic), occupancy)
    held = proteins.stepped(occupancy, 100.0)
    assert held.others == pytest.approx(proteins.others)  # at their equilibrium
    assert regulation.begun(ruled(kinetic), regulation.set_point(kinetic)).others == pytest.approx([4.0, 1.5])
    assert proteins.others == pytest.approx([kinetic.proteins.K_D * 0.01, kinetic.proteins.K_M * 0.03])


def test_what_is_sensed_is_exact_and_forgets_the_discarded_part():
    trains = eq.SpikeTrains(np.array([0.1, 0.2, 2.5, 2.75]), np.array([0, 0, 0, 1]), 2, 0.0, 3.0)
    rule = eq.CalciumHomeostasis(SENSOR, TARGET)
    values = sensing.sense(rule, trains, 2.0)
    influx = SENSOR.tau * (1 - np.exp(-0.25 / SENSOR.tau))
    assert values[0, 1] == pytest.approx(influx)
    assert values[1, 1] == pytest.approx(0.5 * SENSOR.tau * (1 - np.exp(-0.5 / SENSOR.tau)))
    rates = sensing.sense(eq.RateHomeostasis(), trains, 2.0)
    assert rates == pytest.approx(np.array([[1.0, 1.0]]))
    assert sensing.memory(rule) == 0.3
    assert sensing.memory(eq.RateHomeostasis()) == 0.0


def test_saturating_senses_are_those_of_their_own_constants():
    trains = eq.SpikeTrains.single(np.array([0.5]), t_start=0.0, t_stop=2.0)
    kinetic = eq.KineticHomeostasis(SENSOR, TARGET)
    k = kinetic.proteins
    t = np.linspace(0.5, 2.0, 200_001)
    c = np.exp(-(t - 0.5) / SENSOR.tau)
    mean = [np.trapezoid(f, t) / 2.0 for f in (c / (k.K_M + c), c**2 / (k.K_D + c**2))]
    assert sensing.sense(kinetic, trains, 0.0)[:, 0] == pytest.approx(mean, rel=1e-6)


def test_unknown_senses_and_unknown_starts_are_named():
    with pytest.raises(TypeError, match="no way to measure what str senses; register it"):
        sensing.measured("voltage", eq.SpikeTrains.single([], t_start=0.0, t_stop=1.0), 0.0)

    class Leaky(eq.RateHomeostasis):
        @property
        def variables(self):
            return ("j_e", "j_i", "leak")

    with pytest.raises(TypeError, match="Leaky has slow variables leak whose start is not known here"):
        regulation.begun(ruled(Leaky()), np.array([5.0]))


SHIPPED = {path.stem: eq.Circuit.from_toml(path) for path in sorted(examples_folder().glob("*.toml"))}


FIXED = [c for c in SHIPPED.values() if not is_rate_circuit(c) and not any(p.plasticity for p in c.projections)]


@pytest.mark.parametrize("shipped", FIXED, ids=lambda c: c.name)
def test_shipped_circuits_run_on_nest(shipped):
    """Their translation is accepted; the largest needs some 7 GB there."""
    assert set(network.checked_cells(shipped, 0.1 * ms, 1)) == {p.name for p in shipped.populations}
    assert synapses.expected_bytes(shipped) < 8e9
    assert len(regulation.checked(shipped)) == len(shipped.rules)


# --- conductances -----------------------------------------------------------------------------------------------------
CONDUCTANCE = eq.ConductanceLIF(v_leak=-65 * mV, v_reset=-62 * mV)
GABA = eq.ConductanceSynapse(10 * ms, reversal=-75 * mV)


def conducting(synapses=(eq.AMPA, GABA, eq.AMPA), rules=(), drive=0.0):
    sources = [eq.Source(name, rate=5 * Hz) for name in "XYZ"]
    return eq.Circuit(
        populations=[eq.Population("E", size=10, neuron=CONDUCTANCE, drive=drive)],
        sources=sources,
        projections=[
            eq.Projection(source=s.name, target="E", weight=2 * nS, in_degree=100, synapse=k)
            for s, k in zip(sources, synapses, strict=True)
        ],
        rules=rules,
    )


def test_conductances_keep_their_units_and_show_their_effect_by_a_sign():
    net = conducting(drive=0.5)
    cell = neurons.cell(net, net.populations[0], 0.1 * ms, {})
    assert cell.model == "iaf_cond_exp"
    assert {k: round(v, 9) for k, v in cell.parameters.items()} == {
        "C_m": 200.0, "g_L": 10.0, "t_ref": 5.0, "E_L": 0.0, "V_reset": 3.0, "V_th": 15.0, "I_e": 100.0,
        "tau_syn_ex": 5.0, "E_ex": 65.0, "tau_syn_in": 10.0, "E_in": -10.0,
    }  # fmt: skip
    weights = [cell.weight_unit(net, p) * p.weight for p in net.projections]
    assert weights == pytest.approx([2.0, -2.0, 2.0])


def test_conductances_that_nest_lacks_are_refused():
    slow = eq.ConductanceSynapse(100 * ms, reversal=0.0)
    shallow = eq.ConductanceSynapse(10 * ms, reversal=-65 * mV)
    refused(conducting((eq.AMPA, GABA, slow)), TypeError, "'E' has excitatory synapses of 5, 100 ms; NEST's model has")
    refused(
        conducting((GABA, GABA, shallow)), TypeError, "inhibitory synapses of -75, -65 mV; .* one reversal for each"
    )
    rule = eq.RateHomeostasis(target_e=5 * Hz, target_i=5 * Hz, tau_e=2 * hour, tau_i=1 * hour)
    net = conducting(rules=[eq.AttachedRule("E", rule)])
    refused(net, TypeError, "rule of 'E' would move conductances, which is not done here. Use eq.spiking")
