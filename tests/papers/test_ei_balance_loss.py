"""Figures of the membrane, of loss of balance and of its read-outs, each once and small."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from equipoise import papers
from equipoise.papers.ei_balance import loss, readouts
from equipoise.papers.framework import redraw
from equipoise.results import load_dataset, save_dataset
from equipoise.units import hour, ms, second

PAPER = papers.find("ei-balance")
NAMES = ("membrane", "loss", "readouts")
PLANS = {
    "loss": loss.Plan(look=1.5 * second, hours=0.2 * hour),
    "readouts": readouts.Plan(look=0.6 * second, trials=2),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Data of all figures, saved and read again."""
    folder, patched = tmp_path_factory.mktemp("ei"), pytest.MonkeyPatch()
    patched.setattr(readouts, "FACTORS", (1.0, 4.0))
    patched.setattr(readouts, "SHORT", (5 * ms, 10 * ms))
    patched.setattr(readouts, "LONG", (50 * ms, 100 * ms))
    out = {}
    for figure in papers.chosen(PAPER, NAMES):
        told = []
        plan = PLANS.get(figure.name)
        found = figure.content.compute(told.append, plan) if plan else figure.content.compute()
        assert told == sorted(told)
        assert not plan or told[-1] == 1.0
        out[figure.name] = load_dataset(save_dataset(found, folder / f"{figure.name}.nc"))
    patched.undo()
    return out


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_is_drawn_and_decides_its_claims(name, data, tmp_path):
    (figure,) = papers.chosen(PAPER, [name])
    claims = figure.content.claims(data[name])
    assert len(claims) >= 5
    assert all(claim.found and isinstance(claim.holds, bool) for claim in claims)
    assert all("nan" not in claim.found for claim in claims)
    for path in redraw(figure, data[name], tmp_path):
        assert path.stat().st_size > 10_000
    assert not plt.get_fignums()


def test_the_claims_about_one_membrane_hold(data):
    (figure,) = papers.chosen(PAPER, ["membrane"])
    assert all(claim.as_expected for claim in figure.content.claims(data["membrane"]))
    assert float(data["membrane"]["tau_of"][1]) == pytest.approx(4 * ms, rel=1e-12)


def test_each_loss_is_seen_at_once(data):
    found = data["loss"].sel(patch=["intact", "reversal"])
    assert found["bursts"].values[0] == 0.0 < found["bursts"].values[1]
    assert found["synchrony"].values[0] < 0.05
    assert found["synchrony"].values[1] > 0.5


def test_homeostasis_moves_weights_the_right_way(data):
    """Of the deafferented patch at once: excitation up and inhibition down."""
    end = data["loss"]["weight"].sel(healed="deafferented").isel(slow=-1)
    assert end.sel(name="J_EE") > 1.002
    assert end.sel(name="J_EI") < 0.99


def test_more_inhibitory_weight_is_more_inhibitory_conductance(data):
    ratio = data["readouts"]["ratio"].values
    assert ratio[1] > 2.0 * ratio[0]
    assert np.all(np.diff(data["readouts"]["theory"].values) > 0)
    assert data["readouts"]["long"].sel(block="intact").values.max() < 0.3
