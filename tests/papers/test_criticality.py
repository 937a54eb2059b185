"""The figures of gain and criticality, with fewer avalanches and smaller networks."""

import numpy as np
import pytest

from equipoise.papers.ei_balance import critical_ratio, criticality, gain
from equipoise.papers.framework import Figure, redraw
from equipoise.results import load_dataset, save_dataset
from equipoise.units import second


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Data of each figure, saved and read again."""
    folder = tmp_path_factory.mktemp("criticality")
    small = critical_ratio.Plan(
        unit_g=(0.5, 1.0, 1.35, 1.5, 1.65, 2.0, 3.0), steps=10_000, lif_g=(1.5, 2.5, 5.0), excitatory=400,
        measured=1 * second, stimuli=(1.0, 10.0, 100.0, 1000.0), stimulated=0.1 * second,
    )  # fmt: skip
    data = {
        "criticality": criticality.compute(plan=criticality.Plan(avalanches=200_000, steps=200_000)),
        "critical_ratio": critical_ratio.compute(plan=small),
        "gain": gain.compute(),
    }
    return {name: load_dataset(save_dataset(one, folder / f"{name}.nc")) for name, one in data.items()}


MODULES = {"criticality": criticality, "critical_ratio": critical_ratio, "gain": gain}


@pytest.mark.parametrize("name", ["criticality", "gain"])
def test_claims_come_out_as_expected(made, name):
    found = MODULES[name].claims(made[name])
    assert len(found) >= 5
    assert [c.text for c in found if not c.as_expected] == []


def test_claims_of_the_knob_come_out_as_expected(made):
    """All but those on small, short networks of leaky integrators, whose border is a matter of size."""
    found = critical_ratio.claims(made["critical_ratio"])
    assert [c.text for c in found[:3] if not c.as_expected] == []
    assert found[-1].as_expected
    data = made["critical_ratio"]
    assert data["lif_rate"][0] > 20 * data["lif_rate"][-1]
    assert np.argmax(data["lif_branching_ratio"].values) == 1


def test_a_claim_can_fail(made):
    data = made["criticality"].copy(deep=True)
    data["crackling"][0] = data["crackling"][1]  # chance in the place of the critical process
    data["capped"][2] = 0.2
    failed = {c.text[:9] for c in criticality.claims(data) if not c.as_expected}
    assert failed == {"Crackling", "sigma > 1"}


@pytest.mark.parametrize("name", list(MODULES))
def test_figures_are_drawn_from_saved_data(made, name, tmp_path):
    files = redraw(Figure(name, name, MODULES[name], (9.0, 4.0)), made[name], tmp_path)
    assert all(f.stat().st_size > 10_000 for f in files)


def test_the_onset_of_oscillations_is_where_the_trace_vanishes(made):
    """tr J = (w - 1)/tau_E - (1 + k w)/tau_I = 0."""
    w = float(made["gain"]["hopf"][0])
    assert (w - 1) / gain.TAU == pytest.approx((1 + gain.RATIO * w) / gain.SLOWER, rel=1e-6)


def test_progress_is_told():
    told = []
    criticality.compute(told.append, criticality.Plan(avalanches=1000, steps=1000))
    assert told == sorted(told)
    assert np.isclose(told[-1], 0.8)
