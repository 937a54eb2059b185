"""What the spiking level says about what it is given, and what its results look like."""

from dataclasses import replace

import numpy as np
import pytest

import equipoise as eq
from equipoise.spiking import counts, kernel
from equipoise.units import Hz, ms, mV, second

LIF = eq.LIF(tau_m=20 * ms, v_threshold=20 * mV, v_reset=10 * mV)


class Own(eq.IntegrateAndFire):
    """A neuron that someone wrote."""


def circuit(size=300, neuron=LIF, source=20 * Hz, **changes):
    """A small network; `changes` are those of its recurrent projection."""
    recurrent = {"weight": 0.1 * mV, "in_degree": 30} | changes
    return eq.Circuit(
        name="small",
        populations=[
            eq.Population("E", size=size, neuron=neuron),
            eq.Population("I", size=100, neuron=LIF),
            eq.Source("X", rate=source),
        ],
        projections=[
            eq.Projection(source="E", target="E", **recurrent),
            eq.Projection(source="X", target="E", weight=0.1 * mV, in_degree=1000),
        ],
    )


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda b: b(circuit(size=np.inf)),
            ValueError,
            "population 'E' is infinite; spikes need a number of neurons. G",
        ),
        (
            lambda b: b(circuit(neuron=Own())),
            TypeError,
            "'E' has Own neurons; this level runs LIF, PIF, EIF and ConductanceLIF",
        ),
        (lambda b: b(circuit(), noise="white"), ValueError, "noise must be 'poisson' or 'gaussian', got 'white'"),
        (
            lambda b: b(circuit(), threads=0),
            ValueError,
            r"threads \(number of threads\) must lie in \[1, 1024\], got 0",
        ),
        (lambda b: b(circuit(), threads=1.5), ValueError, "threads must be a whole number, got 1.5"),
        (
            lambda b: b(circuit(), dt=0.1),
            ValueError,
            "dt .time step. must lie in .* ms, got 100 ms. Did you mean dt=0.1 ",
        ),
        (lambda b: b(circuit(), seed=-1), ValueError, "seed must be at least 0, got -1"),
        (lambda b: b(circuit(), seed=1.5), TypeError, "seed must be an integer or a numpy SeedSequence, got 1.5"),
        (
            lambda b: b(circuit(), drive={"e": 1.0}),
            ValueError,
            "drive names an unknown population 'e'. Known: E, I",
        ),
        (lambda b: b(circuit(), drive={"E": np.nan}), ValueError, r"drive\['E'\] must be finite, got nan"),
        (
            lambda b: b(circuit(delay=0.25 * ms)),
            ValueError,
            "the delay of E -> E must be a multiple of dt=0.1 ms, got 0.25 ms. Take 0.2 ms, or another dt",
        ),
        (
            lambda b: b(circuit(delay=0.0)),
            ValueError,
            "the delay of E -> E must be at least dt=0.1 ms, got 0 ms",
        ),
        (
            lambda b: b(circuit(), dt=0.3 * ms),
            ValueError,
            "E: tau_ref must be a multiple of dt=0.3 ms, got 2 ms. Take 2.1",
        ),
        (
            lambda b: b(circuit(neuron=replace(LIF, tau_ref=30 * ms)), dt=1e-3 * ms),
            ValueError,
            "E: tau_ref must be at most 24,575 steps of dt=0.001 ms, got 30 ms. Take a dt of at least 0.0012 ms",
        ),
        (
            lambda b: b(circuit(in_degree=300)),
            ValueError,
            "E -> E wants 300 different partners for each neuron, but there are 299. Allow wiring=.*autapses=True",
        ),
        (
            lambda b: b(circuit(), wiring=eq.spiking.Wiring(explicit={("E", "I"): np.eye(2)})),
            ValueError,
            r"no projection between populations is 'E -> I'. Did you mean 'E -> E'\?",
        ),
        (
            lambda b: b(circuit(), wiring=eq.spiking.Wiring(explicit={("E", "E"): np.eye(2)})),
            ValueError,
            r"E -> E must have shape \(post, pre\) = \(300, 300\), got \(2, 2\)",
        ),
        (
            lambda b: b(circuit(), wiring=eq.spiking.Wiring(explicit={("E", "E"): 0.5 * np.eye(300)})),
            ValueError,
            "E -> E must hold numbers of synapses, whole and at least 0",
        ),
    ],
)
def test_what_cannot_be_built_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call(lambda circuit, **options: eq.spiking.build(circuit, **({"seed": 1} | options)))


def irregular(fano):
    return eq.Circuit(
        populations=[eq.Population("E", size=10, neuron=LIF), eq.Source("X", rate=5 * Hz, fano=fano)],
        projections=[eq.Projection(source="X", target="E", weight=0.1 * mV, connectivity=eq.FixedInDegree(500))],
    )


@pytest.mark.parametrize("mean", [0.25, 1.0, 3.7])
@pytest.mark.parametrize("fano", [0.8, 0.95, 1.0, 1.3, 4.0])
def test_counts_have_the_mean_and_variance_of_their_fano_factor(mean, fano):
    n = counts.number_of_counts(mean, fano, "X")
    p, j = counts.probabilities(mean, fano, n, "X"), np.arange(n)
    assert (p >= 0.0).all()
    assert p @ j == pytest.approx(mean, rel=1e-6)
    assert p @ j**2 - mean**2 == pytest.approx(fano * mean, rel=1e-6)


def test_burst_counts_are_negative_binomial():
    from scipy import stats

    law = counts.cumulative(2.5, 3.0, np.arange(40), "X")
    np.testing.assert_allclose(law, stats.nbinom.cdf(np.arange(40), 1.25, 1 / 3), rtol=1e-12)
    with pytest.raises(ValueError, match=r"'X' gives 2.5 spikes to a neuron in one step, more than are counted"):
        counts.number_of_counts(2.5, 200.0, "X")


def test_too_regular_a_source_needs_gaussian_noise():
    """Counts of mean 0.25 vary by 0.75 of that at least."""
    eq.spiking.build(irregular(0.76), seed=1)
    with pytest.raises(ValueError, match=r"whole numbers have a Fano factor of at least 0.75, got 0.5. Take noise="):
        eq.spiking.build(irregular(0.5), seed=1)
    assert eq.spiking.build(irregular(0.5), seed=1, noise="gaussian").externals[0].amplitude[0] > 0


def test_more_input_than_can_be_counted_is_refused():
    loud = eq.Circuit(
        populations=[eq.Population("E", size=10, neuron=LIF), eq.Source("X", rate=1000 * Hz)],
        projections=[eq.Projection(source="X", target="E", weight=0.1 * mV, in_degree=5000)],
    )
    with pytest.raises(
        ValueError, match=r"source 'X' gives \d+ spikes to a neuron in one step.* Shorten dt, or take noise="
    ):
        eq.spiking.build(loud, seed=1)


def test_counts_of_arrivals_cannot_wrap():
    dense = eq.Circuit(
        populations=[eq.Population("A", size=70_000, neuron=LIF), eq.Population("B", size=1, neuron=LIF)],
        projections=[eq.Projection(source="A", target="B", weight=0.1 * mV, connectivity=eq.FixedInDegree(65_536))],
    )
    with pytest.raises(
        ValueError, match=r"a neuron of 'B' has up to 65,536 synapses of one weight; at most 65,535 can"
    ):
        eq.spiking.build(dense, seed=1)


def test_the_largest_count_is_right():
    """65,535 spikes at once: every neuron of A is at threshold."""
    n = 65_535
    circuit = eq.Circuit(
        populations=[
            eq.Population("A", size=n, neuron=eq.PIF()),
            eq.Population("B", size=1, neuron=eq.PIF(v_threshold=30_000.0)),
        ],
        projections=[
            eq.Projection(source="A", target="B", weight=0.25, connectivity=eq.FixedInDegree(n), delay=0.1 * ms)
        ],
    )
    network = eq.spiking.build(circuit, seed=1, threads=2)
    start = kernel.begin(network)
    start.v[network.layout.neurons(0)] = 10.0
    start.v[network.layout.neurons(1)] = 0.0
    end, _ = kernel.advance(network, start, 2)
    assert end.v[network.layout.neurons(1).start] == 0.25 * n


def test_synapses_that_do_not_fit_are_refused_before_they_are_made():
    huge = eq.Circuit(
        populations=[eq.Population("E", size=100_000_000, neuron=LIF)],
        projections=[eq.Projection(source="E", target="E", weight=0.1 * mV, in_degree=10_000)],
    )
    with pytest.raises(MemoryError, match=r"the synapses need 2[\d.]+ GB, [\d.]+ GB are free"):
        eq.spiking.build(huge, seed=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"duration": 0.0}, "duration .simulated time. must lie in .*, got 0 second"),
        ({"duration": np.nan}, "duration .simulated time. must lie in .*, got nan"),
        ({"duration": 0.10005}, r"duration must be a multiple of dt=0.1 ms, got 100.05 ms. Take 100 ms, or another"),
        ({"duration": 0.1, "warmup": -1.0}, "warmup .time before recording. must lie in .*, got -1000 ms"),
    ],
)
def test_times_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        eq.spiking.simulate(circuit(), seed=1, **options)


def test_recorders_are_checked():
    with pytest.raises(ValueError, match=r"Record.cells must be a whole number of neurons, or infinite, got 1.5"):
        eq.spiking.Record(cells=1.5)
    with pytest.raises(ValueError, match=r"Record.bin .bin of the population rates. must lie in"):
        eq.spiking.Record(bin=0.0)
    with pytest.raises(ValueError, match=r"Record.bin must be a multiple of dt=0.1 ms, got 0.01 ms"):
        eq.spiking.simulate(circuit(), seed=1, duration=0.1, record=eq.spiking.Record(bin=0.01 * ms))


@pytest.fixture(scope="module")
def found():
    return eq.spiking.simulate(circuit(), duration=2 * second, seed=1, warmup=100 * ms)


def test_a_run_counts_and_lists_the_same_spikes(found):
    spikes = found.spikes
    assert spikes.n_units == 400
    assert (spikes.t_start, spikes.t_stop) == (0.0, 2.0)
    by_population = [np.isin(spikes.units, np.r_[found.units_of(name)]).sum() for name in ("E", "I")]
    assert by_population == found.counts.sum(axis=1).tolist()
    assert found.rates == pytest.approx([by_population[0] / 600, by_population[1] / 200])
    assert found.rates[0] > 5
    assert np.array_equal(found.spikes_of("E").times, spikes.times[spikes.units < 300])
    trace = found.rate_trace()
    assert trace.sizes == {"population": 2, "time": 2000}
    assert trace.sel(population="E").mean() == pytest.approx(found.rates[0])
    histogram = np.histogram(found.spikes_of("E").times - 0.05 * ms, np.arange(2001) * ms)[0]
    assert np.array_equal(histogram, found.counts[0])


def test_a_run_prints_itself(found):
    lines = repr(found).splitlines()
    assert lines[0] == "Run(small: 2 s of 400 neurons, dt 0.1 ms; OK)"
    assert lines[1].startswith(f"  E      {found.rates[0]:8.3f} Hz, C_v {found.cvs[0]:.3f}")
    assert lines[2].strip() == "I         0.000 Hz"
    assert "seed 1, equipoise" in lines[4]


def test_the_mean_cv_is_that_of_the_measures(found):
    cv = eq.measures.cv(found.spikes_of("E"))
    assert found.cvs[0] == pytest.approx(float(cv.where(cv.n >= 10).mean()))
    assert np.isnan(found.cvs[1])


def test_fewer_cells_are_recorded_where_that_is_asked_for(found):
    few = eq.spiking.simulate(
        circuit(), duration=2 * second, seed=1, warmup=100 * ms, record=eq.spiking.Record(cells=50, bin=20 * ms)
    )
    assert few.recorded == (50, 50)
    assert few.counts.shape == (2, 100)
    assert few.counts.sum() == found.counts.sum()
    assert np.array_equal(few.spikes_of("E").times, found.spikes.times[found.spikes.units < 50])


def test_a_run_goes_on_where_it_ended(found):
    network = eq.spiking.build(circuit(), seed=1)
    first = eq.spiking.run(network, duration=0.5 * second, warmup=100 * ms)
    second_half = eq.spiking.run(network, duration=1.5 * second, start=first.end)
    steps = np.concatenate([first.steps, 5000 + second_half.steps])
    assert np.array_equal(steps, found.steps)
    assert np.array_equal(second_half.end.v, found.end.v)
    assert np.array_equal(np.concatenate([first.counts, second_half.counts], axis=1), found.counts)


def test_repeats_and_other_seeds(found):
    again = eq.spiking.simulate(circuit(), duration=2 * second, seed=np.random.SeedSequence(1), warmup=100 * ms)
    assert np.array_equal(again.steps, found.steps)
    assert again.provenance.circuit_digest == found.provenance.circuit_digest
    other = eq.spiking.simulate(circuit(), duration=0.1 * second, seed=2, warmup=100 * ms)
    assert not np.array_equal(other.end.v, found.end.v)


def test_an_interrupted_run_keeps_what_was_done(monkeypatch, found):
    advance, calls = kernel.advance, []

    def once_too_often(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return advance(*arguments, **options)

    monkeypatch.setattr(kernel, "advance", once_too_often)
    network, shares = eq.spiking.build(circuit(), seed=1), []
    part = eq.spiking.run(network, duration=2 * second, warmup=10 * ms, progress=shares.append)
    assert part.status is eq.Status.INTERRUPTED
    assert 0 < part.duration < 2
    assert part.counts.sum() == part.steps.size
    assert len(shares) == 3
    assert shares == sorted(shares)
    calls[:] = [None] * 9
    rest = eq.spiking.run(network, duration=0.1, start=part.end)
    assert rest.status is eq.Status.OK


def test_names_of_populations_are_checked(found):
    with pytest.raises(KeyError, match=r"no population is named 'e'\. Known: E, I"):
        found.spikes_of("e")


def test_the_tonic_drive_of_a_population_acts_and_adds_to_that_of_build():
    driven = circuit().with_node("E", drive=0.3)
    named = eq.spiking.build(circuit(), seed=1, drive={"E": 0.5, "I": 0.1})
    both = eq.spiking.build(driven, seed=1, drive={"E": 0.2, "I": 0.1})
    np.testing.assert_array_equal(both.drive, named.drive)
    alone, none = (eq.spiking.build(c, seed=1).drive for c in (driven, circuit()))
    assert (alone != none).sum() == 300
