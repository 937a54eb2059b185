"""`equipoise run` on circuits that theory cannot represent: command, tables and page."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

import equipoise as eq
from equipoise import cli, report, results
from equipoise.report import spiking_figures, spiking_tables
from equipoise.report.parts import as_png
from equipoise.units import Hz, ms, mV, nS

WIDE = {"COLUMNS": "100"}
CELL = eq.ConductanceLIF()
AMPA, GABA = eq.ConductanceSynapse(5 * ms, reversal=0 * mV), eq.ConductanceSynapse(10 * ms, reversal=-80 * mV)


def run(*arguments):
    return CliRunner(env=WIDE).invoke(cli.app, ["run", *map(str, arguments)])


def circuit():
    """All that theory does not know at once: conductances that learn and tire, adaptation, and volleys."""
    fixed = eq.FixedInDegree
    learning = eq.InhibitoryPlasticity(8 * Hz, eta=0.05)
    tired = eq.ShortTermPlasticity(0.8, tau_rec=100 * ms)
    onto_e = {"E": (0.25 * nS, AMPA, 40, {"short_term": tired}), "I": (4 * nS, GABA, 10, {"plasticity": learning}),
              "X": (0.25 * nS, AMPA, 450, {}), "V": (1 * nS, AMPA, 20, {})}  # fmt: skip
    onto_i = {"E": (0.25 * nS, AMPA, 40, {}), "I": (8 * nS, GABA, 10, {}), "X": (0.25 * nS, AMPA, 400, {})}
    return eq.Circuit(
        name="All <at> once", description="a & b",
        populations=[
            eq.Population("E", size=200, neuron=CELL, adaptation=eq.Adaptation(0.02 * mV / ms, tau=200 * ms)),
            eq.Population("I", size=50, neuron=CELL),
        ],
        sources=[eq.Source("X", rate=15 * Hz), eq.Volleys("V", times=[0.3, 0.9, 1.5], jitter=1 * ms)],
        projections=[
            eq.Projection(source=s, target=t, weight=w, synapse=kind, connectivity=fixed(k), **more)
            for t, onto in (("E", onto_e), ("I", onto_i))
            for s, (w, kind, k, more) in onto.items()
        ],
    )  # fmt: skip


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The command on it: (result, directory, data)."""
    out = tmp_path_factory.mktemp("spikes")
    (out / "all.toml").write_text(circuit().to_toml())
    result = run(out / "all.toml", "--out", out, "--duration", "2 s", "--seed", 5)
    return result, out, results.load_dataset(out / "all.nc")


def test_the_command_says_why_and_writes_page_and_data(done):
    result, out, data = done
    assert result.exit_code == 0, result.output
    assert sorted(p.name for p in out.iterdir()) == ["all.html", "all.nc", "all.toml"]
    assert "since theory cannot represent it: E -> E has synapses that move with the spikes" in " ".join(
        result.output.split()
    )
    assert data.attrs["refusal"].startswith("E -> E has synapses that move")
    assert (data.attrs["seed"], data.attrs["duration"], data.attrs["settled"]) == (5, 2.0, 1.0)
    assert eq.Circuit.from_toml(data.attrs["circuit"]) == circuit()
    fresh = eq.spiking.study(circuit(), duration=2.0, seed=5).assign_attrs(refusal=data.attrs["refusal"])
    xr.testing.assert_identical(fresh, data)


def test_the_transcript_in_the_documentation_is_what_the_command_prints(tmp_path):
    result = run("conductance_network", "--out", tmp_path, "--no-report")
    assert result.exit_code == 0, result.output
    page = (Path(__file__).parents[2] / "docs" / "running.md").read_text(encoding="utf-8")
    shown = re.search(r"\$ equipoise run conductance_network --out output\n(.*?)\.\.\.\n```", page, re.DOTALL)[1]
    assert len(shown.split()) > 60
    assert result.output.split()[: len(shown.split())] == shown.split()


def test_the_tables_are_the_numbers_of_the_data(done):
    result, _, data = done
    head, rows = spiking_tables.firing_table(data)
    assert [row[0] for row in rows] == ["E", "I"]
    for row, rate in zip(rows, data["rate"].values, strict=True):
        assert float(row[head.index("rate (Hz)")].split()[0]) == pytest.approx(rate, rel=5e-3)
        assert row[head.index("rate (Hz)")].split()[0] in result.output
    head, rows = spiking_tables.balance_table(data)
    shown = {
        name: float(rows[0][head.index(name)].replace("−", "-")) for name in ("g_E (nS)", "τ (ms)", "potential (mV)")
    }
    at_e = data.sel(population="E")
    wanted = [at_e.mean_g_excitatory / nS, at_e.mean_tau / ms, at_e.mean_potential / mV]
    np.testing.assert_allclose(list(shown.values()), wanted, rtol=5e-3)
    assert [row[0] for row in spiking_tables.answer_rows(data)] == ["V (3)", "V (3)"]
    learned = spiking_tables.learned_rows(data)[0]
    assert learned[0] == "I → E"
    assert float(learned[3]) == pytest.approx(float(data["learned_mean"][0, -1]), rel=5e-3)
    kinds = {row[0]: (row[2], row[4]) for row in spiking_tables.projection_rows(data)}
    assert kinds["I → E"] == ("4.00 nS", "learn towards 8 Hz")
    assert kinds["E → E"] == ("0.250 nS", "depress")
    assert kinds["X → I"] == ("0.250 nS", "stay")
    titles = [title for title, _, _ in spiking_tables.tables_of(data)]
    assert titles == ["Firing", "Balance", "Together", "Learned weights", "Answers to volleys", "Projections as given"]


class Reader(HTMLParser):
    """Collects tags and checks that they close in order."""

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_made_from_the_file_alone(done):
    _, out, data = done
    page = (out / "all.html").read_text(encoding="utf-8")
    assert report.spiking_html(data) == page
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    assert reader.seen.count("img") == 8
    assert not {"script", "link", "iframe", "object", "a"} & set(reader.seen)
    words = re.sub(r"base64,[^\"]*|<style>.*?</style>", "", page, flags=re.DOTALL)
    assert "http" not in words
    assert "nan" not in words.lower().split()
    assert "<h1>All &lt;at&gt; once</h1>" in page
    assert "a &amp; b" in page
    assert "All numbers but those over time are of the settled state" in page
    for row in [row for _, _, rows in spiking_tables.tables_of(data) for row in rows]:
        for cell in row:
            assert f"<td>{cell}</td>" in page


def test_only_what_applies_is_drawn(done):
    _, _, data = done
    every = spiking_figures.figures_of(data)
    assert list(every) == ["circuit", "activity", "neurons", "balance", "together", "course", "learned", "answers"]
    assert all(as_png(figure) for figure in every.values())
    lif = eq.LIF(tau_m=20 * ms, v_threshold=20 * mV, v_reset=10 * mV)
    adapting = eq.Population("E", size=20, neuron=lif, drive=1.5 * mV / ms, adaptation=eq.Adaptation(0.01 * mV / ms))
    plain = eq.spiking.study(eq.Circuit(populations=[adapting], projections=[]), duration=0.5, seed=1)
    assert list(spiking_figures.figures_of(plain)) == [
        "circuit",
        "activity",
        "neurons",
        "balance",
        "together",
        "course",
    ]
    assert [t for t, _, _ in spiking_tables.tables_of(plain)] == [
        "Firing",
        "Balance",
        "Together",
        "Projections as given",
    ]
    assert "mean_tau" not in plain
    assert "theory (Hz)" not in spiking_tables.firing_table(plain)[0]
    silent = eq.spiking.study(
        eq.Circuit(populations=[replace(adapting, drive=0.0)], projections=[]), duration=0.3, seed=1
    )
    page = report.spiking_html(silent)
    assert "E did not fire" in page
    assert list(spiking_figures.figures_of(silent)) == ["circuit", "activity", "balance", "course"]


def test_a_stopped_command_goes_on_with_resume(tmp_path, monkeypatch):
    (tmp_path / "all.toml").write_text(circuit().to_toml())
    arguments = (tmp_path / "all.toml", "--out", tmp_path, "--duration", "2 s", "--no-report")
    asked = []
    original = cli.circuits.simulated

    def stopping(bar, task, seconds):
        tell = original(bar, task, seconds)

        def progress(done):
            tell(done)
            asked.append(done)
            if done > 0.5 and len(asked) == asked.index(done) + 1 and not (tmp_path / "all.nc").exists():
                raise KeyboardInterrupt

        return progress

    monkeypatch.setattr(cli.circuits, "simulated", stopping)
    stopped = run(*arguments)
    assert stopped.exit_code == 1, stopped.output
    assert "simulation: interrupted" in stopped.output
    assert (tmp_path / "all.checkpoint.spikes").exists()
    first = len(asked)
    whole = run(*arguments, "--resume")
    assert whole.exit_code == 0, whole.output
    assert asked[first] > 0.3
    assert sorted(p.name for p in tmp_path.iterdir()) == ["all.nc", "all.toml"]
    data = results.load_dataset(tmp_path / "all.nc")
    xr.testing.assert_identical(
        data, eq.spiking.study(circuit(), duration=2.0, seed=1).assign_attrs(refusal=data.attrs["refusal"])
    )


MISTAKES = {
    "levels": (["--levels", "spiking"], r"is one that theory cannot represent: E -> E has synapses"),
    "duration": (["--duration", "0.5 us"], r"duration must be a multiple of bin=1 ms, got 0\.0005 ms"),
    "seed": (["--seed", "-1"], r"seed must be a whole number of at least 0, got -1"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_get_one_message_and_exit_code_2(mistake, tmp_path):
    more, message = MISTAKES[mistake]
    (tmp_path / "all.toml").write_text(circuit().to_toml())
    result = run(tmp_path / "all.toml", "--out", tmp_path / "out", *more)
    assert result.exit_code == 2, result.output
    assert re.search(message, " ".join(result.output.split())), result.output
    assert "Traceback" not in result.output
