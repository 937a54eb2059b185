"""One circuit at several levels: they agree where they must, and the reasons name what makes them differ."""

import re

import numpy as np
import pytest
from typer.testing import CliRunner

import equipoise as eq
from equipoise.cli import app
from equipoise.units import Hz, ms, second

LIF = eq.LIF(tau_m=10 * ms, tau_ref=2 * ms)


def inhibited(size=400, neuron=LIF):
    """Small jumps, weak recurrence: white-noise theory must hold but for the grid."""
    few = eq.ErdosRenyi(in_degree=40)
    return eq.Circuit(
        name="inhibited",
        populations=[
            eq.Population("E", size=size, neuron=neuron),
            eq.Population("I", size=size, neuron=neuron),
            eq.Source("X", rate=6 * Hz),
        ],
        projections=[
            eq.Projection(source="X", target="E", weight=0.02, in_degree=1000, delay=0.5 * ms),
            eq.Projection(source="X", target="I", weight=0.02, in_degree=1000, delay=0.5 * ms),
            eq.Projection(source="I", target="E", weight=-0.02, connectivity=few, delay=0.5 * ms),
        ],
    )


@pytest.fixture(scope="module")
def found():
    return eq.compare.levels(inhibited(), levels=eq.compare.LEVELS, seed=3, duration=10 * second)


def test_rates_agree_but_for_the_grid(found):
    theory, spectral, spikes = (found["rate"].sel(level=name).values for name in eq.compare.LEVELS)
    error = found["rate_error"].sel(level="spiking").values
    assert (error > 0.0).all()
    # 400 neurons of one graph: the mean over them errs by SD/sqrt(400). The grid lowers rates by 2 to 2.5 % more.
    graph = found["rate_sd"].sel(level="spiking").values / np.sqrt(400)
    assert (np.abs(spikes - theory) < 3.0 * graph + 0.025 * theory).all()
    assert (np.abs(spikes - spectral) < 3.0 * (graph + error)).all()
    assert spikes[1] < theory[1] - 5.0 * error[1]


def test_spread_irregularity_and_calcium_agree(found):
    theory, spikes = found.sel(level="theory"), found.sel(level="spiking")
    # The mean of 400 cells (SD 0.14) errs by 0.007, and in 10 s slow cells show too little: C_v/n, 0.02 on average.
    assert spikes["cv"].values == pytest.approx(theory["cv"].values, abs=3 * 0.007 + 0.02)
    assert spikes["rate_sd"].values == pytest.approx(theory["rate_sd"].values, rel=0.15)
    lower = spikes["rate"].values / theory["rate"].values
    assert spikes["calcium_mean"].values == pytest.approx(theory["calcium_mean"].values * lower, rel=0.02)
    assert np.isnan(found["calcium_mean"].sel(level="spectral")).all()


def test_reasons_carry_numbers(found):
    text = "\n".join(found.attrs["reasons"])
    assert "time grid of 0.1 ms: -" in text
    assert "largest jumps are 2 % (E), 2 % (I) of the way to threshold" in text
    assert "synchrony: Fano factor of population counts in 1 ms" in text
    assert "colour of recurrent input: C_v changes by" in text
    assert "correlations between cells and the rest" in text


def test_one_level_alone_says_only_what_it_knows():
    data = eq.compare.levels(inhibited(), levels=["theory"], seed=1)
    assert list(data["level"].values) == ["theory"]
    assert len(data.attrs["reasons"]) == 2


def test_other_neurons_have_no_known_shift():
    eif = eq.EIF(tau_m=10 * ms, v_onset=1.0, slope=0.1, v_threshold=2.5, tau_ref=2 * ms)
    data = eq.compare.levels(inhibited(neuron=eif), levels=["theory"], seed=1)
    assert not any("time grid" in reason for reason in data.attrs["reasons"])


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"unknown level 'spikes'\. Did you mean 'spiking'"):
        eq.compare.levels(inhibited(), levels=["spikes"], seed=1)
    with pytest.raises(ValueError, match="duration"):
        eq.compare.levels(inhibited(), seed=1, duration=0.0)
    with pytest.raises(ValueError, match="size"):
        eq.compare.levels(inhibited().infinite(), seed=1)


def test_run_shows_levels_beside_each_other(tmp_path):
    path = tmp_path / "inhibited.toml"
    path.write_text(inhibited().to_toml(), encoding="utf-8")
    result = CliRunner().invoke(
        app, ["run", str(path), "--levels", "spiking", "--spikes", "2 s", "--out", str(tmp_path), "--seed", "3"]
    )
    assert result.exit_code == 0, result.output
    assert "Theory beside spikes" in result.output
    assert "What differs, and why" in result.output
    saved = eq.results.load_dataset(tmp_path / "inhibited_levels.nc")
    assert list(saved["level"].values) == ["theory", "spiking"]
    rate = float(saved["rate"].sel(level="spiking", population="I"))
    assert re.search(rf"I\s+theory .*\n\s+spiking\s+{rate:.1f} ±", result.output)
    page = (tmp_path / "inhibited.html").read_text(encoding="utf-8")
    assert "<h2>Theory beside spikes</h2>" in page
    assert "Figure 4. Theory beside spikes" in page


def test_run_names_an_unknown_level(tmp_path):
    result = CliRunner().invoke(app, ["run", "brunel_2000", "--levels", "theory,spike", "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert "--levels: unknown level 'spike'. Did you mean 'spiking'?" in result.output
