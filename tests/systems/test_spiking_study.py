"""A circuit studied spike by spike: the Dataset against the single verbs, exact systems, and how it is stopped."""

from dataclasses import replace

import conductance_circuits as circuits
import numpy as np
import pytest
import xarray as xr

import equipoise as eq
from equipoise import measures
from equipoise.cli import level_of
from equipoise.model.circuit import examples_folder
from equipoise.model.studies import failed
from equipoise.papers.ei_balance import plastic_circuits
from equipoise.results import load_dataset, save_dataset
from equipoise.spiking.collective import SEGMENT
from equipoise.spiking.watch import Span
from equipoise.units import Hz, hour, minute, ms, mV, nS, uM

LIF = eq.LIF(tau_m=20 * ms, v_threshold=20 * mV, v_reset=10 * mV, tau_ref=2 * ms)
RECORD = eq.spiking.Record(cells=300, bin=1 * ms, membrane={"E": 40, "I": 40}, every=1 * ms)


@pytest.fixture(scope="module")
def network():
    return circuits.network()


@pytest.fixture(scope="module")
def data(network):
    return eq.spiking.study(network, duration=4.0, seed=3)


@pytest.fixture(scope="module")
def run(network):
    """The run that the study looks at, in one piece."""
    return eq.spiking.simulate(network, duration=4.0, seed=3, record=RECORD)


def plastic(eta=0.05):
    return plastic_circuits.network(eq.InhibitoryPlasticity(5 * Hz, eta=eta), neurons=1000)


# --- against the single verbs -----------------------------------------------------------------------------------------
def test_rates_and_irregularity_are_those_of_the_run_in_one_piece(data, run):
    np.testing.assert_allclose(data["rate"], run.rates, rtol=1e-12)
    for name, row in zip("EI", data["neuron_cv"].values, strict=True):
        cv = measures.cv(run.spikes_of(name)).values
        np.testing.assert_allclose(row[: cv.size], cv, rtol=1e-9)
    assert (data["rate_low"] < data["rate"]).all()
    assert (data["rate"] < data["rate_high"]).all()
    assert data["synchrony"].values[0] == pytest.approx(float(measures.synchrony(run.spikes_of("E"))), rel=1e-9)


def test_currents_and_conductances_are_those_of_the_membrane(data, run):
    m = run.membrane
    found = measures.balance(m.excitation + m.drive, m.inhibition)
    np.testing.assert_allclose(data["cell_excitation"], found["excitation"], rtol=1e-5)
    np.testing.assert_allclose(data["cell_index"], found["index"], rtol=1e-4)
    mine = (m.population == "E").values
    tone = measures.tone(m.g_excitatory.values[:, mine], m.g_inhibitory.values[:, mine])
    at_e = data.sel(population="E")
    np.testing.assert_allclose(
        [at_e.mean_g_excitatory, at_e.mean_g_inhibitory], [tone.excitation, tone.inhibition], 1e-5
    )
    total = 10 * nS + tone.excitation + tone.inhibition
    assert float(at_e.mean_tau) == pytest.approx(circuits.CELL.capacitance / total, rel=0.01)  # mean of 1/g of cells
    e, i = (m[name].values[:, mine].mean(1) for name in ("excitation", "inhibition"))
    method = measures.Welch(window=min(SEGMENT, np.floor(0.25 * len(e)) * ms))
    line = measures.aperiodic(measures.power_spectrum(measures.lfp(e, i, sampling_rate=1 / ms), method=method))
    assert float(data["exponent"]) == pytest.approx(line["exponent"].item(), rel=1e-4)
    assert str(data["field_of"].item()) == "E"


def test_the_theory_of_one_cell_stands_beside(data, network):
    """Poisson inputs at the rates simulated; it is some per cent off, and says that it is approximate."""
    rates = dict(zip("EI", data["rate"].values, strict=True)) | {"X": 15 * Hz}
    given = [
        eq.ShotConductance(
            p.synapse, weight=p.weight, inputs=eq.PoissonInputs(K=p.connectivity.mean(1), rate=rates[p.source])
        )
        for p in network.projections
        if p.target == "E"
    ]
    wanted = eq.renewal.quasi_static_rate(circuits.CELL, given)
    assert float(data["theory_rate"][0]) == pytest.approx(wanted.rate, rel=1e-9)
    assert data["part_status"].sel(part="rate of E by theory").item() == wanted.status.name == "APPROXIMATE"
    np.testing.assert_allclose(data["theory_rate"], data["rate"], rtol=0.15)


def test_mean_inputs_add_up_to_the_currents_that_flow(data):
    """K g r tau (E - V)/C at the mean potential leaves out that V and g covary, and counts refractory neurons."""
    inputs = data["input"]
    np.testing.assert_allclose(inputs.where(inputs > 0).sum("pre"), data["mean_excitation"], rtol=0.03)
    np.testing.assert_allclose(inputs.where(inputs < 0).sum("pre"), data["mean_inhibition"], rtol=0.06)


def test_the_course_averages_to_the_whole(data):
    np.testing.assert_allclose(data["course_rate"].mean("course"), data["rate"], rtol=1e-9)
    cells = data["cell_excitation"].groupby(data["cell_population"]).mean()
    np.testing.assert_allclose(data["course_excitation"].mean("course"), cells, rtol=1e-5)


# --- exact systems ----------------------------------------------------------------------------------------------------
def test_independent_neurons_show_nothing_but_chance():
    """Campbell's conductances, within three standard errors of 40 cells; no synchrony, no branching, crackling 1."""
    data = eq.spiking.study(circuits.driven(size=400), duration=6.0, seed=1)
    for name, mean, tau in (("excitatory", 10 * nS, 5 * ms), ("inhibitory", 20 * nS, 10 * ms)):
        sampled = mean * (1.0 + 0.1 * ms / (2.0 * tau))  # right after arrivals, see docs/conductances.md
        cells = data[f"cell_g_{name}"].values
        assert abs(cells.mean() - sampled) < 3.0 * cells.std(ddof=1) / np.sqrt(cells.size)
    assert float(data["mean_tau"][0]) == pytest.approx(5 * ms, rel=0.01)
    assert abs(float(data["mean_tracking"][0])) < 0.4  # the potential, which both feel, correlates them
    assert float(data["synchrony"][0]) == pytest.approx(1.0 / 300, rel=0.25)
    here = data.sel(of="spikes")
    assert here["branching_low"] < 0.05
    assert here["branching_high"] > -0.05
    assert 0.9 < float(here["crackling"]) < 1.1
    high = data["power"][0].where(data["frequency"] > 200).mean()
    assert float(high) == pytest.approx(float(data["power_chance"][0]), rel=0.1)


def test_a_volley_that_makes_every_neuron_fire_once_is_answered_by_one_spike_after_its_delay():
    volleys = eq.Volleys("V", times=[100 * ms, 300 * ms, 5.0])
    circuit = eq.Circuit(
        populations=[eq.Population("E", size=50, neuron=LIF)],
        sources=[volleys],
        projections=[
            eq.Projection(source="V", target="E", weight=25 * mV, connectivity=eq.FixedInDegree(1), delay=3 * ms)
        ],
    )
    data = eq.spiking.study(circuit, duration=0.6, seed=1)
    assert data.attrs["warmup"] == 0.0
    assert data["volleys_number"].item() == 2  # the third comes after the end
    assert data["answer_spikes"].item() == pytest.approx(1.0)
    assert data["answer_latency"].item() == pytest.approx(2.5 * ms)  # in the bin that ends with the step at 3 ms
    assert data["answer_before"].item() == 0.0
    assert Span.of(circuit, None).duration == pytest.approx(5.5)
    late = replace(circuit, sources=[replace(volleys, times=[0.9])])
    assert Span.of(late, None).warmup == pytest.approx(0.5)


def test_depression_lowers_the_mean_input_as_its_mean_field_says():
    """Poisson senders without facilitation, for which u x is exact; what arrives is known within 2 %."""
    sender = replace(LIF, tau_ref=0.0)
    depressing = eq.ShortTermPlasticity(0.5, tau_rec=200 * ms)
    own, fixed = eq.ExponentialSynapse(5 * ms), eq.FixedInDegree
    circuit = eq.Circuit(
        populations=[eq.Population("S", size=1000, neuron=sender), eq.Population("T", size=100, neuron=LIF)],
        sources=[eq.Source("X", rate=10 * Hz)],
        projections=[
            eq.Projection(source="X", target="S", weight=25 * mV, connectivity=fixed(1)),
            eq.Projection(source="S", target="T", weight=0.1 * mV, connectivity=fixed(100), synapse=own,
                          short_term=depressing),
        ],
    )  # fmt: skip
    data = eq.spiking.study(circuit, duration=4.0, seed=1)
    assert data.attrs["warmup"] == 0.0
    assert data.attrs["settled"] == 2.0
    given = float(data["input"].sel(post="T", pre="S"))
    assert given == pytest.approx(100 * 0.1 * mV * 10 * depressing.steady(10.0), rel=0.02)
    assert float(data["mean_excitation"].sel(population="T")) == pytest.approx(given, rel=0.02)
    assert str(data["projection_moves"].values[1]) == "depress"


def test_learned_weights_are_those_of_the_run_in_one_piece():
    circuit = plastic()
    data = eq.spiking.study(circuit, duration=4.0, seed=2)
    network = eq.spiking.build(circuit, seed=2)
    end = eq.spiking.run(network, duration=4.0, record=eq.spiking.Record(cells=0)).end
    weights = network.synaptic_weights("I", "E", learned=end.learned) / circuit.projection("I", "E").weight
    assert float(data["learned_mean"][0, -1]) == pytest.approx(weights.mean(), rel=1e-9)
    np.testing.assert_allclose(data["learned_quantile"][0, [0, -1]], np.quantile(weights, [0.01, 0.99]), rtol=1e-9)
    assert (np.diff(data["learned_mean"].values[0, :3]) > 0.0).all()
    assert float(data["course_rate"][0, 0]) > 3.0 * float(data["rate"][0])
    early, late = data["course_ratio"].values[0, 2], data["course_ratio"].values[0, -50:].mean()
    assert late > early + 0.1  # inhibition comes to cancel more of the excitation


def test_rules_move_the_weights_and_the_rest_is_after_them():
    rule = eq.CalciumHomeostasis(
        eq.Calcium(tau=300 * ms, influx=1 * uM, buffering=0.1), eq.SetPoint(rate=8 * Hz, cv=0.8),
        tau_e=2 * hour, tau_i=1 * hour,
    )  # fmt: skip
    circuit = circuits.network(200, 50, k=50).with_rules([eq.AttachedRule(name, rule) for name in "EI"])
    data = eq.spiking.study(circuit, duration=3 * minute, seed=1)
    days = eq.spiking.evolve(circuit, duration=3 * minute, seed=1)
    at = data["variable"].values.tolist().index("J_EI")
    np.testing.assert_allclose(data["path_slow"].values[:, at], days.data["J_EI"].values, rtol=1e-12)
    assert data["part_status"].sel(part="homeostasis").item() == "OK"
    after = eq.spiking.run(days.network, start=days.end, duration=10.0, record=RECORD)
    np.testing.assert_allclose(data["rate"], after.rates, rtol=1e-12)
    scale = float(days.data["J_EI"][-1]) / circuit.projection("I", "E").weight
    K, r, V = 10, float(data["rate"][1]), float(data["mean_potential"][0])
    each = 8 * nS * scale * circuits.GABA.tau * (circuits.GABA.reversal - V) / circuits.CELL.capacitance
    assert float(data["input"].sel(post="E", pre="I")) == pytest.approx(K * each * r, rel=1e-9)


# --- how it ends ------------------------------------------------------------------------------------------------------
def test_a_study_is_the_same_for_a_seed_and_after_a_file(data, network, tmp_path):
    again = load_dataset(save_dataset(eq.spiking.study(network, duration=4.0, seed=3), tmp_path / "data.nc"))
    xr.testing.assert_identical(again, data)
    assert eq.Circuit.from_toml(data.attrs["circuit"]) == network
    other = eq.spiking.study(network, duration=0.3, seed=4)
    assert not np.array_equal(other["rate"], data["rate"])


def stop_at(fraction):
    def progress(done):
        if done > fraction:
            raise KeyboardInterrupt

    return progress


@pytest.mark.parametrize("make", [circuits.network, plastic])
def test_a_study_that_is_stopped_keeps_what_is_done_and_goes_on_bit_by_bit(make, tmp_path):
    circuit, file = make(), tmp_path / "study"
    stopped = eq.spiking.study(circuit, duration=3.0, seed=1, progress=stop_at(0.6), checkpoint=file)
    assert 0.0 < stopped.attrs["duration"] < 2.0
    assert stopped["part_status"].sel(part="simulation").item() == "INTERRUPTED"
    assert failed(stopped) == ["simulation"]
    assert np.isfinite(stopped["rate"]).all()
    done = []
    whole = eq.spiking.study(circuit, duration=3.0, seed=1, progress=done.append, checkpoint=file)
    assert done[0] > 0.3
    xr.testing.assert_identical(whole, eq.spiking.study(circuit, duration=3.0, seed=1))
    with pytest.raises(ValueError, match="is the checkpoint of another run"):
        eq.spiking.study(circuit, duration=3.0, seed=2, checkpoint=file)


def test_before_the_first_window_there_is_nothing_to_keep(network, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        eq.spiking.study(network, duration=3.0, progress=stop_at(0.0), checkpoint=tmp_path / "study")
    assert list(tmp_path.iterdir()) == []


def test_what_a_short_or_silent_run_does_not_tell_is_said():
    silent = eq.spiking.study(circuits.driven(circuits.SILENT, size=20), duration=0.3, seed=1)
    status = dict(zip(silent["part"].values.tolist(), silent["part_status"].values.tolist(), strict=True))
    assert status["activity"] == "SILENT"
    assert status["spectra"] == status["avalanches"] == "INSUFFICIENT_DATA"
    assert "power" not in silent
    assert "survival" not in silent
    assert failed(silent) == []
    spiky = replace(
        circuits.driven(size=20), sources=[eq.Source("X", rate=10 * Hz, fano=2.0), eq.Source("Y", rate=10 * Hz)]
    )
    told = eq.spiking.study(spiky, duration=0.3, seed=1)["part_message"].sel(part="rate of E by theory").item()
    assert told == "the trains of 'X' are not Poisson."


def test_bad_input_is_refused_by_name(network):
    with pytest.raises(TypeError, match=r"spiking\.study: circuit must be an eq\.Circuit, got 'E'"):
        eq.spiking.study("E")
    with pytest.raises(ValueError, match=r"spiking\.study: duration must be finite and above 0, got -1"):
        eq.spiking.study(network, duration=-1.0)
    with pytest.raises(ValueError, match=r"duration must be a multiple of bin=1 ms, got 10\.5 ms"):
        eq.spiking.study(network, duration=10.5 * ms)
    with pytest.raises(ValueError, match=r"spiking\.study: seed must be a whole number of at least 0, got -1"):
        eq.spiking.study(network, seed=-1)
    with pytest.raises(ValueError, match=r"population 'E' is infinite"):
        eq.spiking.study(network.infinite())


def test_every_circuit_is_studied_at_the_highest_level_that_knows_it():
    levels = {path.stem: level_of(eq.Circuit.example(path.stem)) for path in examples_folder().glob("*.toml")}
    spikes = {name: why for name, (level, why) in levels.items() if level == "spikes"}
    assert set(spikes) == {"conductance_network", "inhibitory_plasticity"}
    assert spikes["conductance_network"] == (
        "'E' has ConductanceLIF neurons, whose time constant depends on their input; this level takes synaptic "
        "currents only."
    )
    assert {name for name, (level, _) in levels.items() if level == "rates"} == {"inhibition_stabilised", "pv_sst_vip"}
    lif = eq.Circuit.example("brunel_2000")
    assert level_of(lif)[0] == "theory"
    assert level_of(lif.with_node("E", adaptation=eq.Adaptation(1 * mV / ms)))[0] == "spikes"
    assert level_of(replace(lif, sources=[eq.Volleys("X", times=[0.1])]))[0] == "spikes"


def test_an_m_current_is_no_part_of_the_theory_beside(network):
    """Its mean does not follow from the rate; the study runs and says so."""
    gate = eq.MCurrent(20 * Hz, v_half=-40 * mV, slope=8 * mV, reversal=-85 * mV)
    slowed = replace(
        network,
        populations=tuple(
            replace(p, adaptation=gate) if isinstance(p, eq.Population) and p.name == "E" else p
            for p in network.populations
        ),
    )
    data = eq.spiking.study(slowed, duration=1.0, seed=3)
    place = data["part"].values.tolist().index("rate of E by theory")
    assert data["part_message"].values[place] == "its M-current moves with the membrane."
    assert np.isnan(data["theory_rate"].values[0])
