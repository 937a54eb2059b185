"""Rules on slow variables: what each one does to rates, weights and thresholds, in files and in circuits."""

import numpy as np
import pytest

import equipoise as eq
from equipoise.model.slow_variables import Gain, Pooled, Rate, Threshold, Weight, text_of, variable_of
from equipoise.units import hour, ms

ALL = (
    eq.InputCentricThreshold("E", set_point=7.0, reading="B", tau=3 * hour),
    eq.InputCentricGain("E", set_point=7.0, span=0.5),
    eq.DriveCentricThreshold("E", set_point=7.0, inhibition=0.2),
    eq.OutputCentricThreshold("I", rate=3.0),
    eq.NMDARThreshold("I", "E", set_point=3.0, more_drive="raises"),
    eq.DualControl("E", rate=10.0, rms=15.0),
    eq.InhibitoryScaling("E", "I", rate=5.0, speed=1e-5),
    eq.HomeostaticWeights("I", rate=5.0, speed=1e-6),
    eq.CrossHomeostasis("I", rate=5.0, speed=1e-6),
    eq.SynapticScaling("E", rate=5.0, speed=1e-6),
)
W_EE, W_EI, W_IE, W_II = 5.0, 38.0 / 35.0, 10.0, 43.0 / 28.0  # E = 5 Hz, I = 14 Hz


def pair(rules=()):
    exciting = eq.ThresholdLinear(gain=1.0, threshold=4.8, tau=10 * ms)
    inhibiting = eq.ThresholdLinear(gain=4.0, threshold=25.0, tau=2 * ms)
    weights = {("E", "E"): W_EE, ("I", "E"): -W_EI, ("E", "I"): W_IE, ("I", "I"): -W_II}
    return eq.Circuit(
        populations=[eq.Population("E", neuron=exciting), eq.Population("I", neuron=inhibiting)],
        projections=[
            eq.Projection(source=s, target=t, weight=w, connectivity=eq.AllToAll()) for (s, t), w in weights.items()
        ],
        rules=rules,
    )


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: type(rule).__name__)
def test_rules_return_from_a_file(rule):
    circuit = pair([rule])
    again = eq.Circuit.from_toml(circuit.to_toml())
    assert again == circuit
    assert again.slow_rules == (rule,)
    assert again.digest != pair().digest


@pytest.mark.parametrize("variable", [Threshold("E"), Gain("E"), Weight("I", "E")], ids=text_of)
def test_leaks_and_bounds_name_their_variable_in_words(variable):
    assert variable_of(text_of(variable)) == variable
    rules = (eq.Leak(variable, rest=1.0, tau=3 * hour), eq.Bounds(variable, lower=0.5), eq.Bounds(variable, upper=2.0))
    text = pair(rules).to_toml()
    assert f'variable = "{text_of(variable)}"' in text
    assert eq.Circuit.from_toml(text).slow_rules == rules


def test_calcium_rules_and_slow_rules_stand_side_by_side():
    target = eq.SetPoint(rate=5.0, cv=0.8)
    calcium = eq.AttachedRule("E", eq.CalciumHomeostasis(eq.Calcium(tau=300 * ms), target=target))
    circuit = pair([ALL[0], calcium, ALL[3]])
    assert circuit.rules == (calcium,)
    assert circuit.slow_rules == (ALL[0], ALL[3])
    assert circuit.with_rules([ALL[1]]).rules == ()
    assert circuit.with_rules([ALL[1]]).slow_rules == (ALL[1],)


# The speed of each slow variable at rates 6 and 20 Hz, written out beside the rule (thresholds 4.8 and 25).
R_E, R_I = 6.0, 20.0
REQUIRED, DRIVE, INHIBITION = 4.8 + R_E / 1.0, W_EE * R_E, W_EI * R_I
SPEEDS = [
    [(7.0 - REQUIRED) / (3 * hour)],
    [-0.5 * (REQUIRED - 7.0) / (2 * hour)],
    [(DRIVE - 0.2 * INHIBITION - 7.0) / (2 * hour)],
    [(R_I / 3.0 - 1.0) / (2 * hour)],
    [-(W_IE * R_E - 3.0) / (2 * hour)],
    [(R_E / 10.0 - 1.0) / (2 * hour), -(R_E**2 / 225.0 - 1.0) / (2 * hour)],
    [1e-5 * (R_E - 5.0)],
    [1e-6 * R_E * (5.0 - R_I), -1e-6 * R_I * (5.0 - R_I)],
    [-1e-6 * R_E * (5.0 - R_E), 1e-6 * R_I * (5.0 - R_E)],
    [1e-6 * W_EE * (5.0 - R_E), -1e-6 * W_EI * (5.0 - R_E)],
]


@pytest.mark.parametrize(("rule", "expected"), list(zip(ALL, SPEEDS, strict=True)), ids=lambda x: type(x).__name__)
def test_rules_move_by_what_they_sense(rule, expected):
    from equipoise.rate.slow_state import slow_system

    net = eq.rate.network(pair())
    system = slow_system(net, [rule])
    assert system.rhs(system.start, net, np.array([R_E, R_I])) == pytest.approx(expected, rel=1e-12)


def test_pooled_senses_are_shared_by_all_units():
    from equipoise.rate.slow_state import sensed

    circuit = pair()
    for name in ("E", "I"):
        circuit = circuit.with_node(name, size=4)
    many = eq.rate.units(circuit, seed=1)
    rates = np.arange(8.0)
    assert sensed(many, rates, Pooled(Rate("I"))) == pytest.approx([5.5])
    assert sensed(many, rates, Rate("I")) == pytest.approx([4.0, 5.0, 6.0, 7.0])


def test_bad_rules_name_the_place():
    def toml(row):
        return eq.Circuit.from_toml(pair().to_toml() + "\n[[rules]]\n" + row)

    cases = [
        (lambda: eq.DualControl("E", rate=10.0, rms=9.0), r"DualControl.rms .* must exceed rate = 10 Hz, got 9 Hz"),
        (
            lambda: eq.NMDARThreshold("I", "E", set_point=1.0, more_drive="up"),
            "more_drive must be 'lowers' or 'raises'",
        ),
        (lambda: eq.CrossHomeostasis("X", rate=5.0, speed=1.0), "CrossHomeostasis.population must be 'E' or 'I'"),
        (lambda: eq.InputCentricGain("E", set_point=1.0, tau=-1.0), "InputCentricGain.tau .* must be above 0 hour"),
        (lambda: eq.SynapticScaling("E", rate=0.0, speed=1.0), "SynapticScaling.rate .* must be above 0 Hz"),
        (lambda: pair([eq.OutputCentricThreshold("X", rate=3.0)]), "unknown name 'X'. Known: E, I"),
        (lambda: pair([eq.NMDARThreshold("I", "Q", set_point=3.0)]), "no projection Q -> I"),
        (lambda: toml('model = "OutputCentric"\npopulation = "E"'), "Did you mean 'OutputCentricThreshold'"),
        (
            lambda: toml('model = "Leak"\nvariable = "weight E"\nrest = 3'),
            r"rules\[0\].variable: must be 'threshold E', 'gain E' or 'weight I -> E', got 'weight E'",
        ),
        (
            lambda: toml('model = "OutputCentricThreshold"\npopulation = "E"\nrate = 3'),
            r"rules\[0\].rate: must be a",
        ),
    ]
    for make, message in cases:
        with pytest.raises(ValueError, match=message):
            make()
    with pytest.raises(
        TypeError, match=r"Circuit.rules\[0\]: must be an eq.AttachedRule\(...\), or a rule on slow variables"
    ):
        pair([eq.OutputCentricThreshold])


def test_bounds_belong_to_what_moves_and_leave_it_room():
    rule, weight = eq.CrossHomeostasis("E", rate=5.0, speed=1e-6), Weight("E", "E")
    cases = {
        r"rules\[1\] bounds 'threshold E', which no rule moves. Moved: weight E -> E, weight I -> E": [
            eq.Bounds(Threshold("E"), lower=1.0)
        ],
        r"rules\[2\] leaves 'weight E -> E' nothing between its bounds": [
            eq.Bounds(weight, lower=3.0),
            eq.Bounds(weight, upper=2.0),
        ],
    }
    for message, bounds in cases.items():
        with pytest.raises(ValueError, match=message):
            eq.rate.equilibrium(pair(), [rule, *bounds])
    with pytest.raises(ValueError, match=r"Bounds\.upper of 'weight E -> E', a size, must be above 0"):
        eq.Bounds(weight, upper=-1.0)
    with pytest.raises(TypeError, match=r"Leak.variable must be Threshold\('E'\).*, got 'threshold_E'"):
        eq.Leak("threshold_E", rest=1.0)  # type: ignore[arg-type]


def test_either_bound_holds_a_joint_fixed_point():
    """6 Hz would take W_EI = 0.97, and 4 Hz more than 1.0857."""
    for rate, bounds, held in ((6.0, {"lower": 1.0}, 1.0), (4.0, {"upper": 1.1}, 1.1)):
        rules = [eq.InhibitoryScaling("E", "I", rate=rate, speed=1e-6), eq.Bounds(Weight("I", "E"), **bounds)]
        point = eq.rate.equilibrium(pair(), rules)
        assert point.status is eq.Status.AT_BOUND
        assert point.values == {"weight_EI": held}
        assert point.held == ("weight_EI",)
        assert min(rate, 5.0) < point.rates[0] < max(rate, 5.0)


def test_nouns_of_a_rule():
    rule = eq.CrossHomeostasis("E", rate=14.0, speed=1e-6)
    assert rule.moves == (Weight("E", "E"), Weight("I", "E"))
    assert rule.senses == (Pooled(Rate("E")), Pooled(Rate("I")), Pooled(Rate("I")))
    assert eq.DualControl("E", rate=10.0, rms=15.0).moves[0] == Threshold("E")


def test_theory_says_where_slow_rules_belong():
    lif = eq.LIF(tau_m=10 * ms)
    circuit = eq.Circuit(
        populations=[eq.Population("E", neuron=lif, drive=200.0)],
        projections=[eq.Projection(source="E", target="E", weight=0.01, connectivity=eq.FixedInDegree(100))],
        rules=[eq.OutputCentricThreshold("E", rate=3.0)],
    )
    with pytest.raises(ValueError, match=r"Its rules on slow variables belong to rates: eq.rate.evolve"):
        eq.theory.network_equilibrium(circuit)
