"""The report: self-contained page, whole files, tables in words, and the command that makes them."""

import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from typer.testing import CliRunner

from equipoise import cli, plotting, recordings, report, results
from equipoise.inference import Analysis, AnalysisSettings, analyze, cells
from equipoise.report import figures, tables
from equipoise.report.parts import as_png
from equipoise.results import Epoch, Recording, SpikeTrains

QUICK = AnalysisSettings(surrogates=20)
VOID = {"meta", "img", "br", "hr", "link", "input"}


def small(n_units=3, epochs=("calm", "busy")):
    """A few gamma units and a silent one, in two epochs of 30 s; one name needs escaping."""
    rng = np.random.default_rng(0)
    trains = [np.cumsum(rng.gamma(2.0, 0.05, 500)) for _ in range(n_units - 1)]
    times, units = np.concatenate(trains), np.repeat(np.arange(n_units - 1), 500)
    keep = times < 60.0
    order = np.argsort(times[keep], kind="stable")
    spikes = SpikeTrains(times[keep][order], units[keep][order], n_units, 0.0, 60.0)
    names = ("a<b", *(f"u{i}" for i in range(1, n_units)))
    parts = tuple(Epoch(name, 30.0 * i, 30.0 * (i + 1)) for i, name in enumerate(epochs))
    return Recording(spikes, names, parts, "small.npz", {"type": ("E", *(n_units - 1) * ("I",))})


@pytest.fixture(scope="module")
def analysed():
    recording = small()
    return recording, analyze(recording, QUICK, topics=["cells"])["cells"]


@pytest.fixture(scope="module")
def page(analysed):
    recording, _ = analysed
    return report.html(analyze(recording, QUICK, topics=["cells"]), recording, QUICK)


class Reader(HTMLParser):
    """Collects tags and checks that they close in order."""

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_self_contained_and_well_formed(page):
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in reader.seen}
    for tag, attrs in reader.seen:
        assert not {"onclick", "onload", "srcset"} & set(attrs)
        for key in ("src", "href"):
            assert attrs.get(key, "data:image/png;base64,").startswith("data:image/png;base64,"), tag
    assert "url(" not in page
    assert "@import" not in page
    images = [attrs for tag, attrs in reader.seen if tag == "img"]
    assert len(images) == 6
    assert all(attrs["alt"] for attrs in images)


def test_the_page_escapes_names_and_shows_every_unit_flag_and_parameter(analysed, page):
    _, dataset = analysed
    assert "a<b" not in page
    assert "a&lt;b" in page
    for _, _, kind, reason in tables.flags(dataset):
        assert kind in page
        assert reason.replace(">", "&gt;").replace("<", "&lt;") in page
    for name, value, _ in QUICK.table():
        assert name in page
        assert value in page
    assert dataset.attrs["digest"][:16] in page
    assert "nan" not in re.sub(r"base64,[^\"]*|<style>.*?</style>", "", page, flags=re.DOTALL).lower().split()


def test_flags_name_epoch_unit_and_reason(analysed):
    _, dataset = analysed
    found = tables.flags(dataset)
    assert ("calm", "u2", "too few spikes", "0 intervals; 10 are needed") in found
    assert sum(tables.counts(dataset.isel(epoch=0)).values()) == 3


def test_numbers_as_text():
    numbers = {0.0: "0", 1234.5: "1,234", 12.345: "12.3", 0.012345: "0.0123", -2.0: "−2.00", np.nan: "–", np.inf: "–"}
    for value, text in numbers.items():
        assert tables.number(value) == text
    assert tables.percent(-0.0123) == "−1.2"
    assert tables.percent(np.nan) == "–"


def test_the_screen_table_names_everything(analysed):
    from rich.console import Console

    _, dataset = analysed
    screen = io.StringIO()
    Console(width=100, file=screen).print(tables.render_table(dataset))
    text = screen.getvalue()
    for words in ("calm, 30 s", "busy, 30 s", "a<b", "Flagged", "0 intervals; 10 are needed"):
        assert words in text
    assert max(len(line) for line in text.splitlines()) <= 100


def test_netcdf_brings_back_the_same_dataset(analysed, tmp_path):
    _, dataset = analysed
    path = results.save_dataset(dataset, tmp_path / "deep" / "a.nc")
    back = results.load_dataset(path)
    for name in dataset.variables:
        np.testing.assert_array_equal(back[name].values, dataset[name].values)
        assert back[name].attrs == dataset[name].attrs
    assert back.attrs == dataset.attrs
    assert set(back.attrs) >= {"settings", "equipoise_version", "digest"}


def test_a_page_can_be_made_again_from_the_file(analysed, tmp_path, page):
    recording, _ = analysed
    back = Analysis.load(analyze(recording, QUICK, topics=["cells"]).save(tmp_path / "a.nc"))
    assert report.html(back, recording, QUICK) == page


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail(place):
        place.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        results.write_whole(path, fail)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    results.write_whole(path, lambda place: place.write_text("new"))
    assert path.read_text() == "new"


def test_an_excerpt_counts_every_spike_of_its_window():
    part = figures.excerpt(recordings.example(), Epoch("wake", 600.0, 1200.0))
    assert part.window == (890.0, 910.0)
    n = sum(t.size for t in part.trains)
    np.testing.assert_allclose(np.sum(part.rate * np.diff(part.edges)) * 15, n)


@pytest.mark.parametrize("epochs", [("all",), ("a", "b", "c")])
def test_figures_draw_any_number_of_epochs_without_changing_global_style(epochs):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    rng = np.random.default_rng(1)
    times = np.sort(rng.uniform(0, 20.0 * len(epochs), 900))
    spikes = SpikeTrains(times, rng.integers(0, 45, 900), 45, 0.0, 20.0 * len(epochs))
    parts = tuple(Epoch(name, 20.0 * i, 20.0 * (i + 1)) for i, name in enumerate(epochs))
    recording = Recording(spikes, tuple(f"unit {i}" for i in range(45)), parts)
    dataset = cells(recording, QUICK)
    with plotting.style():
        drawn = [figures.raster_figure(recording, dataset), figures.calcium_figure(dataset, "mean")]
        drawn += [
            figures.weight_figure(dataset),
            figures.rate_figure(dataset),
            figures.operating_figure(dataset, QUICK),
        ]
        assert all(as_png(f) for f in drawn)
    assert dict(mpl.rcParams) == before
    assert len(drawn[0].axes) == 2 * len(epochs)


# The command ---------------------------------------------------------------------------------------------------------


def run(*arguments):
    return CliRunner().invoke(cli.app, ["analyze", *map(str, arguments)])


@pytest.fixture
def table(tmp_path):
    times = np.cumsum(np.random.default_rng(2).gamma(2.0, 0.05, 300))
    path = tmp_path / "cells.csv"
    path.write_text("time,unit\n" + "\n".join(f"{t:.5f},n{i % 2}" for i, t in enumerate(times)))
    return path


def test_the_command_writes_page_and_data(table, tmp_path):
    result = run(table, "--out", tmp_path / "out", "--surrogates", 20, "--epoch", "first:0:15", "--t-stop", "40 s")
    assert result.exit_code == 0, result.output
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["cells.html", "cells.nc"]
    assert "cells.html" in result.output
    dataset = Analysis.load(tmp_path / "out" / "cells.nc")["cells"]
    assert list(dataset.epoch.values) == ["first"]
    assert list(dataset.unit.values) == ["n0", "n1"]


def test_options_reach_the_analysis(table, tmp_path):
    options = (
        "--surrogates 20 --tau-m 0.03s --v-threshold 15 --tau-ca 500ms --rate-e 8 --rate-i 4Hz --in-degrees 50,500"
    )
    result = run(table, "--out", tmp_path, "--irregularity", "global", *options.split())
    assert result.exit_code == 0, result.output
    dataset = Analysis.load(tmp_path / "cells.nc")["cells"]
    assert "tau_m=0.03" in dataset.attrs["neuron"]
    assert "v_threshold=0.015" in dataset.attrs["neuron"]
    assert '"500 ms"' in dataset.attrs["settings"]
    assert (dataset.input_rate_e, dataset.input_rate_i) == (8.0, 4.0)
    assert list(dataset["k"].values) == [50, 500]
    np.testing.assert_array_equal(dataset.irregularity, dataset["cv"])


def test_names_are_shown_letter_by_letter(tmp_path):
    """Brackets are markup for rich, dollars are formulas for matplotlib, < is a tag in HTML."""
    names = ["[/red] 1", "[bold]2", r"$\frac$", "<b>"]
    times = np.cumsum(np.random.default_rng(3).gamma(2.0, 0.05, 200))
    path = tmp_path / "named.csv"
    path.write_text("time,unit,type\n" + "\n".join(f"{t:.5f},{names[i % 4]},$t{i % 4}$" for i, t in enumerate(times)))
    result = run(path, "--out", tmp_path, "--surrogates", 20, "--epoch", "$[/b]\\x$:0:15")
    assert result.exit_code == 0, result.output
    assert all(name in result.output for name in names)
    assert r"$[/b]\x$" in result.output
    assert "<b>  $t3$" not in (tmp_path / "named.html").read_text()


def test_options_of_the_file_reach_the_loader(tmp_path):
    path = tmp_path / "ticks.csv"
    ticks = np.cumsum(np.random.default_rng(3).integers(200, 4000, 200)) - 10_000
    path.write_text("time,unit\n" + "\n".join(f"{t},a" for t in ticks))
    options = "--time-unit 1/20000 --t-start -1 --t-stop 30 --unit a --unit silent --surrogates 20"
    assert run(path, "--out", tmp_path, *options.split()).exit_code == 0
    dataset = Analysis.load(tmp_path / "ticks.nc")["cells"]
    assert dataset.n_spikes.values.tolist() == [[200, 0]]
    assert (float(dataset.start[0]), float(dataset.stop[0])) == (-1.0, 30.0)
    slow = tmp_path / "slow.csv"
    slow.write_text("time,unit\n" + "\n".join(f"{2 * t},a" for t in range(200)))
    assert run(slow, "--out", tmp_path).exit_code == 2
    assert run(slow, "--out", tmp_path, "--surrogates", 20, "--no-check-units").exit_code == 0


@pytest.mark.parametrize("command", [
    ["analyze", "example"], ["demo"], ["reproduce", "calcium-homeostasis"],
    ["predict", "balanced_network", "--manipulation", "optical"],
])  # fmt: skip
def test_an_output_that_cannot_be_written_is_refused_before_the_work(command, tmp_path):
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(cli.app, [*command, "--out", str(tmp_path / "file")])
    assert result.exit_code == 2
    assert "--out must be a directory that can be written to, got" in result.output


def test_spikes_that_coincide_are_said_to(tmp_path):
    path = tmp_path / "twice.csv"
    path.write_text("time,unit\n" + "\n".join(f"{t / 10},a\n{t / 10},a" for t in range(1, 200)))
    result = run(path, "--out", tmp_path, "--surrogates", 20)
    assert result.exit_code == 0
    assert "spikes coincide" in result.output


MISTAKES = {
    "no file": (["nothing.npz"], "nothing.npz does not exist"),
    "unit": (["example", "--tau-m", "20 mV"], r"unknown unit 'mV'"),
    "number": (["example", "--tau-m", "fast"], "must be a number with a unit such as '20 ms'"),
    "range": (["example", "--tau-m", "20 s"], r"LIF\.tau_m \(membrane time constant\) must lie in \[0\.1, 1000\] ms"),
    "choice": (["example", "--irregularity", "globl"], "Did you mean 'global'"),
    "epoch": (["example", "--epoch", "sleep"], "NAME:START:STOP"),
    "example's epoch": (["example", "--epoch", "x:0:5000"], r"epoch 'x' must lie in \[0, 1200\] s"),
    "tick": (["example", "--time-unit", "1/0"], r"--time-unit must be a name or the seconds per tick"),
    "in-degrees": (["example", "--in-degrees", "a,b"], "must be whole numbers with commas"),
    "reset": (["example", "--v-reset", "30"], r"v_reset \(reset potential\) must lie below v_threshold"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_get_one_message_and_exit_code_2(mistake, tmp_path):
    arguments, message = MISTAKES[mistake]
    result = run(*arguments, "--out", tmp_path / "out")
    assert result.exit_code == 2
    said = re.sub(r"[│╭╮╰╯─\s]+", " ", result.output)
    assert re.search(message, said), said
    assert "Traceback" not in result.output
    assert not (tmp_path / "out").exists()


def test_debug_shows_where_an_error_came_from():
    assert isinstance(run("nothing.npz", "--debug").exception, FileNotFoundError)


def test_quantities_with_and_without_units():
    for text, value in {
        "20ms": 0.02,
        "20 ms": 0.02,
        "0.02 s": 0.02,
        "20": 0.02,
        "2e4 us": 0.02,
        ".5 min": 30.0,
    }.items():
        np.testing.assert_allclose(cli.options.parse_quantity(text, cli.options.TIME, "ms"), value, rtol=1e-15)
    assert cli.options.parse_quantity("-70", cli.options.POTENTIAL, "mV") == -0.07
    assert cli.options.parse_quantity("0.5 µM", cli.options.CALCIUM, "uM") == 0.5
    with pytest.raises(ValueError, match=r"unknown unit 'msec'\. Did you mean 'ms'"):
        cli.options.parse_quantity("20 msec", cli.options.TIME, "ms")
