"""Manipulations turn a circuit into another one, touch nothing else, and say what is wrong."""

import math
from dataclasses import replace

import numpy as np
import pytest

import equipoise as eq
from equipoise.model.manipulations import edges, manipulated
from equipoise.units import Hz, day, hour


@pytest.fixture(scope="module")
def circuit():
    return eq.Circuit.example("balanced_network")


@pytest.mark.parametrize(
    ("manipulation", "read", "value"),
    [
        (eq.SourceRate("X", rate=14 * Hz), lambda c: c.node("X").rate, 14.0),
        (eq.Irregularity("X", fano=2.0), lambda c: c.node("X").fano, 2.0),
        (eq.TonicDrive("E", 50.0), lambda c: c.node("E").drive, 50.0),
        (eq.Deafferentation(source="X", target="E", fraction=0.3), lambda c: c.in_degrees()[0, 2], 700.0),
        (eq.WeightBlock(source="I", target="E", fraction=0.5), lambda c: c.weights()[0, 1], -(1e3**-0.5)),
    ],
    ids=lambda m: type(m).__name__ if hasattr(m, "apply") else "",
)
def test_a_manipulation_changes_one_thing(circuit, manipulation, read, value):
    changed = manipulation.apply(circuit)
    assert read(changed) == pytest.approx(value, rel=1e-14)
    before = [circuit.weights(), circuit.in_degrees(), [p.drive for p in circuit.populations], circuit.sources]
    after = [changed.weights(), changed.in_degrees(), [p.drive for p in changed.populations], changed.sources]
    same = [
        np.array_equal(np.array(a, dtype=object), np.array(b, dtype=object)) for a, b in zip(before, after, strict=True)
    ]
    assert same.count(False) == 1
    assert changed.names == circuit.names


def test_losing_inputs_keeps_the_kind_of_connectivity(circuit):
    half = eq.Deafferentation(source="E", target="E", fraction=0.5)
    dense = circuit.with_projection("E", "E", connectivity=eq.ErdosRenyi(probability=0.1))
    assert half.apply(dense).projection("E", "E").connectivity == eq.ErdosRenyi(probability=0.05)
    fixed = circuit.with_projection("E", "E", connectivity=eq.FixedInDegree(600))
    assert half.apply(fixed).projection("E", "E").connectivity == eq.FixedInDegree(300)


def test_a_schedule_is_read_in_its_order(circuit):
    schedule = [
        eq.During(eq.TonicDrive("E", 20.0), 1 * day, 3 * day),
        eq.During(eq.TonicDrive("E", 5.0), 2 * day),
    ]
    assert edges(schedule, 4 * day) == [0.0, 1 * day, 2 * day, 3 * day, 4 * day]
    at = [manipulated(circuit, schedule, t * hour).node("E").drive for t in (0, 24, 48, 71.9, 72, 96)]
    assert at == [0.0, 20.0, 25.0, 25.0, 5.0, 5.0]
    assert schedule[1].stop == math.inf
    assert edges(schedule, 0.5 * day) == [0.0, 0.5 * day]


def test_a_ramp_is_a_staircase_through_the_middle_of_the_line(circuit):
    ramp = eq.Ramp(eq.SourceRate("X", rate=14 * Hz), 1 * hour, 3 * hour, until=4 * hour, steps=4)
    assert edges([ramp], 1 * day) == [0.0, *(t * hour for t in (1, 1.5, 2, 2.5, 3, 4)), 1 * day]
    at = [manipulated(circuit, [ramp], t * hour).node("X").rate for t in (0.9, 1, 1.4, 2.6, 3, 3.9, 4)]
    assert at == pytest.approx([10.0, 10.5, 10.5, 13.5, 14.0, 14.0, 10.0], rel=1e-14)
    line = [ramp.strength_at(t) for t in 1 * hour + (np.arange(400) + 0.5) / 400 * 2 * hour]
    assert np.mean(line) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("manipulation", "read", "middle"),
    [
        (eq.TonicDrive("E", 50.0), lambda c: c.node("E").drive, 25.0),
        (eq.Irregularity("X", fano=2.0), lambda c: c.node("X").fano, 1.5),
        (eq.Deafferentation(source="X", target="E", fraction=0.3), lambda c: c.in_degrees()[0, 2], 850.0),
        (eq.WeightBlock(source="I", target="E", fraction=0.5), lambda c: c.weights()[0, 1], -1.5 * 1e3**-0.5),
    ],
    ids=lambda m: type(m).__name__ if hasattr(m, "apply") else "",
)
def test_half_of_a_manipulation(circuit, manipulation, read, middle):
    ramp = eq.Ramp(manipulation, 0.0, 1 * hour, steps=1)
    assert read(ramp.applied(circuit, 0.5 * hour)) == pytest.approx(middle, rel=1e-14)
    assert ramp.applied(circuit, 1 * hour) == manipulation.apply(circuit)


class Renamed:
    """A manipulation that has no half."""

    def apply(self, circuit):
        return replace(circuit, name="another")


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda c: eq.SourceRate("E", rate=5.0).apply(c), ValueError, "SourceRate.source must be a source, got the po"),
        (lambda c: eq.SourceRate("Y", rate=5.0).apply(c), KeyError, "no population or source is named 'Y'"),
        (lambda c: eq.SourceRate("X", rate=-1.0), ValueError, r"SourceRate.rate .* must lie in \[0, 1000\] Hz, got -1"),
        (lambda c: eq.Irregularity("X", fano=-1), ValueError, "Irregularity.fano .* must be at least 0, got -1"),
        (lambda c: eq.TonicDrive("X", 5.0).apply(c), ValueError, "must be a population, got the source 'X'"),
        (lambda c: eq.TonicDrive("E", np.nan), ValueError, "TonicDrive.drive .* must be finite, got nan"),
        (
            lambda c: eq.Deafferentation(source="X", target="E", fraction=1.0),
            ValueError,
            r"Deafferentation.fraction must lie in \[0, 1\), got 1. To remove all",
        ),
        (
            lambda c: eq.WeightBlock(source="X", target="J", fraction=0.1).apply(c),
            KeyError,
            "no projection X -> J. Did you mean 'X -> ",
        ),
        (lambda c: eq.During(eq.TonicDrive("E", 5.0), 5.0, 5.0), ValueError, "stop must be above start = 5 s, got 5 s"),
        (
            lambda c: eq.Ramp(eq.TonicDrive("E", 5.0), 5.0, 4.0),
            ValueError,
            "Ramp.stop must be above start = 5 s, got 4",
        ),
        (lambda c: eq.Ramp(eq.TonicDrive("E", 5.0), 1.0, 4.0, until=3.0), ValueError, "until must be above stop = 4 s"),
        (lambda c: eq.Ramp(eq.TonicDrive("E", 5.0), 1.0, 4.0, steps=0), ValueError, "steps must be a whole number fr"),
        (lambda c: eq.Ramp(eq.TonicDrive, 1.0, 4.0), TypeError, "Ramp.manipulation must be a manipulation such as"),
        (
            lambda c: eq.Ramp(Renamed(), 0.0, 4.0).applied(c, 1.0),
            TypeError,
            "Ramp: Renamed changes more than rates, .* there are no parts of it. Take eq.During",
        ),
        (lambda c: eq.During(eq.TonicDrive("E", 5.0), -5.0), ValueError, "During.start .* must be at least 0 second"),
        (lambda c: eq.During("light", 5.0), TypeError, "must be a manipulation such as .* got 'light'"),
        (lambda c: eq.During(eq.TonicDrive, 5.0), TypeError, "must be a manipulation such as"),
        (lambda c: eq.During(eq.TonicDrive("E", 5.0), 0.0, "day"), TypeError, r"stop must be a time \[s\]"),
    ],
)
def test_bad_input_is_named(circuit, make, error, message):
    with pytest.raises(error, match=message):
        make(circuit)
