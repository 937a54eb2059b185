"""Recovery of rates after a change: closed forms of exponential courses, and what does not fit."""

import numpy as np
import pytest

import equipoise as eq

TIME = np.concatenate([np.linspace(0.0, 10.0, 11), np.linspace(10.0, 60.0, 5001)])  # 10 s twice, before and after


def course(after):
    """5 Hz before the change at 10 s, then 5 + after(t)."""
    return np.concatenate([np.full(11, 5.0), 5.0 + after(TIME[11:] - 10.0)])


COURSES = {
    "returns": (lambda t: 2.0 * np.exp(-t / 4.0), (2.0, 4.0 * np.log(10.0), 0.0, 1.0)),
    "halfway": (lambda t: -(1.0 + np.exp(-t / 2.0)), (-2.0, np.nan, 0.0, 0.5)),
    # 6 q^2 - 4 q with q = e^-t/2 from +2 crosses 0 at q = 2/3 and is least, -2/3, at q = 1/3
    "overshoots": (
        lambda t: 6.0 * np.exp(-t) - 4.0 * np.exp(-t / 2.0),
        (2.0, -2.0 * np.log((4.0 + np.sqrt(16.0 + 4.8)) / 12.0), (2.0 / 3.0) / 5.0, 1.0),
    ),
    "ends beyond": (lambda t: 2.0 - 5.0 * -np.expm1(-t), (2.0, -np.log1p(-0.36), 0.6, 2.5)),
    "is left alone": (lambda t: 0.0 * t, (0.0, np.nan, np.nan, np.nan)),
}


@pytest.mark.parametrize(("after", "wanted"), COURSES.values(), ids=COURSES)
def test_known_courses(after, wanted):
    found = eq.measures.recovery(TIME, course(after), change=10.0)
    assert float(found.baseline) == 5.0
    got = [float(found[name]) for name in ("displacement", "recovery_time", "overshoot", "completeness")]
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)


def test_a_displacement_that_builds_up_counts_from_its_peak():
    found = eq.measures.recovery(TIME, course(lambda t: 4.0 * (np.exp(-t / 10.0) - np.exp(-t))), change=10.0)
    peak = np.log(10.0) / 0.9
    assert float(found.displacement) == pytest.approx(4.0 * (np.exp(-peak / 10.0) - np.exp(-peak)), rel=1e-4)
    assert float(found.recovery_time) > peak


def test_units_are_measured_one_by_one():
    rates = np.stack([course(after) for after, _ in COURSES.values()], axis=1)
    each = eq.measures.recovery(TIME, rates, change=10.0)
    assert each.sizes == {"unit": len(COURSES)}
    for k in range(len(COURSES)):
        alone = eq.measures.recovery(TIME, rates[:, k], change=10.0)
        for name in alone:
            np.testing.assert_array_equal(each[name][k], alone[name])
    assert each.recovery_time.attrs["units"] == "s"


def test_a_silent_baseline_is_overshot_without_end_only_if_it_is_crossed():
    def silent(x):
        return np.concatenate([np.zeros(11), x])

    rises = eq.measures.recovery(TIME, silent(np.exp(-TIME[11:])), change=10.0)
    assert float(rises.overshoot) == 0.0


def test_a_change_between_reports_leaves_the_next_one_behind_it():
    found = eq.measures.recovery([0.0, 1.0, 2.0], [5.0, 9.0, 5.0], change=0.5)
    assert (float(found.baseline), float(found.displacement)) == (5.0, 4.0)


def test_one_report_at_the_change_counts_as_before_it():
    time = np.arange(6.0)
    found = eq.measures.recovery(time, [5.0, 5.0, 5.0, 9.0, 5.0, 5.0], change=2.0)
    assert float(found.displacement) == 4.0
    assert float(found.recovery_time) == pytest.approx(1.9)


COMPLAINTS = {
    "shapes": (
        lambda: eq.measures.recovery([0.0, 1.0], [1.0], change=0.5),
        r"rates must be \(time, unit\) or \(time,\)",
    ),
    "too late": (
        lambda: eq.measures.recovery([0.0, 1.0], [1.0, 2.0], change=1.0),
        "change must lie within time, got 1",
    ),
    "too early": (lambda: eq.measures.recovery([0.0, 1.0], [1.0, 2.0], change=-1.0), "change must lie within time"),
    "backwards": (lambda: eq.measures.recovery([1.0, 0.0], [1.0, 2.0], change=0.5), "time must not go back"),
    "tolerance": (
        lambda: eq.measures.recovery([0.0, 1.0, 2.0], [1.0, 2.0, 1.0], change=0.5, tolerance=0.0),
        "tolerance must be finite and above 0",
    ),
}


@pytest.mark.parametrize(("call", "message"), COMPLAINTS.values(), ids=COMPLAINTS)
def test_what_does_not_fit_is_said(call, message):
    with pytest.raises(ValueError, match=message):
        call()
