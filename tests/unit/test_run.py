"""`equipoise run`: what a study computes, how it is told, and the command that makes it."""

import re
from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from typer.testing import CliRunner

import equipoise as eq
from equipoise import cli, plotting, report, results
from equipoise.plotting import circuits, schematic
from equipoise.report import circuit_tables, tables
from equipoise.report.circuit_figures import figures_of
from equipoise.report.parts import as_png
from equipoise.units import Hz, hour, ms

LIF = eq.LIF(tau_m=10 * ms, tau_ref=2 * ms)
WIDE = {"COLUMNS": "100"}
SHIPPED = ["balanced_network", "brunel_2000", "microcircuit"]


def run(*arguments):
    return CliRunner(env=WIDE).invoke(cli.app, ["run", *map(str, arguments)])


@pytest.fixture(scope="module")
def homeostasis(tmp_path_factory):
    """The shipped circuit with rules, by the command: (result, directory, data)."""
    out = tmp_path_factory.mktemp("run")
    result = run("balanced_homeostasis", "--out", out)
    return result, out, results.load_dataset(out / "balanced_homeostasis.nc")


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    """The other shipped circuits, by the command: {name: (result, data)}."""
    out = tmp_path_factory.mktemp("shipped")
    return {name: (run(name, "--out", out), results.load_dataset(out / f"{name}.nc")) for name in SHIPPED}


@pytest.fixture(scope="module")
def data(homeostasis):
    return homeostasis[2]


# What is computed ----------------------------------------------------------------------------------------------------


def test_homeostasis_finds_the_balanced_rates_where_the_free_network_misses_them(data):
    off = np.abs(data["rate"] / data["limit_rate"] - 1.0).max("population")
    assert float(off.sel(condition="as given")) > 0.25
    assert float(off.sel(condition="regulated")) < 0.005
    np.testing.assert_allclose(data["limit_rate"], 10.0, rtol=1e-6)


def test_a_study_holds_what_the_single_verbs_give(data):
    circuit = eq.Circuit.example("balanced_homeostasis")
    free, held = eq.theory.mean_field(circuit), eq.theory.network_equilibrium(circuit)
    np.testing.assert_allclose(data["rate"].values, [free.rates, held.state.rates], rtol=1e-9)
    np.testing.assert_allclose(data["state_rate"].values, [free.rates], rtol=1e-7)
    np.testing.assert_allclose(
        np.abs(data["weight"].sel(condition="regulated")).values.ravel(), held.weights, rtol=1e-9
    )
    np.testing.assert_array_equal(data["weight"].sel(condition="as given"), circuit.weights())
    fast = np.sort(held.spectrum.recovery_times)
    np.testing.assert_allclose(np.sort(data["recovery_time"].values), fast, rtol=1e-6)
    law = eq.theory.rate_distribution(circuit, free, "E")
    np.testing.assert_allclose(data["quantile"].isel(condition=0, population=0), law["quantile"], rtol=1e-9)


def test_set_points_of_the_shipped_circuit_are_those_of_the_balanced_limit():
    circuit, balanced = eq.Circuit.example("balanced_homeostasis"), eq.Circuit.example("balanced_network")
    np.testing.assert_allclose(circuit.weights() / 0.6, balanced.scaled(400).weights(), rtol=1e-12)
    for name, wanted in eq.theory.network_set_points(balanced, eq.Calcium(buffering=0.1)).items():
        target = circuit.rule_of(name).rule.target
        np.testing.assert_allclose([target.mean, target.second_moment], [wanted.mean, wanted.second_moment], rtol=1e-7)


def test_the_path_ends_at_the_fixed_point_and_keeps_what_is_conserved(data):
    assert data["slow_variable"].values.tolist() == data["path_name"].values.tolist()
    start, end, fixed = data["path_weight"][:, 0], data["path_weight"][:, -1], data["fixed_weight"].values
    left = np.abs(end.values - fixed) / np.abs(start.values - fixed)
    assert left.max() < 2.0 * np.exp(-5.0)  # five of the slowest recovery times
    weight = {str(n): data["path_weight"].sel(path_name=n).values for n in data["path_name"].values}
    for post in "EI":
        ratio = weight[f"J_{post}X"] / weight[f"J_{post}E"]
        np.testing.assert_allclose(ratio, ratio[0], rtol=1e-6)
    assert data["conserved"].values.tolist() == ["log J_EX − log J_EE", "log J_IX − log J_IE"] or set(
        data["conserved"].values.tolist()
    ) <= {f"log J_{p}{a} − log J_{p}{b}" for p in "EI" for a, b in ("XE", "EX")}
    assert int((~np.isfinite(data["recovery_time"])).sum()) == data.sizes["quantity"] == 2


def test_calcium_reaches_its_set_points(data):
    """Mean calcium starts above its set point in E, and both moments end at it, as the weights do."""
    calcium = data["path_calcium"]
    assert float(calcium.isel(time=0).sel(population="E", moment="mean")) > 1.1
    np.testing.assert_allclose(calcium.isel(time=-1).values, 1.0, atol=1e-3)


def test_inputs_add_up_and_nearly_cancel_in_balance(data):
    np.testing.assert_allclose(data["input"].sum("pre").values, data["mu"].values, rtol=1e-9)
    net = np.abs(data["mu"]) / data["input"].where(data["input"] > 0).sum("pre").values
    assert (net.values < 0.2).all()


def test_densities_are_normalised_and_the_sample_is_drawn_from_them(data):
    """300 neurons: the mean rate of the sample has a standard error of SD/sqrt(300); 4 of them are allowed."""
    for c in range(2):
        for a in range(2):
            part = data.isel(condition=c, population=a)
            total = np.trapezoid(part["density"], np.log(part["density_rate"]))
            np.testing.assert_allclose(total, 1.0, atol=2e-3)
            error = float(part["rate_sd"]) / np.sqrt(data.sizes["neuron"])
            assert abs(float(part["neuron_rate"].mean()) - float(part["rate"])) < 4 * error
    assert (np.diff(data["quantile"].values) > 0).all()


def test_a_study_carries_its_circuit_and_a_digest_of_it(data):
    circuit = eq.Circuit.example("balanced_homeostasis")
    assert eq.Circuit.from_toml(data.attrs["circuit"]) == circuit
    assert data.attrs["equipoise_version"] == eq.__version__
    plain = eq.theory.study(replace(circuit, rules=()))
    assert len(plain.attrs["digest"]) == 64
    assert plain.attrs["digest"] != data.attrs["digest"]
    assert plain["condition"].values.tolist() == ["as given"]
    assert "path_rate" not in plain
    np.testing.assert_array_equal(plain["rate"].isel(condition=0), data["rate"].isel(condition=0))


def test_several_states_are_all_told():
    """Strong recurrent excitation: a silent, an unstable and a saturated state (f(mu) = r has three solutions)."""
    circuit = eq.Circuit(
        populations=[eq.Population("E", neuron=LIF), eq.Source("X", rate=10 * Hz)],
        projections=[
            eq.Projection(source="X", target="E", weight=0.02, in_degree=250),
            eq.Projection(source="E", target="E", weight=0.02, in_degree=400),
        ],
    )
    study = eq.theory.study(circuit)
    assert study["state_stable"].values.tolist() == [True, False, True]
    assert circuit_tables.state_words(study).startswith("3 fixed points found, 2 stable: < 0.001 Hz; ")


def test_what_cannot_be_reached_is_said_and_the_rest_is_kept(tmp_path):
    """No spike train has calcium without variance, so that these set points have no fixed point."""
    circuit = eq.Circuit.example("balanced_homeostasis")
    target = eq.CalciumSetPoint(mean=2.0, second_moment=4.001)
    rule = eq.CalciumHomeostasis(eq.Calcium(buffering=0.1), target)
    path = tmp_path / "impossible.toml"
    path.write_text(replace(circuit, rules=[eq.AttachedRule(n, rule) for n in "EI"]).to_toml())
    result = run(path, "--out", tmp_path, "--duration", "1 h")
    assert result.exit_code == 1, result.output
    assert "homeostatic fixed point, not found" in result.output
    page = (tmp_path / "impossible.html").read_text()
    assert "What to know" in page
    assert "12.8 Hz" in page
    data = results.load_dataset(tmp_path / "impossible.nc")
    assert "homeostatic fixed point" in eq.theory.failed(data)
    why = str(data["part_message"].sel(part="homeostatic fixed point").item())
    assert len(why) > 40
    assert escape(why) in page


def test_rules_that_are_not_treated_are_named_and_the_network_is_solved_all_the_same(tmp_path):
    circuit = eq.Circuit.example("balanced_homeostasis")
    path = tmp_path / "rate.toml"
    path.write_text(replace(circuit, rules=[eq.AttachedRule("E", eq.RateHomeostasis())]).to_toml())
    result = run(path, "--out", tmp_path, "--no-report")
    assert result.exit_code == 0, result.output
    assert "homeostatic fixed point, not treated" in result.output
    assert "RateHomeostasis" in result.output
    assert sorted(p.name for p in tmp_path.iterdir()) == ["rate.nc", "rate.toml"]


def test_study_refuses_what_it_cannot_mean():
    circuit = eq.Circuit.example("brunel_2000")
    with pytest.raises(TypeError, match=r"study: circuit must be an eq\.Circuit, got 'brunel_2000'"):
        eq.theory.study("brunel_2000")
    with pytest.raises(ValueError, match=r"study: duration must be finite and above 0, got -1"):
        eq.theory.study(circuit, duration=-1.0)
    with pytest.raises(ValueError, match=r"study: samples must be a whole number of at least 3, got 1"):
        eq.theory.study(circuit, samples=1)
    with pytest.raises(ValueError, match=r"study: neurons must be a whole number of at least 1, got 0\.5"):
        eq.theory.study(circuit, neurons=0.5)


# How it is told ------------------------------------------------------------------------------------------------------


class Reader(HTMLParser):
    """Collects tags and checks that they close in order."""

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_self_contained_well_formed_and_made_from_the_file_alone(homeostasis):
    _, out, data = homeostasis
    page = (out / "balanced_homeostasis.html").read_text(encoding="utf-8")
    assert report.circuit_html(data) == page
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    assert not {"script", "link", "iframe", "object", "a"} & {tag for tag, _ in reader.seen}
    images = [attrs for tag, attrs in reader.seen if tag == "img"]
    assert len(images) == 5
    assert all(a["alt"] and a["src"].startswith("data:image/png;base64,") for a in images)
    words = re.sub(r"base64,[^\"]*|<style>.*?</style>", "", page, flags=re.DOTALL)
    assert "http" not in words
    assert "nan" not in words.lower().split()
    assert data.attrs["digest"][:16] in words


def test_names_are_escaped():
    circuit = replace(eq.Circuit.example("brunel_2000"), name="<b> [red] $x$", description="a & b")
    study = eq.theory.study(circuit)
    page = report.circuit_html(study)
    assert "<h1>&lt;b&gt; [red] $x$</h1>" in page
    assert "a &amp; b" in page


def test_the_transcript_in_the_documentation_is_what_the_command_prints(homeostasis):
    result, out, _ = homeostasis
    page = (Path(__file__).parents[2] / "docs" / "running.md").read_text(encoding="utf-8")
    shown = re.search(r"\$ equipoise run balanced_homeostasis --out output\n(.*?)```", page, re.DOTALL)[1]
    assert shown.split() == result.output.replace(str(out), "output").split()


def test_tables_agree_with_the_data(data):
    rows = circuit_tables.state_rows(data)
    assert [row[:2] for row in rows] == [["as given", "E"], ["as given", "I"], ["regulated", "E"], ["regulated", "I"]]
    assert rows[0][2:4] == ["12.8", "+27.9"]
    weights = circuit_tables.weight_rows(data)
    assert weights[1][:3] == ["I → E", "400", "−0.0600"]
    np.testing.assert_allclose(
        [float(row[-1]) for row in weights],
        100 * (data["weight"][1] / data["weight"][0] - 1.0).values.ravel(),
        atol=0.051,
    )
    assert len(circuit_tables.mode_rows(data)) == 3  # two zero modes, and one of a complex pair, are left out
    assert circuit_tables.remarks(data) == []


def test_numbers_on_the_edge_of_a_digit():
    assert tables.number(9.9999999) == "10.0"
    assert tables.number(0.99999) == "1.00"
    assert circuit_tables.rate_text(1e-9) == "< 0.001"
    assert circuit_tables.rate_text(0.0) == "0"


def test_times_are_told_in_the_unit_that_suits_them():
    told = {13.2: "13.2 s", 600.0: "10 min", 3.5 * hour: "3.5 h", 48 * hour: "2 days"}
    assert [circuits.duration_text(t) for t in told] == list(told.values())


def test_colours_follow_what_a_population_does(data, shipped):
    looks = schematic.node_looks(data)
    assert {name: look["linestyle"] == "-" for name, look in looks.items()} == {"E": True, "I": False, "X": True}
    assert looks["E"]["color"] == to_rgb(plotting.EXCITATION)
    assert looks["I"]["color"] == to_rgb(plotting.INHIBITION)
    many = schematic.node_looks(shipped["microcircuit"][1])
    assert len({look["color"] for look in many.values()}) == 9
    for name, look in many.items():
        red, _, blue = look["color"]
        assert (blue > red) == name.endswith("I")


@pytest.mark.parametrize("n", [1, 3, 5])
def test_circuits_of_any_size_are_drawn_without_changing_the_global_style(n):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    populations = [eq.Population(f"P{k}", neuron=LIF) for k in range(n)]
    projections = [
        eq.Projection(source=f"P{b}", target=f"P{a}", weight=-0.02 if b else 0.02, in_degree=50)
        for a in range(n)
        for b in range(n)
    ]
    projections += [eq.Projection(source="X", target=f"P{a}", weight=0.02, in_degree=600) for a in range(n)]
    study = eq.theory.study(
        eq.Circuit(populations=[*populations, eq.Source("X", rate=10 * Hz)], projections=projections)
    )
    with plotting.style():
        drawn = figures_of(study)
        assert list(drawn) == ["circuit", "state", "neurons"]
        assert all(as_png(figure) for figure in drawn.values())
    assert len(drawn["circuit"].axes) == (2 if n <= 4 else 1)
    assert dict(mpl.rcParams) == before


# The command ---------------------------------------------------------------------------------------------------------


def test_the_command_writes_page_and_data(homeostasis):
    result, out, _ = homeostasis
    assert result.exit_code == 0, result.output
    assert sorted(p.name for p in out.iterdir()) == ["balanced_homeostasis.html", "balanced_homeostasis.nc"]


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_circuit_is_solved(name, shipped):
    result, data = shipped[name]
    assert result.exit_code == 0, result.output
    circuit = eq.Circuit.example(name)
    state = eq.theory.mean_field(circuit)
    for population, rate in zip(circuit.populations, state.rates, strict=True):
        assert re.search(rf"^{population.name} +{re.escape(tables.number(rate))} ", result.output, re.MULTILINE)
    np.testing.assert_allclose(data["rate"].isel(condition=0), state.rates, rtol=1e-9)
    assert max(map(len, result.output.splitlines()[:12])) <= 100


def test_duration_and_seed_reach_the_study(tmp_path):
    text = eq.Circuit.example("balanced_homeostasis").to_toml()
    (tmp_path / "mine.toml").write_text(text)
    result = run(tmp_path / "mine.toml", "--out", tmp_path, "--duration", "90 min", "--seed", 7, "--no-report")
    assert result.exit_code == 0, result.output
    data = results.load_dataset(tmp_path / "mine.nc")
    np.testing.assert_allclose(data["time"].values[[0, -1]], [0.0, 1.5 * hour])
    assert data.attrs["seed"] == 7
    assert "Report:" not in result.output


MISTAKES = {
    "no file": (["nothing.toml"], r"no file 'nothing\.toml', and no shipped circuit of that name\. Known: balanced_ho"),
    "misspelt": (["microcircut"], r"Did you mean 'microcircuit'"),
    "directory": (["."], r"CIRCUIT must be a \.toml file or the name of a shipped circuit, got the directory"),
    "duration": (["brunel_2000", "--duration", "2 parsec"], r"unknown unit 'parsec'"),
    "no time": (["brunel_2000", "--duration", "0"], r"duration must be finite and above 0, got 0"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_get_one_message_and_exit_code_2(mistake, tmp_path):
    arguments, message = MISTAKES[mistake]
    result = run(*arguments, "--out", tmp_path / "out")
    assert result.exit_code == 2
    said = re.sub(r"[│╭╮╰╯─\s]+", " ", result.output)
    assert re.search(message, said), said
    assert "Traceback" not in result.output


FILES = {
    "not TOML": (b"name = \n", r"not TOML: Invalid value \(at line 1"),
    "not text": (b"\xff\xfe\x00", r"must be text in UTF-8"),
    "located": (None, r"projections\[0\]\.weight: must be a potential .*got 'heavy'"),
}


@pytest.mark.parametrize("kind", FILES)
def test_errors_of_a_file_are_located(kind, tmp_path):
    content, message = FILES[kind]
    path = tmp_path / "bad.toml"
    text = eq.Circuit.example("brunel_2000").to_toml()
    path.write_bytes(content or re.sub(r"weight = .*", 'weight = "heavy"', text, count=1).encode())
    result = run(path, "--out", tmp_path / "out")
    assert result.exit_code == 2
    said = " ".join(result.output.split())
    assert said.startswith(f"equipoise: {path}")
    assert re.search(message, said), said
    assert not (tmp_path / "out").exists()


def test_an_output_that_cannot_be_written_is_refused_before_the_work(tmp_path):
    (tmp_path / "file").write_text("")
    result = run("brunel_2000", "--out", tmp_path / "file")
    assert result.exit_code == 2
    assert "--out must be a directory that can be written to, got" in result.output


def test_an_interruption_leaves_nothing_half_written(tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("equipoise.report.circuit_page.page", stop)
    assert run("brunel_2000", "--out", tmp_path).exit_code != 0
    assert [p.name for p in tmp_path.iterdir()] == ["brunel_2000.nc"]
    assert results.load_dataset(tmp_path / "brunel_2000.nc").attrs["title"] == "Brunel 2000, model A"


def test_the_demo_ends_with_homeostasis_and_names_both_reports(tmp_path, monkeypatch):
    called = []

    def noted(name, answer):
        return lambda *arguments, **_: called.append((name, *arguments[:1])) or answer

    monkeypatch.setattr(cli, "analyze_to", noted("analyze", tmp_path / "recording.html"))
    monkeypatch.setattr(cli, "reproduce_to", noted("reproduce", True))
    monkeypatch.setattr(cli, "run_to", noted("run", (tmp_path / "network.html", True)))
    result = CliRunner().invoke(cli.app, ["demo", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert [name for name, *_ in called] == ["analyze", "reproduce", "run"]
    assert called[-1] == ("run", "balanced_homeostasis")
    said = result.output.split("\n")[-3:-1]
    assert [line.split()[-1] for line in said] == [str(tmp_path / f"{n}.html") for n in ("recording", "network")]
