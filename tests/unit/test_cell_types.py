"""Putative cell types: labels first, widths where they fall into two groups, and otherwise a reason."""

import numpy as np
import pytest
from scipy import stats

from equipoise import measures
from equipoise.results import Recording, SpikeTrains
from equipoise.units import ms


def units(n, types=None):
    silent = SpikeTrains(np.array([]), np.array([], int), n, 0.0, 1.0)
    return Recording(silent, tuple(str(i) for i in range(n)), (), labels={"type": tuple(types)} if types else {})


def two_groups(rng, narrow=40, broad=120):
    return np.concatenate([rng.normal(0.30, 0.05, narrow), rng.normal(0.65, 0.09, broad)]) * ms


def test_two_groups_are_told_apart():
    widths = two_groups(np.random.default_rng(1))
    found = measures.cell_types(units(160), trough_to_peak=widths)
    assert (found.type[:40] == "I").mean() > 0.9
    assert (found.type[40:] == "E").mean() > 0.9
    assert set(found.source.values) <= {"waveform", ""}
    np.testing.assert_allclose(found.attrs["mean"], [0.30 * ms, 0.65 * ms], rtol=0.05)
    np.testing.assert_allclose(found.attrs["share"], 0.25, atol=0.06)
    assert found.attrs["delta_bic"] > 10
    unsure = found.type == ""
    assert ((found.inhibitory[unsure] > 0.1) & (found.inhibitory[unsure] < 0.9)).all()
    assert (found.status[unsure] == "APPROXIMATE").all()


def test_posterior_is_bayes_with_what_was_fitted():
    found = measures.cell_types(units(160), trough_to_peak=two_groups(np.random.default_rng(2)))
    (m, n), (s, t), share = found.attrs["mean"], found.attrs["sd"], found.attrs["share"]
    inner = ((found.trough_to_peak > m) & (found.trough_to_peak < n)).values
    x = found.trough_to_peak.values[inner]
    first, second = share * stats.norm(m, s).pdf(x), (1 - share) * stats.norm(n, t).pdf(x)
    np.testing.assert_allclose(found.inhibitory.values[inner], first / (first + second), rtol=1e-9)


def test_wider_is_never_more_inhibitory():
    """The tails of the wider law must not take over beyond the means."""
    widths = np.concatenate([two_groups(np.random.default_rng(3)), [0.01 * ms, 3 * ms]])
    found = measures.cell_types(units(162), trough_to_peak=widths)
    order = np.argsort(widths)
    assert (np.diff(found.inhibitory.values[order]) <= 1e-12).all()
    assert list(found.type.values[-2:]) == ["I", "E"]


def test_one_group_is_left_alone():
    """Of 40 sets of 60 widths of one normal law at most 2 are split (delta_bic of 10)."""
    rng = np.random.default_rng(4)
    split = 0
    for _ in range(40):
        found = measures.cell_types(units(60), trough_to_peak=rng.normal(0.5, 0.1, 60) * ms)
        split += bool((found.type != "").any())
        if not split:
            assert set(found.status.values) == {"INFEASIBLE"}
            assert set(found.reason.values) == {"the widths do not fall into two groups"}
    assert split <= 2


def test_labels_come_first_and_missing_widths_are_said():
    widths = two_groups(np.random.default_rng(5))
    widths[[0, 1]] = np.nan
    types = ["E", *159 * [""]]
    found = measures.cell_types(units(160, types), trough_to_peak=widths)
    assert (found.type.values[0], found.source.values[0], found.status.values[0]) == ("E", "label", "OK")
    assert (found.type.values[1], found.status.values[1]) == ("", "INSUFFICIENT_DATA")
    assert found.reason.values[1] == "no label and no width of the spike"
    nothing = measures.cell_types(units(3, ["E", "", "I"]))
    assert list(nothing.type.values) == ["E", "", "I"]
    assert list(nothing.status.values) == ["OK", "INSUFFICIENT_DATA", "OK"]
    few = measures.cell_types(units(10), trough_to_peak=np.linspace(0.2, 0.8, 10) * ms)
    assert set(few.reason.values) == {"fewer than 20 different widths"}
    assert set(few.status.values) == {"INSUFFICIENT_DATA"}


def test_bad_input_is_named():
    with pytest.raises(TypeError, match=r"recording must be a Recording, got list"):
        measures.cell_types([])
    with pytest.raises(ValueError, match=r"trough_to_peak must be one of each of 3 units, got \(2,\)"):
        measures.cell_types(units(3), trough_to_peak=[0.3 * ms, 0.4 * ms])
    with pytest.raises(
        ValueError, match=r"trough_to_peak must be in seconds, got a median of 0.4 s.*trough_to_peak \* ms"
    ):
        measures.cell_types(units(3), trough_to_peak=[0.3, 0.4, 0.5])
    with pytest.raises(ValueError, match=r"certainty .* must lie in \[0\.5, 0\.999999\], got 90"):
        measures.cell_types(units(3), certainty=90)
