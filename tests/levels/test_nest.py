"""Circuits on NEST against exact cases, renewal theory, mean field and the averaged homeostasis."""

import math
from dataclasses import replace

import numpy as np
import pytest

import equipoise as eq
from equipoise import Status, renewal
from equipoise.units import Hz, ms, mV, second

nest = pytest.importorskip("nest", reason="needs NEST: pip install 'equipoise[nest]'")
simulate = eq.backends.nest.simulate

LIF = eq.LIF()
SENSOR = eq.Calcium(tau=100 * ms, buffering=0.1)
GRID = 0.5826
"""-zeta(1/2)/sqrt(2 pi): a threshold looked at every dt acts as one higher by this times sigma sqrt(dt)."""


def driven(neuron, *, mu, sigma, jump, size, synapse=None):
    """Neurons under Poisson trains of jumps +-`jump` with input mean mu [V/s] and noise sigma [V/sqrt(s)]."""
    both, difference = (sigma / jump) ** 2, mu / jump
    rates = 0.5 * (both + difference), 0.5 * (both - difference)
    fixed = {"target": "E", "connectivity": eq.FixedInDegree(1000), "synapse": synapse or eq.DeltaSynapse()}
    return eq.Circuit(
        populations=[
            eq.Population("E", size=size, neuron=neuron),
            *(eq.Source(name, rate=rate / 1000) for name, rate in zip("XY", rates, strict=True)),
        ],
        projections=[
            eq.Projection(source=name, weight=weight, **fixed)
            for name, weight in zip("XY", (jump, -jump), strict=True)
        ],
    )  # fmt: skip


def standard_error(run, population="E"):
    """Of the mean rate of neurons that fire independently of each other, as renewal processes."""
    rate, n = run.rates[0], run.spikes_of(population).times.size
    return rate * run.cvs[0] / math.sqrt(n)


def shifted(neuron, sigma, dt):
    return replace(neuron, v_threshold=neuron.v_threshold + GRID * sigma * math.sqrt(dt))


# --- one neuron -------------------------------------------------------------------------------------------------------
def test_every_input_fires_a_neuron_whose_threshold_it_reaches():
    """Intervals are tau_ref plus a geometric number of steps: rate and C_v are known exactly."""
    dt, total = 0.1 * ms, 50 * Hz
    circuit = eq.Circuit(
        populations=[eq.Population("E", size=200, neuron=LIF), eq.Source("X", rate=total / 100)],
        projections=[eq.Projection(source="X", target="E", weight=1.001, connectivity=eq.FixedInDegree(100))],
    )
    p = -math.expm1(-total * dt)
    mean = LIF.tau_ref + dt / p
    run = simulate(circuit, duration=10 * second, seed=1, dt=dt)
    assert abs(run.rates[0] - 1 / mean) < 3 * standard_error(run)
    assert run.cvs[0] == pytest.approx(dt * math.sqrt(1 - p) / p / mean, abs=0.01)
    below = simulate(circuit.with_projection("X", "E", weight=0.999), duration=1 * second, seed=1, dt=dt)
    assert below.rates[0] < 0.6 * run.rates[0]  # it takes two
    intervals = np.concatenate([np.diff(train) for train in run.spikes_of("E")])
    assert intervals.min() == pytest.approx(LIF.tau_ref + dt, abs=1e-9)


@pytest.mark.parametrize("unit", [1 * mV, 1.0])
def test_tonic_drive_makes_a_clock(unit):
    """tau_m = 20 ms, threshold 20, drive to 30: 41.7149 Hz, the interval rounded up to whole steps."""
    neuron = eq.LIF(tau_m=20 * ms, v_threshold=20 * unit, v_reset=0.0)
    clock = eq.Population("E", size=3, neuron=neuron, drive=30 * unit / (20 * ms))
    run = simulate(eq.Circuit(populations=[clock], projections=[]), duration=1 * second, seed=1, dt=0.1 * ms)
    exact = float(renewal.rate(neuron, mu=clock.drive, sigma=0.0))
    assert exact == pytest.approx(41.71490687414834, rel=1e-12)
    steps = math.ceil((1 / exact - neuron.tau_ref) / (0.1 * ms))
    intervals = np.concatenate([np.diff(train) for train in run.spikes_of("E")])
    assert intervals == pytest.approx(neuron.tau_ref + 0.1 * ms * steps, abs=1e-9)
    assert run.cvs == pytest.approx([0.0], abs=1e-9)


@pytest.mark.parametrize("jump", [0.02, 0.05])
def test_delta_synapses_meet_renewal_theory_of_the_grid(jump):
    mu, sigma, dt = 80.0, 5.0, 0.1 * ms
    run = simulate(driven(LIF, mu=mu, sigma=sigma, jump=jump, size=120), duration=4 * second, seed=2, dt=dt)
    theory = shifted(LIF, sigma, dt)
    # Second order in sqrt(dt) and finite jumps are left: 1.2 % over four seeds, at a sampling error of 0.5 %.
    assert run.rates[0] == pytest.approx(renewal.rate(theory, mu=mu, sigma=sigma), rel=0.025)
    assert run.rates[0] < 0.97 * renewal.rate(LIF, mu=mu, sigma=sigma)
    assert run.cvs[0] == pytest.approx(renewal.cv(theory, mu=mu, sigma=sigma), abs=0.015)


@pytest.mark.parametrize(("mean", "published"), [(16.42, 10.209422714963653), (19.66, 30.107146483026153)])
def test_exponential_synapses_meet_the_published_shifted_boundaries(mean, published):
    """Schuecker et al. 2015, tau_s = 0.5 ms; units in volts."""
    neuron = eq.LIF(tau_m=20 * ms, tau_ref=0.0, v_threshold=20 * mV, v_reset=15 * mV)
    mu, sigma = renewal.input_from(mean=mean * mV, sd=4 * mV / math.sqrt(2), tau_m=20 * ms)
    synapse = eq.ExponentialSynapse(0.5 * ms)
    circuit = driven(neuron, mu=float(mu), sigma=float(sigma), jump=0.1 * mV, size=150, synapse=synapse)
    assert eq.theory.mean_field(circuit).rates[0] == pytest.approx(published, rel=1e-9)
    run = simulate(circuit, duration=4 * second, seed=3)
    assert abs(run.rates[0] - published) < 3 * standard_error(run)


@pytest.mark.parametrize(("mu", "sigma"), [(80.0, 5.0), (60.0, 8.0)])
def test_exponential_neuron_meets_threshold_integration(mu, sigma):
    neuron = eq.EIF()
    run = simulate(driven(neuron, mu=mu, sigma=sigma, jump=0.05, size=100), duration=3 * second, seed=4)
    assert run.rates[0] == pytest.approx(renewal.rate(neuron, mu=mu, sigma=sigma), rel=0.04)
    assert run.cvs[0] == pytest.approx(renewal.cv(neuron, mu=mu, sigma=sigma), abs=0.03)


def test_one_unit_of_potential_is_as_good_as_another():
    """The same neuron in thresholds and in volts, leak not at 0: spikes agree one by one."""
    unit = driven(LIF, mu=80.0, sigma=5.0, jump=0.05, size=50)
    volts = eq.LIF(v_threshold=-50 * mV, v_reset=-70 * mV, v_leak=-70 * mV)
    scaled = replace(
        unit,
        populations=[replace(p, neuron=volts) for p in unit.populations],
        projections=[replace(p, weight=20 * mV * p.weight) for p in unit.projections],
    )
    first, second_ = (simulate(c, duration=1 * second, seed=5).spikes_of("E") for c in (unit, scaled))
    assert first.times.size > 1000
    assert np.array_equal(first.times, second_.times)
    assert np.array_equal(first.units, second_.units)


@pytest.mark.parametrize("synapse", [eq.DeltaSynapse(), eq.ExponentialSynapse(3 * ms)])
def test_neurons_that_differ_fire_as_in_the_packages_own_simulation(synapse):
    """The same 200 neurons under Poisson input of their own: counts of one minus counts of the other, neuron by neuron.

    z^2 = (difference)^2/(C_v^2 sum) averages to 1 with an error of sqrt(2/200): four of these.
    """
    spread = eq.Spread(v_threshold=0.08, v_reset=0.05, tau_m=2 * ms, tau_ref=0.5 * ms)
    circuit = driven(LIF, mu=80.0, sigma=5.0, jump=0.02, size=200, synapse=synapse).with_node("E", spread=spread)
    theirs = simulate(circuit, duration=10 * second, seed=3)
    ours = eq.spiking.simulate(circuit, duration=10 * second, seed=3)
    a, b = (np.bincount(run.spikes_of("E").units, minlength=200) for run in (ours, theirs))
    both = a + b > 100
    assert both.mean() > 0.9
    assert b.std() > 4 * math.sqrt(b.mean())  # they differ by much more than by chance
    cvs = eq.measures.cv(ours.spikes_of("E")).values
    z2 = ((a - b) ** 2 / (cvs**2 * (a + b)))[both]
    assert abs(z2.mean() - 1.0) < 4 * math.sqrt(2 / both.sum())
    assert theirs.rates == pytest.approx(ours.rates, rel=0.01)


# --- networks ---------------------------------------------------------------------------------------------------------
def network(size=800, *, weight=0.02, g=4.0):
    """Inhibition-dominated; random in-degrees from E and X, fixed ones from I."""
    sizes = {"E": size, "I": size // 2}
    how = {"E": lambda K: eq.ErdosRenyi(probability=K / size), "I": eq.FixedInDegree}

    def projection(source, target, J, K):
        connectivity = eq.ErdosRenyi(in_degree=K) if source == "X" else how[source](K)
        return eq.Projection(source=source, target=target, weight=J, connectivity=connectivity)

    inputs = (("E", weight, 100), ("I", -g * weight, 50), ("X", weight, 1000))
    return eq.Circuit(
        name="inhibition-dominated network",
        populations=[*(eq.Population(n, size=k, neuron=LIF) for n, k in sizes.items()), eq.Source("X", rate=6 * Hz)],
        projections=[projection(source, target, J, K) for target in sizes for source, J, K in inputs],
    )


def grid_of(circuit, dt):
    """Mean field of the circuit with thresholds shifted by what the grid does to them."""
    free = eq.theory.mean_field(circuit)
    cells = zip(circuit.populations, free.populations, strict=True)
    populations = [replace(p, neuron=shifted(p.neuron, state.sigma, dt)) for p, state in cells]
    return eq.theory.mean_field(replace(circuit, populations=populations))


@pytest.fixture(scope="module")
def recurrent():
    circuit = network()
    run = simulate(circuit, duration=2 * second, seed=6)
    pairs = {
        (p.source, p.target): np.array(nest.GetConnections(synapse_model=f"equipoise_{k}").get(["source", "target"])
        ["target"]) for k, p in enumerate(circuit.projections)
    }  # fmt: skip
    rates = np.array(nest.GetNodes({"model": "poisson_generator"}).rate)
    return circuit, run, pairs, rates


def test_network_fires_as_mean_field_says(recurrent):
    circuit, run, _, _ = recurrent
    theory = grid_of(circuit, 0.1 * ms)
    # Over six seeds the rates were 1.000 +- 0.030 (E) and 0.990 +- 0.012 (I) of these: the wiring that was drawn.
    assert run.rates == pytest.approx(theory.rates, rel=0.08)
    for population, spikes in zip(theory.populations, map(run.spikes_of, run.names), strict=True):
        rates = np.bincount(spikes.units, minlength=spikes.n_units) / spikes.duration
        spread = rates.var() - rates.mean() * 0.3 / spikes.duration  # less that of counts, Fano factor about C_v^2
        assert math.sqrt(spread) == pytest.approx(math.sqrt(population.rate_cv2) * population.rate, rel=0.25)


def test_in_degrees_are_binomial_and_nobody_is_connected_twice(recurrent):
    circuit, _, pairs, _ = recurrent
    for (source, target), targets in pairs.items():
        if source != "E":
            continue
        n = circuit.node(source).size - (source == target)
        degrees = np.bincount(targets)[targets.min() :]
        p = circuit.projection(source, target).connectivity.probability
        assert degrees.size == circuit.node(target).size
        assert abs(degrees.mean() - n * p) < 4 * math.sqrt(n * p * (1 - p) / degrees.size)
        assert degrees.var() == pytest.approx(n * p * (1 - p), rel=5 * math.sqrt(2 / degrees.size))


def test_in_degrees_from_sources_are_poisson(recurrent):
    circuit, _, pairs, _ = recurrent
    trains = nest.GetConnections(synapse_model="equipoise_2")
    rate = {g.global_id: g.rate for g in nest.GetNodes({"model": "poisson_generator"})}
    K = np.array([rate[s] for s in trains.sources()]) / 6.0
    assert np.unique(pairs["X", "E"]).size == K.size == circuit.node("E").size
    assert abs(K.mean() - 1000) < 4 * math.sqrt(1000 / K.size)
    assert K.var() == pytest.approx(1000, rel=5 * math.sqrt(2 / K.size))
    assert np.abs(K - np.rint(K)).max() < 1e-6


def test_fixed_in_degrees_are_the_same_for_all_and_delays_are_whole_steps():
    def projection(source, **how):
        return eq.Projection(source=source, target="E", weight=-0.01, **how)

    circuit = eq.Circuit(
        populations=[eq.Population(name, size=60, neuron=LIF) for name in "EIJ"],
        projections=[
            projection("E", connectivity=eq.FixedInDegree(40.4), delay=0.26 * ms),
            projection("I", in_degree=30, delay=0.0),
            projection("J", connectivity=eq.FixedInDegree(0.3)),
        ],
    )
    simulate(circuit, duration=1 * ms, warmup=0.0, seed=7)
    found = [nest.GetConnections(synapse_model=f"equipoise_{k}") for k in range(3)]
    fixed = found[0].get(["source", "target", "delay"])
    ids = {(s, t) for s, t in zip(fixed["source"], fixed["target"], strict=True)}
    assert len(ids) == len(found[0]) == 40 * 60
    assert not any(s == t for s, t in ids)
    assert set(np.bincount(fixed["target"])) == {0, 40}
    assert set(np.round(fixed["delay"], 9)) == {0.3}
    assert set(found[1].delay) == {0.1}
    assert len(found[2]) == 0


def test_seeds_repeat_runs_and_record_keeps_a_part(recurrent):
    circuit = network(200)
    settings = {"duration": 0.2 * second, "warmup": 0.1 * second}
    again = [simulate(circuit, seed=seed, **settings) for seed in (8, 8, np.random.SeedSequence(8), 9)]
    times = [run.spikes_of("E").times for run in again]
    assert np.array_equal(times[0], times[1])
    assert np.array_equal(times[0], times[2])
    assert not np.array_equal(times[0], times[3])
    part = simulate(circuit, seed=8, record=10, **settings)
    whole = again[0].spikes_of("E")
    assert part.spikes_of("E").n_units == 10
    assert np.array_equal(part.spikes_of("E").times, whole.times[whole.units < 10])
    assert part.spikes.n_units == sum(part.recorded) == 20
    assert part.units_of("I") == slice(10, 20)
    assert np.array_equal(part.rates, again[0].rates)  # of all neurons
    assert part.provenance == again[0].provenance != again[3].provenance
    with pytest.raises(KeyError, match=r"no population is named 'e'\. Known: E, I"):
        part.spikes_of("e")


def test_threads_change_the_sample_not_the_law():
    circuit = driven(LIF, mu=80.0, sigma=5.0, jump=0.1, size=20)
    # Threads meet once per shortest delay, which takes long where processors are busy.
    circuit = replace(circuit, projections=[replace(p, delay=100 * ms) for p in circuit.projections])
    one, two = (simulate(circuit, duration=2 * second, seed=10, threads=n) for n in (1, 2))
    assert abs(one.rates[0] - two.rates[0]) < 4 * standard_error(one)
    assert not np.array_equal(one.spikes_of("E").times, two.spikes_of("E").times)


# --- homeostasis ------------------------------------------------------------------------------------------------------
def regulated(*, scope, tau, size=200, connectivity=eq.FixedInDegree):
    """One population between two sources, away from its set point, and the cell that stands for it in theory."""
    inputs = eq.PoissonInputs(K=400, rate=20 * Hz)
    cell = eq.DrivenNeuron(LIF, excitation=inputs, inhibition=inputs)
    rule = eq.CalciumHomeostasis(SENSOR, eq.SetPoint(rate=10 * Hz, cv=0.8), tau_e=2 * tau, tau_i=tau)
    point = eq.theory.equilibrium(cell, rule)
    start = eq.Weights(1.15 * point.j_e, 0.9 * point.j_i)
    how = connectivity(400) if connectivity is eq.FixedInDegree else connectivity(in_degree=400)
    circuit = eq.Circuit(
        populations=[eq.Population("E", size=size, neuron=LIF), *(eq.Source(n, rate=20 * Hz) for n in "XY")],
        projections=[
            eq.Projection(source="X", target="E", weight=start.j_e, connectivity=how),
            eq.Projection(source="Y", target="E", weight=-start.j_i, connectivity=how),
        ],
        rules=[eq.AttachedRule("E", rule, scope=scope)],
    )
    return circuit, cell, rule, start


def test_population_scope_follows_the_averaged_dynamics():
    """The whole path of both weights, from 50 Hz to the set point, against theory without spikes."""
    circuit, cell, rule, start = regulated(scope="population", tau=5 * second)
    run = simulate(circuit, duration=15 * second, seed=11, dt=0.2 * ms)
    path = run.history
    theory = eq.theory.evolve(cell, rule, duration=15 * second, start=start, times=path["time"].values)
    weights = path["weight"].values
    assert run.status is Status.OK
    late = path["time"].values > 1.0
    # Over four seeds within 0.7 % (J_E) and 2.0 % (J_I): steps of 0.2 ms and jumps of 3 % of the threshold.
    assert weights[0][late] == pytest.approx(theory["j_e"].values[late], rel=0.015)
    assert weights[1][late] == pytest.approx(theory["j_i"].values[late], rel=0.025)
    assert weights[0] == pytest.approx(theory["j_e"].values, rel=0.06)
    assert path["rate"].values[0, 0] > 40 * Hz
    assert run.spikes_of("E").between(5.0, 15.0).times.size / 2000 == pytest.approx(10 * Hz, rel=0.05)
    assert run.weights[0] == pytest.approx([0.0, weights[0, -1], -weights[1, -1]])


def test_shorter_windows_change_little(monkeypatch):
    from equipoise.backends.nest import homeostasis

    circuit, *_ = regulated(scope="population", tau=5 * second, size=100)
    ends = []
    for fraction in (50.0, 150.0):
        monkeypatch.setattr(homeostasis, "FRACTION", fraction)
        monkeypatch.setattr(homeostasis, "SHORTEST", second / fraction)
        ends.append(simulate(circuit, duration=4 * second, seed=12, dt=0.2 * ms).weights[0, 1:])
    assert ends[0] == pytest.approx(ends[1], rel=0.01)


def test_neuron_scope_takes_every_cell_to_its_own_set_point():
    """Cells of different in-degrees fire alike, with weights that make up for it; at population scope they do not."""
    spread, mean = {}, {}
    for scope in ("population", "neuron"):
        circuit, *_ = regulated(scope=scope, tau=5 * second, size=60, connectivity=eq.ErdosRenyi)
        run = simulate(circuit, duration=15 * second, seed=13, dt=0.2 * ms)
        late = run.spikes_of("E").between(5.0, 15.0)
        rates = np.bincount(late.units, minlength=60) / late.duration
        spread[scope] = math.sqrt(max(rates.var() - rates.mean() * 0.64 / late.duration, 0.0))
        mean[scope] = rates.mean()
        if scope == "neuron":
            own = run.own_weights["X", "E"]
    assert mean["neuron"] == pytest.approx(10 * Hz, rel=0.05)
    assert spread["population"] > 4 * Hz
    assert spread["neuron"] < 1.0 * Hz
    assert own.shape == (60,)
    assert run.weights[0, 1] == pytest.approx(own.mean())
    assert own.std() > 0.02 * own.mean()


def balanced(size=300, K=100, delay=0.2 * ms):
    """The standard network as a finite graph, with short delays, which keep it asynchronous."""
    circuit = eq.Circuit.example("balanced_network").scaled(K)
    graph = eq.ErdosRenyi(probability=K / size)
    return replace(
        circuit,
        populations=[replace(p, size=size) for p in circuit.populations],
        projections=[
            replace(p, delay=delay, connectivity=p.connectivity if p.source == "X" else graph)
            for p in circuit.projections
        ],
    )


def test_a_network_under_rules_goes_where_theory_says():
    """From 15 and 13 Hz to the balanced limit's 10 Hz, along the path of the averaged network."""
    targets = eq.theory.network_set_points(eq.Circuit.example("balanced_network"), SENSOR)
    circuit = balanced().with_rules(
        eq.AttachedRule(name, eq.CalciumHomeostasis(SENSOR, target, tau_e=6 * second, tau_i=3 * second))
        for name, target in targets.items()
    )
    run = simulate(circuit, duration=8 * second, seed=14, dt=0.2 * ms)
    path = run.history
    theory = eq.theory.network_evolve(circuit, duration=8 * second, times=path["time"].values)
    assert list(path["weight_name"].values) == list(theory["weight_name"].values)
    late = {"time": path["time"].values > 4.0}
    assert (path["rate"].values[0] > 11.5 * Hz).all()
    # Over four seeds: rates within 0.6 % of theory, calcium moments within 4 % of their set points.
    assert path["rate"][late].mean("time").values == pytest.approx(theory["rate"][late].mean("time").values, rel=0.02)
    for name, target in targets.items():
        here = path[late].mean("time").sel(population=name)
        assert float(here["calcium_mean"]) == pytest.approx(target.mean, rel=0.06)
        assert float(here["calcium_second_moment"]) == pytest.approx(target.second_moment, rel=0.06)
    # Excitation follows within 5 %; inhibition stays weaker by up to 13 %, as recurrent input is not white.
    ratio = dict(zip(path["weight_name"].values, path["weight"].values / theory["weight"].values, strict=True))
    for name in ("J_EE", "J_EX", "J_IE", "J_IX"):
        assert ratio[name] == pytest.approx(1.0, abs=0.07)
    for name in ("J_EI", "J_II"):
        assert 0.83 < ratio[name].min() < ratio[name].max() < 1.03
    conserved = path["weight"].sel(weight_name="J_EE") / path["weight"].sel(weight_name="J_EX")
    assert conserved.values == pytest.approx(conserved.values[0], rel=1e-9)  # at relative scale


def test_weights_without_a_rule_stay():
    circuit = balanced(60, 20)
    rule = eq.CalciumHomeostasis(SENSOR, eq.SetPoint(rate=5 * Hz, cv=0.8), tau_e=6 * second, tau_i=3 * second)
    run = simulate(circuit.with_rules([eq.AttachedRule("E", rule)]), duration=1 * second, seed=18, dt=0.5 * ms)
    assert run.weights[1] == pytest.approx(circuit.weights()[1])
    assert (np.abs(run.weights[0] / circuit.weights()[0] - 1) > 1e-3).all()
    assert np.isfinite(run.history["calcium_mean"].values).tolist() == [[True, False]] * run.history.sizes["time"]


@pytest.mark.parametrize("scope", ["population", "neuron"])
@pytest.mark.parametrize(
    ("kind", "more"),
    [
        (eq.RateHomeostasis, {"target_e": 20.0, "target_i": 20.0}),
        (eq.CalciumHomeostasis, {"scale": "absolute", "tau_e": 4000.0, "tau_i": 2000.0}),
        (eq.AdaptiveCalciumHomeostasis, {"tau_adapt": 1000.0}),
        (eq.KineticHomeostasis, {}),
    ],
)
def test_every_rule_lowers_excitation_of_a_network_that_fires_too_much(kind, more, scope):
    circuit, *_ = regulated(scope=scope, tau=10 * second, size=10)
    target = eq.CalciumSetPoint(mean=0.9, second_moment=1.1)
    calcium = {} if kind is eq.RateHomeostasis else {"sensor": SENSOR, "target": target}
    rule = kind(**({"tau_e": 20.0, "tau_i": 10.0} | calcium | more))
    run = simulate(
        circuit.with_rules([eq.AttachedRule("E", rule, scope=scope)]), duration=2 * second, seed=17, dt=1 * ms
    )
    path = run.history["weight"].values
    assert run.status is Status.OK
    assert run.history["time"].values[-1] == pytest.approx(2 * second, abs=1e-9)
    assert (np.diff(path[0])[:3] < 0).all()
    assert (np.diff(path[1])[:3] > 0).all()
    assert run.spikes_of("E").between(1.0, 2.0).times.size / 10 < 0.75 * run.history["rate"].values[0, 0]


class Multiplicative:
    """A rule of one's own: excitation alone, by the rate."""

    variables = ("j_e", "j_i")
    senses = (eq.RateHomeostasis().senses[0],)

    def rhs(self, state, sensed):
        return np.array([state[0] * (5.0 - sensed[0]) / 100.0, 0.0 * state[1]])


@pytest.mark.parametrize("scope", ["population", "neuron"])
def test_rules_of_ones_own_run(scope):
    circuit, *_ = regulated(scope=scope, tau=2 * second, size=20)
    run = simulate(
        circuit.with_rules([eq.AttachedRule("E", Multiplicative(), scope=scope)]),
        duration=8 * second,
        seed=16,
        dt=1 * ms,
    )
    assert run.history["rate"].values[0, 0] > 20 * Hz
    assert run.spikes_of("E").between(4.0, 8.0).times.size / 80 == pytest.approx(5 * Hz, abs=1.0)
    assert run.weights[0, 2] == pytest.approx(circuit.weights()[0, 2])
    assert len(run.provenance.circuit_digest) == 64


def test_runaway_ends_a_run_with_its_status():
    """Inhibition that outweighs excitation has to grow without end when calcium is always too high."""
    circuit, *_ = regulated(scope="population", tau=2 * second, size=20)
    rule = eq.CalciumHomeostasis(SENSOR, eq.CalciumSetPoint(mean=1e-3, second_moment=1e-4), tau_e=1e9, tau_i=2 * second)
    strong = circuit.with_projection("X", "E", weight=0.5).with_projection("Y", "E", weight=-1e-3)
    run = simulate(strong.with_rules([eq.AttachedRule("E", rule)]), duration=20 * second, seed=15, dt=1 * ms)
    assert run.status is Status.RUNAWAY
    assert run.duration < 20 * second
    assert "Y -> E" in run.message
    assert run.history.attrs["status"] == "RUNAWAY"
    assert "RUNAWAY" in repr(run)
