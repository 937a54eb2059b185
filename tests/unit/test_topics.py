"""Topics of an analysis: spikes, stability, populations and the verdict, with their chapters and their refusals."""

import io
import re
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

import equipoise as eq
from equipoise import cli, recordings, report
from equipoise.inference import (
    Analysis,
    AnalysisSettings,
    Operating,
    VerdictSettings,
    analyze,
    observe,
    topic_spikes,
    verdict,
)
from equipoise.inference.analysis import TOPICS
from equipoise.inference.predictions import OBSERVABLES, PHASES, predictions
from equipoise.measures import cv, rate
from equipoise.report import spikes_chapter, stability_chapter
from equipoise.results import Epoch, Recording, SpikeTrains

QUICK = AnalysisSettings(surrogates=20, replicas=0, draws=60)
TOPIC = ("spikes", "stability", "populations", "verdict")


def joined(trains, span, epochs=("all",), labels=None):
    """A recording of `trains`, cut into epochs of equal length that are called `epochs`."""
    times = np.concatenate(trains)
    order = np.argsort(times, kind="stable")
    units = np.repeat(np.arange(len(trains)), [len(t) for t in trains])[order]
    spikes = SpikeTrains(times[order], units, len(trains), 0.0, span)
    length = span / len(epochs)
    parts = tuple(Epoch(name, k * length, (k + 1) * length) for k, name in enumerate(epochs))
    return Recording(spikes, tuple(f"u{i}" for i in range(len(trains))), parts, "made.npz", labels or {})


def gamma_train(rng, rate, cv, span):
    times = np.cumsum(rng.gamma(1.0 / cv**2, cv**2 / rate, int(1.5 * rate * span + 50)))
    return times[times < span]


def manipulated(seed=5, n=12, span=100.0):
    """E and I units whose rates and C_v follow one draw of the output-centric rule under a ligand on interneurons."""
    (made,) = predictions("chemogenetic", rules=["output-centric"], draws=60, seed=seed)
    draw = made.values[np.argsort(made.values[:, 0, 0])[len(made) // 4]]
    rng = np.random.default_rng(seed)
    factor, names = [np.zeros(8), *draw], ("before", *PHASES)
    base = np.repeat([5.0, 10.0], n) * rng.lognormal(0.0, 0.2, 2 * n)
    trains = [[] for _ in range(2 * n)]
    for k in range(len(names)):
        r, c = (np.exp(np.repeat(factor[k][pair], n)) for pair in (slice(0, 2), slice(2, 4)))
        for u in range(2 * n):
            trains[u].append(k * span + gamma_train(rng, base[u] * r[u], (0.9 if u < n else 0.8) * c[u], span))
    kinds = ("E",) * n + ("I",) * n
    return joined([np.concatenate(t) for t in trains], len(names) * span, names, {"type": kinds})


@pytest.fixture(scope="module")
def study():
    """A recording before, during and after a manipulation, and all four topics of it."""
    recording, settings = manipulated(), replace(QUICK, manipulation="chemogenetic")
    return recording, settings, analyze(recording, settings, topics=TOPIC)


@pytest.fixture(scope="module")
def mouse():
    recording = recordings.example("a2929")
    return recording, analyze(recording, QUICK, topics=TOPIC)


# Known numbers of the example ---------------------------------------------------------------------------------------


def test_units_of_the_mouse_drift_and_their_population_does_not(mouse):
    data = mouse[1]["stability"].isel(comparison=0)
    assert (data["first"].item(), data["second"].item()) == ("sleep", "wake")
    np.testing.assert_allclose([data["unit_change"], data["population_change"]], [1.010, 0.165], atol=5e-4)
    assert data["counting_high"] < data["unit_change_low"]
    assert data["p_counting"] < 0.001
    assert 0.3 < data["p_independent"] < 0.5


def test_spikes_of_the_mouse(mouse):
    recording, analysis = mouse
    data = analysis["spikes"]
    assert data.sizes == {"epoch": 2, "unit": 15, "law": 5, "window": 7, "pair": 4, "lag": 41}
    assert set(data["best_law"].values.ravel()) <= {"gamma", "inverse_gaussian", "log_normal"}
    at = data["fano"].sel(window=1.0, epoch="sleep")
    counts = [np.histogram(t, np.arange(601.0))[0] for t in recording.during(recording.epochs[0])]
    np.testing.assert_allclose(at, [c.var(ddof=1) / c.mean() for c in counts], rtol=1e-12)
    assert (data["coincidence_p"].sel(pair="all") < 0.05).all()
    assert np.isnan(data["correlation"].sel(pair="E-I")).all()
    assert list(data["region"].values[[0, -1]]) == ["adn", "ca1"]


def test_populations_of_the_mouse_are_its_regions_and_say_what_is_wrong(mouse):
    data = mouse[1]["populations"]
    assert list(data["population"].values) == ["adn", "ca1"]
    assert data["n_units"].sel(epoch="wake").values.tolist() == [7, 8]
    wake = data.sel(population="ca1", epoch="wake")
    assert wake["status"].item() == "APPROXIMATE"
    assert "not stationary" in wake["message"].item()
    np.testing.assert_allclose(wake["mu"], -1.4, atol=0.05)
    np.testing.assert_allclose(data["persistence"].sel(population="ca1"), 0.04, atol=0.05)
    assert mouse[1].left_out == {"verdict": "no manipulation is named"}


# Known answers ------------------------------------------------------------------------------------------------------


def test_gamma_units_that_share_some_spikes():
    """Laws, counts and timing where all are known: ten gamma units, and two that share all their spikes."""
    rng, span = np.random.default_rng(1), 200.0
    trains = [gamma_train(rng, 10.0, 0.5, span) for _ in range(10)]
    copies = [np.sort(np.concatenate([gamma_train(rng, 7.0, 0.5, span), rng.choice(trains[0], 600, replace=False)]))]
    recording = joined(trains + copies * 2, span, labels={"type": ("E",) * 10 + ("I",) * 2})
    data = analyze(recording, QUICK, topics=["spikes"])["spikes"].isel(epoch=0)
    assert (data["best_law"][:10] == "gamma").all()
    np.testing.assert_allclose(data["law_cv"].sel(law="gamma")[:10], 0.5, atol=0.05)
    assert (data["best_p"][:10] > 0.01).all()
    np.testing.assert_allclose(data["fano"].sel(window=3.0)[:10].mean(), 0.25, atol=0.1)
    alone = data.sel(pair="E-E")
    error = 1.0 / np.sqrt(2000 * 45)  # of the mean over 45 independent pairs in 2000 windows
    assert all(
        abs(alone[name]) < 4 * error for name in ("correlation", "correlation_null_low", "correlation_null_high")
    )
    assert alone["coincidence_p"] > 0.05
    shared = data.sel(pair="I-I")
    assert shared["correlation"] > 0.99
    assert shared["coincidence"].sel(lag=0.0) > shared["coincidence_null_high"].sel(lag=0.0)
    assert shared["correlation_n"] == 1


def test_widths_of_spikes_tell_types_where_labels_do_not():
    rng = np.random.default_rng(2)
    width = np.concatenate([rng.normal(0.6e-3, 0.05e-3, 20), rng.normal(0.25e-3, 0.03e-3, 10)])
    trains = [gamma_train(rng, 3.0, 1.0, 30.0) for _ in range(30)]
    recording = joined(trains, 30.0, labels={"trough_to_peak": tuple(f"{w:.6f}" for w in width)})
    data = analyze(recording, QUICK, topics=["spikes"])["spikes"]
    assert data["type"].values.tolist() == ["E"] * 20 + ["I"] * 10
    assert set(data["type_source"].values) == {"waveform"}
    assert np.isfinite(data["correlation"]).all()
    assert any(flag[2] == "putative types" for flag in spikes_chapter.flags(data))
    page = report.html(analyze(recording, QUICK, topics=["spikes"]), recording, QUICK)
    assert "20 E, 10 I, 0 unknown (30 putative, from the widths of their spikes)" in page


def test_units_that_do_not_drift_stay_within_the_noise_of_counting():
    rng = np.random.default_rng(3)
    trains = [gamma_train(rng, r, 0.8, 400.0) for r in rng.lognormal(1.5, 0.6, 30)]
    halves = analyze(joined(trains, 400.0), QUICK, topics=["stability"])["stability"].isel(comparison=0)
    assert halves["first"].item() == "all, half 1"
    assert halves["counting_low"] < halves["unit_change"] < halves["counting_high"]
    assert halves["p_counting"] > 0.025
    again = analyze(joined(trains, 400.0, ("a", "b", "c")), QUICK, topics=["stability"])["stability"]
    assert list(zip(again["first"].values, again["second"].values, strict=True)) == [("a", "b"), ("b", "c")]


def test_recovery_is_followed_through_epochs_that_the_settings_name():
    """Forty Poisson units that lose 40 % of their rate and regain three quarters of it with 80 s."""
    rng, t = np.random.default_rng(1), np.arange(0.0, 800.0)
    share = np.where(t < 200, 1.0, 1.0 - 0.4 * (0.25 + 0.75 * np.exp(-np.maximum(t - 200, 0) / 80)))
    counts = rng.poisson(rng.lognormal(1.6, 0.3, 40)[:, None] * share)
    recording = joined([np.sort(np.repeat(t, c) + rng.random(c.sum())) for c in counts], 800.0)
    recording = replace(recording, epochs=(Epoch("rest", 0.0, 200.0), Epoch("light", 200.0, 800.0)))
    named = replace(QUICK, phases={"before": "rest", "during": "light"})
    data = analyze(recording, named, topics=["stability"])["stability"]
    assert data["time_constant_low"] < 80.0 < data["time_constant_high"]
    assert data["completeness_low"] < 0.75 < data["completeness_high"]
    assert data.attrs["recovery"] == ""
    apart = replace(recording, epochs=(Epoch("rest", 0.0, 150.0), recording.epochs[1]))
    data = analyze(apart, named, topics=["stability"])["stability"]
    assert "without a gap" in data.attrs["recovery"]
    assert ("", "", "recovery not followed", data.attrs["recovery"]) in stability_chapter.flags(data)


def test_a_population_of_known_inputs_is_found():
    """Gamma trains with rate and C_v of LIF neurons at mu_i ~ N(mu, Delta^2): the fit brings all three numbers back."""
    rng, mu, delta, sigma = np.random.default_rng(4), 0.8, 0.1, 0.06
    inputs = mu + delta * rng.standard_normal(60)
    r, c = (f(QUICK.neuron, mu=inputs, sigma=sigma) for f in (eq.renewal.rate, eq.renewal.cv))
    recording = joined([gamma_train(rng, *pair, 100.0) for pair in zip(r, c, strict=True)], 100.0)
    settings = replace(QUICK, irregularity="global")
    data = analyze(recording, settings, topics=["populations"])["populations"].isel(population=0, epoch=0)
    for name, value in (("mu", mu), ("delta", delta), ("sigma", sigma)):
        np.testing.assert_allclose(data[name], value, rtol=0.25)
    middle = np.interp(0.5, data["quantile"], data["fitted_rate"])
    expected = eq.renewal.rate(QUICK.neuron, mu=float(data["mu"]), sigma=float(data["sigma"]))
    np.testing.assert_allclose(middle, expected, rtol=1e-3)
    np.testing.assert_allclose(data["rate"], np.bincount(recording.spikes.units, minlength=60) / 100.0)


def test_the_verdict_of_an_analysis_is_that_of_the_function(study):
    recording, settings, analysis = study
    data = analysis["verdict"]
    how = VerdictSettings(operating=Operating(sensor=settings.sensor), draws=60)
    direct = verdict(recording, manipulation="chemogenetic", settings=how, seed=settings.seed)
    assert (data.attrs["decision"], data.attrs["reason"]) == (direct.decision, direct.reason)
    np.testing.assert_allclose(data["posterior"], direct.posterior, rtol=1e-9)
    seen = observe(recording, {e.name: e for e in recording.epochs}, sensor=settings.sensor, seed=settings.seed)
    np.testing.assert_array_equal(data["observed"], seen.values)
    assert data["predicted"].dims == ("rule", "quantile", "phase", "observable")
    assert list(data["observable"].values) == list(OBSERVABLES)


def test_what_gave_up_homeostasis_is_refused_and_what_made_the_data_is_not(study):
    data = study[2]["verdict"]
    p = {str(rule): float(value) for rule, value in zip(data["rule"].values, data["p"].values, strict=True)}
    assert p["no homeostasis"] < 0.02
    assert p["output-centric"] > 0.02
    assert data["posterior"].sel(rule="no homeostasis") < 0.01


# What is shown ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["study", "mouse"])
def test_a_page_drawn_again_from_the_file_is_the_page(which, request, tmp_path):
    recording, *settings, analysis = request.getfixturevalue(which)
    how = settings[0] if settings else QUICK
    page = report.html(analysis, recording, how)
    assert report.html(Analysis.load(analysis.save(tmp_path / "a.nc")), recording, how) == page
    words = re.sub(r"base64,[^\"]*|<style>.*?</style>", "", page, flags=re.DOTALL)
    assert "nan" not in words.lower().split()
    assert len(re.findall("<img", page)) == {"study": 8, "mouse": 5}[which]


def test_the_decision_stands_in_the_page_and_on_the_screen(study):
    recording, settings, analysis = study
    decision = analysis["verdict"].attrs["decision"].capitalize()
    screen = io.StringIO()
    Console(width=160, file=screen).print(report.render_analysis(analysis))
    assert f"{decision}. " in screen.getvalue()
    for words in ("Drift", "Fitted inputs", "Correlation, timing and synchrony", "no homeostasis"):
        assert words in screen.getvalue()
    page = report.html(analysis, recording, settings)
    assert f"Which rule? {decision}" in page
    assert f"<b>Homeostatic rule: {decision}</b>" in page


def test_what_is_tied_or_hardly_known_is_said(mouse):
    from equipoise.report.populations_chapter import identified

    one = mouse[1]["populations"].sel(population="ca1", epoch="sleep")
    assert "known together rather than each" in identified(one)
    assert identified(
        one.assign(mu_sigma_correlation=0.1, delta_low=0.2, delta_high=0.25, sigma_low=0.22, sigma_high=0.24)
    ) == ("the data fix μ, Δ and σ")


# What is refused ----------------------------------------------------------------------------------------------------


def test_two_receptors_are_refused_politely_and_what_they_allow_is_done():
    recording = recordings.example("grasshopper")
    why = {name: TOPICS[name].refusal(recording, QUICK) for name in TOPIC}
    assert why == {
        "spikes": "",
        "stability": "2 units; 3 are needed",
        "populations": "2 units; 5 are needed",
        "verdict": "no manipulation is named",
    }
    analysis = analyze(recording, QUICK, topics=TOPIC)
    assert list(analysis) == ["spikes"]
    page = report.html(analysis, recording, QUICK)
    assert "2 units; 5 are needed" in page
    assert "Fano factor at 0.3 s" in page
    # One pair has no error that its two units could tell.
    assert np.isnan(analysis["spikes"]["correlation_low"]).all()
    assert np.isfinite(analysis["spikes"]["correlation"].sel(pair="all")).all()


def test_reasons_for_leaving_topics_out():
    rng = np.random.default_rng(5)
    few = joined(
        [gamma_train(rng, 5.0, 0.8, 50.0) for _ in range(6)], 50.0, labels={"type": ("E", "E", "E", "I", "I", "I")}
    )
    assert "no two epochs" in TOPICS["stability"].refusal(few, QUICK)
    assert TOPICS["populations"].refusal(few, QUICK) == "no population has 5 units"
    asked = replace(QUICK, manipulation="optical")
    assert "no epochs are named before" in TOPICS["verdict"].refusal(few, asked)
    eif = replace(QUICK, manipulation="optical", neuron=eq.EIF(), phases={"before": "a", "after": "b"})
    halves = joined([gamma_train(rng, 5.0, 0.8, 50.0) for _ in range(6)], 50.0, ("a", "b"))
    assert "LIF" in TOPICS["verdict"].refusal(halves, eif)
    with pytest.raises(ValueError, match=r"phases\['before'\] must name an epoch of the recording, got 'a'"):
        TOPICS["stability"].refusal(few, eif)
    short = joined([gamma_train(rng, 5.0, 0.8, 1.0)], 1.0)
    assert "no epoch holds 20 windows" in TOPICS["spikes"].refusal(short, QUICK)
    eeg = recordings.example("eeg")
    assert all("no units" in TOPICS[name].refusal(eeg, QUICK) for name in ("spikes", "stability", "populations"))


def test_short_epochs_and_too_many_spikes_are_flagged(monkeypatch):
    monkeypatch.setattr(topic_spikes, "MOST", 10.0)
    rng = np.random.default_rng(6)
    recording = joined([gamma_train(rng, 5.0, 0.8, 50.0) for _ in range(3)], 50.0)
    recording = replace(recording, epochs=(Epoch("blink", 0.0, 0.5), Epoch("long", 1.0, 50.0)))
    data = analyze(recording, QUICK, topics=["spikes"])["spikes"]
    assert list(data["epoch"].values) == ["long"]
    kinds = [flag[2] for flag in spikes_chapter.flags(data)]
    assert kinds == ["left out", "no correlogram"]
    assert np.isnan(data["coincidence"]).all()
    assert np.isfinite(data["correlation"].sel(pair="all")).all()


WRONG = {
    "phase": ({"phases": {"bfore": "a"}}, r"phases must be of before, .*, got 'bfore'\. Did you mean 'before'"),
    "epoch": ({"manipulation": "optical", "phases": {"before": "slep"}}, r"got 'slep'\. Did you mean 'sleep'"),
    "manipulation": (
        {"manipulation": "optcal"},
        r"manipulation must be a known name.*'optcal'.*Did you mean 'optical'",
    ),
    "draws": ({"draws": 3}, r"draws"),
    "window": ({"count_window": 100.0}, r"count_window"),
}


def test_settings_of_the_wrong_kind_get_one_message():
    with pytest.raises(TypeError, match=r"manipulation must be a name such as 'optical', or None, got 3\."):
        AnalysisSettings(manipulation=3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"phases must be a mapping such as .*, got \['a'\]"):
        AnalysisSettings(phases=["a"])  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_settings_get_one_message(wrong):
    given, message = WRONG[wrong]
    with pytest.raises(ValueError, match=message):
        analyze(recordings.example(), AnalysisSettings(**given), topics=["verdict"])


def test_the_command_names_a_manipulation_and_its_epochs(tmp_path):
    recording = manipulated(n=6, span=40.0)
    names = {"before": "rest", "during": "ligand", "after": "wash"}
    epochs = [f"{names.get(e.name, e.name)}:{e.start}:{e.stop}" for e in recording.epochs if e.name in names]
    path = recordings.save(recording, tmp_path / "cells.nc")
    options = [
        "--manipulation",
        "chemogenetic",
        "--topic",
        "verdict",
        "--manipulated",
        "1 day",
        "--draws",
        "60",
        "--out",
        tmp_path / "out",
    ]
    options += [word for epoch in epochs for word in ("--epoch", epoch)]
    options += [word for phase, name in names.items() for word in (f"--{phase}", name)]
    result = CliRunner().invoke(cli.app, ["analyze", str(path), *map(str, options)])
    assert result.exit_code == 0, result.output
    data = Analysis.load(tmp_path / "out" / "made.nc")["verdict"]
    assert data.attrs["phases"] == "before: rest, during: ligand, after: wash"
    assert data.attrs["manipulation"] == "chemogenetic"
    result = CliRunner().invoke(
        cli.app, ["analyze", "example", "--manipulation", "optcal", "--out", str(tmp_path / "no")]
    )
    assert result.exit_code == 2
    assert "Did you mean 'optical'" in re.sub(r"\s+", " ", result.output)


def test_rates_of_the_topics_are_those_of_the_ruler(mouse):
    recording, analysis = mouse
    sleep = recording.during(recording.epochs[0])
    np.testing.assert_allclose(analysis["stability"]["rate_first"][0], rate(sleep), rtol=1e-12)
    exponential = analysis["spikes"]["law_cv"].sel(law="exponential", epoch="sleep")
    assert (exponential == 1.0).all()
    assert (cv(sleep) > 1.0).all()
