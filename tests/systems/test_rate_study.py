"""A circuit of rates from a file to its report."""

import numpy as np
import pytest
from typer.testing import CliRunner

import equipoise as eq
from equipoise import report
from equipoise.cli import app
from equipoise.model.studies import failed
from equipoise.rate.fixed_points import resting
from equipoise.rate.study import is_rate_circuit, study


@pytest.fixture(scope="module")
def circuit():
    return eq.Circuit.example("inhibition_stabilised")


@pytest.fixture(scope="module")
def data(circuit):
    return study(circuit, samples=40)


def test_rests_in_the_inhibition_stabilised_state(circuit, data):
    """E = 5, I = 14 Hz of Soldado-Magraner et al. 2022, between silence and saturation."""
    states = eq.rate.fixed_points(circuit)
    assert [s.status.name for s in states if s.stable] == ["SILENT", "OK", "SATURATED"]
    assert resting(states).rates == pytest.approx([5.0, 14.0], abs=2e-3)
    chosen = data.isel(state=data.attrs["chosen"])
    assert chosen["rate"].values == pytest.approx([5.0, 14.0], abs=2e-3)
    assert chosen["state_isn"]
    assert chosen["paradoxical"].values.tolist() == [False, True]


def test_rules_of_the_file_lead_to_the_set_point_formula(data):
    """E_ss = (h_set - b)/D and the slow eigenvalue D G/tau of reading B."""
    gamma = 4.0 / (1.0 + 4.0 * 1.5357)
    w = 1.0857 * gamma
    D, b = 5.0 - 10.0 * w, 25.0 * w
    assert data["joint_rate"].values[0] == pytest.approx((9.0 - b) / D, rel=1e-6)
    assert data["mode_growth"].values == pytest.approx([D / (1.0 - D) / 7200.0], rel=1e-4)
    assert data["path_rate"].values[-1] == pytest.approx(data["joint_rate"].values, rel=0.01)
    assert failed(data) == []


def test_residuals_vanish_at_the_states(data):
    x, y = data["plane_0"].values, data["plane_1"].values
    at = data["residual"].interp(plane_0=5.0, plane_1=14.0).values
    assert np.abs(at).max() < 0.05 * (x[-1] + y[-1])
    assert (data["residual"].values[0, 0] >= 0.0).all()


def test_page_and_screen_carry_the_numbers(data):
    page = report.rate_html(data)
    assert page.count("<figure>") == 3
    for words in ("inhibition-stabilised", "falls (paradoxical)", "threshold_E", "recovers in 3.85 h", "5.74 Hz"):
        assert words in page


def test_circuits_without_rules_and_with_more_populations():
    neuron = eq.Softplus(gain=1.0, threshold=1.0, width=0.5)
    circuit = eq.Circuit(
        populations=[eq.Population(name, neuron=neuron, drive=2.0) for name in "ABC"],
        projections=[eq.Projection(source="A", target="B", weight=0.3, connectivity=eq.AllToAll())],
    )
    data = study(circuit)
    assert is_rate_circuit(circuit)
    assert "residual" not in data
    assert "variable" not in data.sizes
    assert report.rate_html(data).count("<figure>") == 2
    assert not is_rate_circuit(eq.Circuit.example("brunel_2000"))


def test_a_rule_that_leads_nowhere_is_named(circuit):
    """Reading A is unstable where D < 0; its report says so."""
    wrong = circuit.with_rules([eq.InputCentricThreshold("E", set_point=9.0, reading="A")])
    data = study(wrong, samples=20)
    assert data.sel(part="joint fixed point")["part_status"].item() == "UNSTABLE"
    assert "drive the slow variables away" in report.rate_html(data)


def test_command_line_studies_rates(tmp_path):
    done = CliRunner().invoke(app, ["run", "inhibition_stabilised", "--out", str(tmp_path), "--duration", "10h"])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "inhibition_stabilised.html").exists()
    assert "inhibition-stabilised" in done.output
    refused = CliRunner().invoke(app, ["run", "inhibition_stabilised", "--levels", "spiking", "--out", str(tmp_path)])
    assert refused.exit_code != 0
    assert "circuit of rates" in refused.output
