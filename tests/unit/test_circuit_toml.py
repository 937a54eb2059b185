"""Circuits as TOML: exact round trips, and every complaint with its place."""

import math
import re
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import equipoise as eq
from equipoise import units
from equipoise.model.quantity_text import KINDS, parse, scale_of, write
from equipoise.units import Hz, hour, ms, mV

# --- quantities -------------------------------------------------------------------------------------------------------
finite = st.floats(allow_nan=False, allow_infinity=False)


@given(finite, st.sampled_from([(kind, unit) for kind, known in KINDS.items() for unit in known]))
def test_any_float_is_written_and_read_exactly(value, kind_and_unit):
    kind, unit = kind_and_unit
    assert parse(write(value, unit, kind), kind) == value


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("10 ms", "time", 10 * ms),
        ("1.5ms", "time", 0.0015),
        (" 2 hour ", "time", 2 * hour),
        ("1e3 us", "time", 1e-3),
        ("0.1 mV", "potential", 1e-4),
        ("-65 mV", "potential", -0.065),
        ("+.5 V", "potential", 0.5),
        ("8 Hz", "rate", 8.0),
        ("0.5 kHz", "rate", 500.0),
        ("100 nM", "concentration", 0.1),
        ("1 μM", "concentration", 1.0),  # Greek letter
        ("1 µM", "concentration", 1.0),  # micro sign
        ("4e6 nM^2", "squared concentration", 4.0),
    ],
)
def test_quantities(text, kind, value):
    assert parse(text, kind) == value


@pytest.mark.parametrize(
    ("value", "unit", "text"), [(7200.0, "hour", "2 hour"), (0.01, "ms", "10 ms"), (1e-30, "ms", "1E-27 ms")]
)
def test_quantities_are_written_as_people_write_them(value, unit, text):
    assert write(value, unit, "time") == text


def test_units_are_those_of_the_package():
    for unit in {u for known in KINDS.values() for u in known if "^" not in u}:
        assert float(scale_of(unit)) == getattr(units, unit.removesuffix("/s"))
    assert scale_of("nM^2") == Decimal("1e-6")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("10", "must be a time such as \"10 ms\", got '10'."),
        ("ms", "must be a time such as \"10 ms\", got 'ms'."),
        ("nan ms", "must be a time such as \"10 ms\", got 'nan ms'."),
        ("10 msec", "got unit 'msec' in '10 msec'. Did you mean 'ms'?"),
        ("10 mV", "got unit 'mV' in '10 mV'."),
        ("1 2 ms", "such as \"10 ms\", got '1 2 ms'."),
    ],
)
def test_text_that_is_no_quantity(text, message):
    with pytest.raises(ValueError, match="must be") as caught:
        parse(text, "time")
    assert message in str(caught.value)


# --- random circuits --------------------------------------------------------------------------------------------------
def floats(low, high):
    return st.floats(low, high, exclude_min=True)


@st.composite
def neurons(draw, unit):
    tau_ref = draw(st.floats(0, 0.1))
    reset = draw(st.floats(-70, 0)) * unit
    threshold = reset + draw(floats(0.1, 20)) * unit
    basics = {"tau_ref": tau_ref, "v_reset": reset, "v_threshold": threshold}
    leaky = {"tau_m": draw(floats(1e-4, 1)), "v_leak": draw(st.floats(-70, 20)) * unit}
    onset = reset + draw(st.floats(0, 0.99)) * (threshold - reset)
    return draw(
        st.sampled_from(
            [
                eq.LIF(**basics, **leaky),
                eq.PIF(**basics, v_bound=reset - draw(st.floats(0, 9)) * unit),
                eq.EIF(**basics, **leaky, v_onset=onset, slope=draw(floats(0.05, 3)) * unit),
            ]
        )
    )


connectivities = st.one_of(
    floats(0, 50).map(lambda k: eq.ErdosRenyi(in_degree=k)), floats(0, 50).map(lambda k: eq.FixedInDegree(k))
)
finite_graphs = floats(0, 1).map(lambda p: eq.ErdosRenyi(probability=p))
synapses = st.one_of(st.just(eq.DeltaSynapse()), floats(1e-6, 1).map(eq.ExponentialSynapse))
targets = st.one_of(
    st.builds(eq.SetPoint, rate=floats(1e-3, 1000), cv=floats(0.01, 5)),
    st.builds(
        lambda m, ratio: eq.CalciumSetPoint(mean=m, second_moment=m * m * ratio), floats(0.01, 100), floats(1.01, 50)
    ),
)
sensors = st.builds(eq.Calcium, tau=floats(1e-3, 100), influx=floats(0, 10), buffering=st.floats(0, 1))
times = floats(1.0, 1e6)
two = {"tau_e": times, "tau_i": times, "scale": st.sampled_from(["relative", "absolute"])}
calcium = {**two, "sensor": sensors, "target": targets}
rules = st.one_of(
    st.builds(eq.RateHomeostasis, **two, target_e=floats(0.01, 100), target_i=floats(0.01, 100)),
    st.builds(eq.CalciumHomeostasis, **calcium),
    st.builds(eq.AdaptiveCalciumHomeostasis, **calcium, tau_adapt=times),
    st.builds(eq.KineticHomeostasis, **calcium),
)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@st.composite
def spread_populations(draw, population):
    """The population with neurons that differ, where those would be possible."""
    neuron, part = population.neuron, st.just(0.0) | st.floats(0.0, 0.2)
    sizes = {"v_reset": neuron.v_threshold - neuron.v_reset} | {
        name: getattr(neuron, name) for name in ("tau_m", "tau_ref") if hasattr(neuron, name)
    }
    sizes["v_onset" if isinstance(neuron, eq.EIF) else "v_threshold"] = sizes["v_reset"]
    try:
        return replace(population, spread=eq.Spread(**{name: draw(part) * size for name, size in sizes.items()}))
    except ValueError:
        return population


@st.composite
def circuits(draw):
    unit = draw(st.sampled_from([1.0, mV]))
    populations = [
        eq.Population(
            f"P{i}",
            size=draw(st.integers(50, 10**6) | st.just(math.inf)),
            neuron=draw(neurons(unit)),
            drive=draw(st.just(0.0) | st.floats(-900, 900)) * unit,
        )
        for i in range(draw(st.integers(1, 3)))
    ]
    populations = [draw(spread_populations(p)) for p in populations]
    sources = [
        eq.Source(f"Xµ_{i}", rate=draw(st.floats(0, 1000)), fano=draw(st.floats(0, 5)))
        for i in range(draw(st.integers(0, 2)))
    ]
    projections = []
    for pre in (*populations, *sources):
        sign = draw(st.sampled_from([-1.0, 1.0]))
        for post in populations:
            if draw(st.booleans()):
                largest = 4 * (post.neuron.v_threshold - post.neuron.v_reset)
                weight = sign * draw(floats(0, 0.999)) * largest
                wiring = connectivities if math.isinf(pre.size) else connectivities | finite_graphs
                projections.append(
                    eq.Projection(
                        source=pre.name,
                        target=post.name,
                        weight=weight or sign * largest,
                        connectivity=draw(wiring),
                        delay=draw(st.floats(0, 1)),
                        synapse=draw(synapses),
                    )
                )
    attached = [
        eq.AttachedRule(p.name, draw(rules), draw(st.sampled_from(["population", "neuron"])))
        for p in populations
        if draw(st.booleans())
    ]
    return eq.Circuit(
        populations=[*populations, *sources],
        projections=projections,
        rules=attached,
        name=draw(words),
        description=draw(words),
    )


@given(circuits())
@settings(max_examples=150, deadline=None)
def test_random_circuits_round_trip(circuit):
    text = circuit.to_toml()
    read = eq.Circuit.from_toml(text)
    assert read == circuit
    assert read.to_toml() == text


# --- files ------------------------------------------------------------------------------------------------------------
TEXT = """
name = "one population"

[neurons.lif]
model = "LIF"
tau_m = "20 ms"
v_threshold = "20 mV"
v_reset = "10 mV"

[sensors.soma]
tau = "300 ms"

[homeostasis.calcium]
model = "CalciumHomeostasis"
sensor = "soma"
target = { rate = "5 Hz", cv = 0.9 }
tau_e = "3 hour"

[synapses.slow]
model = "ExponentialSynapse"
tau = "5 ms"

[defaults]
delay = "2 ms"
synapse = "slow"

[[populations]]
name = "E"
size = 4000
neuron = "lif"

[[sources]]
name = "X"
rate = "8 Hz"

[[projections]]
source = "X"
target = "E"
weight = "0.2 mV"
in_degree = 1000

[[projections]]
source = "E"
target = "E"
weight = "0.1 mV"
probability = 0.1
delay = "1 ms"
synapse = { model = "DeltaSynapse" }

[[rules]]
population = "E"
rule = "calcium"
"""
CIRCUIT = eq.Circuit(
    name="one population",
    populations=[
        eq.Population("E", size=4000, neuron=eq.LIF(tau_m=20 * ms, v_threshold=20 * mV, v_reset=10 * mV)),
        eq.Source("X", rate=8 * Hz),
    ],
    projections=[
        eq.Projection(
            source="X",
            target="E",
            weight=0.2 * mV,
            in_degree=1000,
            delay=2 * ms,
            synapse=eq.ExponentialSynapse(5 * ms),
        ),
        eq.Projection(
            source="E", target="E", weight=0.1 * mV, connectivity=eq.ErdosRenyi(probability=0.1), delay=1 * ms
        ),
    ],
    rules=[
        eq.AttachedRule(
            "E",
            eq.CalciumHomeostasis(
                sensor=eq.Calcium(tau=300 * ms), target=eq.SetPoint(rate=5 * Hz, cv=0.9), tau_e=3 * hour
            ),
        )
    ],
)


def test_text_means_what_it_says():
    assert eq.Circuit.from_toml(TEXT) == CIRCUIT


def test_zero_needs_no_unit():
    assert eq.Circuit.from_toml(TEXT.replace('v_reset = "10 mV"', "v_reset = 0")).populations[0].neuron.v_reset == 0.0


def test_equal_parts_are_written_once_and_others_apart():
    text = eq.Circuit.example("microcircuit").to_toml()
    assert (text.count("[neurons."), text.count("[synapses."), text.count("[[populations]]")) == (1, 1, 8)
    text = CIRCUIT.to_toml()
    assert "[synapses.exponential]" in text
    assert "[synapses.delta]" in text


def test_parts_may_be_written_in_place():
    text = TEXT.replace('neuron = "lif"', 'neuron = { model = "PIF", v_threshold = "1 mV", v_bound = "-1 mV" }')
    text = text.replace('sensor = "soma"', 'sensor = { tau = "2 s" }')
    circuit = eq.Circuit.from_toml(text.replace("0.2 mV", "0.02 mV"))
    assert circuit.populations[0].neuron == eq.PIF(v_threshold=1 * mV, v_bound=-1 * mV)
    assert circuit.rules[0].rule.sensor == eq.Calcium(tau=2.0)


def test_a_file_by_path_or_name(tmp_path):
    file = tmp_path / "K=1000.toml"
    file.write_text(TEXT, encoding="utf-8")
    assert eq.Circuit.from_toml(file) == eq.Circuit.from_toml(str(file)) == CIRCUIT
    file.write_text(TEXT.replace('"8 Hz"', "8"), encoding="utf-8")
    with pytest.raises(ValueError, match="must be a rate") as caught:
        eq.Circuit.from_toml(file)
    assert (
        str(caught.value) == f"{file}: sources[0].rate: must be a rate such as \"10 Hz\", got 8. Did you mean '8 Hz'?"
    )
    with pytest.raises(FileNotFoundError, match=r"no file 'none\.toml'"):
        eq.Circuit.from_toml("none.toml")


COMPLAINTS = [  # replace, by, the located error
    ('"0.2 mV"', "0.2", "projections[0].weight: must have a unit, as neurons.lif.v_threshold has, got 0.2. Did "
     "you mean '0.2 mV'?"),
    ('"0.2 mV"', '"0.2 ms"', 'projections[0].weight: must be a potential such as "10 mV", got unit \'ms\''),
    ('"0.2 mV"', '"200 mV"', "projections[0].weight: must not exceed 4 times v_threshold - v_reset = 0.01 of 'E'"),
    ('"0.2 mV"', '"0 mV"', "projections[0].weight: must not be 0. Leave the projection out instead."),
    ('"0.2 mV"', "true", 'projections[0].weight: must be a potential such as "10 mV", got True.'),
    ('weight = "0.2 mV"', 'wieght = "0.2 mV"', "projections[0].wieght: unknown key. Did you mean 'weight'?"),
    ('weight = "0.2 mV"', "", "projections[0].weight: must be given."),
    ('"0.1 mV"', '"-0.1 mV"', None),  # inhibition alone keeps Dale's law
    ('delay = "1 ms"', "delay = 1", "delay: must be a time such as \"10 ms\", got 1. Did you mean '1 ms'?"),
    ('delay = "1 ms"', 'delay = "10 s"', "projections[1].delay: must lie in [0, 1000] ms, got 10000 ms."),
    ('delay = "2 ms"', 'dely = "2 ms"', "defaults.dely: unknown key. Did you mean 'delay'?"),
    ('synapse = "slow"', 'synapse = "slo"', "defaults.synapse: must be a name in [synapses] or a table, got "
     "'slo'. Did you mean 'slow'?"),
    ("in_degree = 1000", "", "projections[0]: must have one of in_degree, probability, fixed_in_degree "
     "and all_to_all, got none."),
    ("in_degree = 1000", "in_degree = 5\nprobability = 0.1", "got in_degree and probability."),
    ("in_degree = 1000", 'in_degree = "many"', "projections[0].in_degree: must be a number, got 'many'."),
    ("in_degree = 1000", "probability = 0.1", "projections[0].probability: needs the size of 'X', which has none."),
    ("probability = 0.1", "probability = 2", "projections[1].probability: must lie in (0, 1], got 2."),
    ("probability = 0.1", "fixed_in_degree = 4001", "projections[1].in_degree: must not exceed the 4,000 neurons"),
    ('source = "X"', 'source = "Y"', "projections[0].source: unknown name 'Y'. Known: E, X."),
    ('source = "X"', "source = 3", "projections[0].source: must be a name such as 'E', got 3."),
    ('tau_m = "20 ms"', 'tau_m = "20 s"', "neurons.lif.tau_m: must lie in [0.1, 1000] ms, got 20000 ms."),
    ('tau_m = "20 ms"', "tau_m = inf", "neurons.lif.tau_m: must be a time such as \"10 ms\", got inf."),
    ('model = "LIF"', 'model = "LIFF"', "model: must be one of the known models, got 'LIFF'. Did you mean 'LIF'?"),
    ('model = "LIF"', "", "neurons.lif.model: must be given, one of PIF, LIF, EIF, ConductanceLIF, "
     "ThresholdLinear, PowerLaw, Softplus, AbbottChance, FICurve."),
    ('v_reset = "10 mV"', 'v_reset = "30 mV"', "neurons.lif.v_reset: must lie below v_threshold=0.02, got 0.03."),
    ('v_threshold = "20 mV"', "", "neurons.lif.v_threshold: must be given, since potentials are in volts here"),
    ('v_reset = "10 mV"', "v_reset = 10", "neurons.lif.v_reset: must have a unit, as neurons.lif.v_threshold has"),
    ("cv = 0.9", "cv = -1", "homeostasis.calcium.target.cv: must be above 0, got -1."),
    ("cv = 0.9", "mean = 1", "homeostasis.calcium.target.model: must be given, one of SetPoint, CalciumSetPoint."),
    ('tau_e = "3 hour"', "tau_e = 3", 'homeostasis.calcium.tau_e: must be a time such as "10 ms", got 3. Did you mean '
     "'3 hour'?"),
    ('tau_e = "3 hour"', 'scale = "relativ"', "calcium.scale: must be 'relative' or 'absolute', got 'relativ'."),
    ('sensor = "soma"', "sensor = 3", "homeostasis.calcium.sensor: must be a table, got 3."),
    ('sensor = "soma"', "", "homeostasis.calcium.sensor: must be given."),
    ('rule = "calcium"', 'rule = "calcum"', "rules[0].rule: must be a name in [homeostasis] or a table, got 'calcum'. "
     "Did you mean 'calcium'?"),
    ('rule = "calcium"', 'rule = "calcium"\nscope = "cell"', "rules[0].scope: must be 'population' or 'neuron'"),
    ('population = "E"', 'population = "X"', "rules[0].population: must be a population, got the source 'X'"),
    ("size = 4000", "size = 40.5", "populations[0].size: must be a whole number of at least 1, or infinite"),
    ('name = "E"', 'name = "2E"', "populations[0].name: must be letters, digits and underscores"),
    ('neuron = "lif"', "", "populations[0].neuron: must be given."),
    ("[[rules]]", "[[rule]]", "rule: unknown key. Did you mean 'rules'?"),
    ("[[sources]]", "[sources]", "sources: must be a list of tables [[sources]], got {"),
    ("[sensors.soma]", "[sensors]", "sensors.tau: must be a table, got '300 ms'."),
    ('name = "one population"', "name = 1", "name: must be text, got 1."),
    ("size = 4000", "drive = 50", "populations[0].drive: must have a unit, as neurons.lif.v_threshold has, got 50. "
     "Did you mean '50 mV/s'?"),
    ("size = 4000", 'drive = "50 mV"', "populations[0].drive: must be a potential per second such as \"10 mV/s\", got"),
    ("size = 4000", 'drive = "500 V/s"', "populations[0].drive: must not exceed 10000 per second times v_threshold"),
    ("size = 4000", 'spread = { tau_m = 2 }', 'populations[0].spread.tau_m: must be a time such as "10 ms", got 2. Did '
     "you mean '2 ms'?"),
    ("size = 4000", 'spread = { tau_n = "2 ms" }', "populations[0].spread.tau_n: unknown key. Did you mean 'tau_m'?"),
    ("size = 4000", 'spread = { v_onset = "1 mV" }', "populations[0].spread: v_onset of LIF neurons cannot vary."),
    ("size = 4000", 'spread = { v_threshold = "3 mV" }', "populations[0].spread: neurons 4 SDs from the mean must be"),
    ("size = 4000", 'spread = "wide"', "populations[0].spread: must be a table, got 'wide'."),
    ("size = 4000", "size = ", "The circuit is not TOML: "),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), COMPLAINTS)
def test_complaints_name_the_place(old, new, message):
    assert old in TEXT
    text = TEXT.replace(old, new, 1)
    if message is None:
        assert eq.Circuit.from_toml(text).weights().min() < 0
        return
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        eq.Circuit.from_toml(text)
    assert "Circuit." not in str(caught.value)


def test_all_errors_are_reported_at_once():
    text = TEXT.replace('"0.2 mV"', '"0.2 ms"').replace('delay = "1 ms"', "delay = 1").replace('"8 Hz"', "8")
    with pytest.raises(ValueError, match="The circuit has 3 errors") as caught:
        eq.Circuit.from_toml(text)
    places = [line.strip().split(": ")[0] for line in str(caught.value).splitlines()[1:]]
    assert places == ["sources[0].rate", "projections[0].weight", "projections[1].delay"]


def test_an_error_in_a_shared_part_is_reported_once():
    text = TEXT.replace('tau = "5 ms"', "tau = 5").replace('synapse = { model = "DeltaSynapse" }', "")
    with pytest.raises(ValueError, match=r"^The circuit: synapses\.slow\.tau: must be a time"):
        eq.Circuit.from_toml(text)


def test_an_error_in_the_defaults_is_reported_once():
    text = TEXT.replace('delay = "2 ms"', "delay = 2").replace('delay = "1 ms"\n', "")
    with pytest.raises(ValueError, match=r"^The circuit: defaults\.delay: must be a time .* Did you mean '2 ms'\?$"):
        eq.Circuit.from_toml(text)


def test_a_neuron_of_ones_own_has_no_toml_form():
    class Mine(eq.LIF):
        pass

    circuit = eq.Circuit(populations=[eq.Population("E", neuron=Mine())], projections=[])
    with pytest.raises(
        TypeError,
        match=r"Circuit\.to_toml: Mine has no TOML form\. Those that have one: PIF, LIF, EIF, ConductanceLIF, Thr",
    ):
        circuit.to_toml()


def test_files_are_read_by_modules_loaded_on_first_use():
    code = "import sys, equipoise; print([m for m in sys.modules if 'toml' in m or m in ('pydantic', 'pint')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


LINES = TEXT.splitlines()
NUMBERS = ["1", "-1", "0", "0.5", "nan", "inf", "true", "1979-05-27"]
STRINGS = ['""', '"E"', '"X"', '"lif"', '"soma"', '"calcium"', '"10 ms"', '"5 mV"', '"-1 Hz"', '"9 uM^2"']
TABLES = ["[]", "[1]", "[[]]", "[{}]", "{}", "{ a = 1 }", '{ model = "LIF" }', "{ model = [] }", "{ rate = 3 }"]
literals = st.sampled_from(NUMBERS + STRINGS + TABLES)


@given(st.lists(st.tuples(st.integers(0, len(LINES) - 1), st.none() | literals), min_size=1, max_size=3))
@settings(max_examples=300, deadline=None)
def test_whatever_a_file_holds_the_answer_is_a_circuit_or_a_located_error(edits):
    lines = list(LINES)
    for i, literal in edits:
        key, equals, _ = lines[i].partition(" = ")
        lines[i] = f"{key} = {literal}" if equals and literal else "" if literal is None else f"{literal} = {literal}"
    try:
        answer = eq.Circuit.from_toml("\n".join(lines))
    except ValueError as error:
        answer = str(error)
    assert isinstance(answer, eq.Circuit) or answer.startswith("The circuit")
