"""Fields as a topic of an analysis: an EEG with eyes closed and open, and signals whose spectra are known."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import equipoise as eq
from equipoise import cli, measures, report
from equipoise.inference import Analysis, AnalysisSettings, analyze
from equipoise.inference.conditions import conditions
from equipoise.report import fields_chapter, tables
from equipoise.results import Epoch, Recording, Signals, SpikeTrains
from equipoise.units import Hz, second

SETTINGS = AnalysisSettings()
FS = 250.0


def only(recording, settings=SETTINGS):
    return analyze(recording, settings, topics=["fields"])


@pytest.fixture(scope="module")
def eyes():
    recording = eq.recordings.example("eeg")
    return recording, only(recording)


def coloured(rng, n, exponent):
    """Gaussian noise (n,) at `FS` with a spectrum of 1/f^exponent, flat below 0.5 Hz."""
    f = np.fft.rfftfreq(n, 1.0 / FS)
    return np.fft.irfft(np.fft.rfft(rng.standard_normal(n)) * np.maximum(f, 0.5) ** (-0.5 * exponent), n)


def of_signals(signals, epochs=None):
    stop = max(it.t_stop for it in signals.values())
    none = SpikeTrains(np.empty(0), np.empty(0, np.int64), 0, 0.0, stop)
    return Recording(none, (), epochs or (Epoch("all", 0.0, stop),), "made", {}, signals)


@pytest.fixture(scope="module")
def made():
    """Two conditions of 80 s: exponents 1 then 2 in channels a, b, and 10 Hz in the second condition of b alone."""
    rng, n = np.random.default_rng(7), int(80 * FS)
    t = np.arange(2 * n) / FS
    a, b = (np.concatenate([coloured(rng, n, 1.0), coloured(rng, n, 2.0)]) for _ in range(2))
    b[n:] += 0.5 * np.sin(2 * np.pi * 10.0 * t[n:]) * b[n:].std()
    field = Signals(values=np.array([a, b]), sampling_rate=FS, names=("a", "b"), unit="V")
    recording = of_signals({"lfp": field}, (Epoch("before", 0.0, 80.0), Epoch("after", 80.0, 160.0)))
    return recording, only(recording)["fields"]


def test_alpha_is_near_ten_hertz_and_stronger_with_closed_eyes(eyes):
    """Berger 1929."""
    data = eyes[1]["fields"].sel(channel="eeg")
    assert list(data["condition"].values) == ["eyes closed", "eyes open"]
    assert ((data["rhythm_frequency"].isel(rank=0) > 9.0) & (data["rhythm_frequency"].isel(rank=0) < 11.5)).all()
    closed, opened = (data.sel(condition=name) for name in ("eyes closed", "eyes open"))
    assert float(closed["band_power_low"]) > 3.0 * float(opened["band_power_high"])
    stretches = json.loads(data.attrs["stretches"])
    over = data["band_over_time"]

    def inside(name):  # windows of 10 s that lie in one stretch
        return [float(x) for t, x in zip(over["time"].values, over.values, strict=True)
                if any(a <= t - 5 and t + 5 <= b for a, b in stretches[name])]  # fmt: skip

    assert np.median(inside("eyes closed")) > 3.0 * np.median(inside("eyes open"))


def test_a_spectrum_that_bends_is_said_to_and_its_slopes_are_not_compared(eyes):
    recording, analysis = eyes
    data = analysis["fields"].sel(channel="eeg")
    assert (data["status"] == "APPROXIMATE").all()
    assert (data["knee_status"] == "OK").all()
    assert data["shift_status"].item() == "NOT_COMPARABLE"
    assert np.isnan(data["shift"].item())
    flags = fields_chapter.fields_chapter(analysis["fields"], recording, SETTINGS).flags
    assert {kind for _, _, kind, _ in flags} == {"fields: approximate", "change of slope: not comparable"}


def test_known_exponents_and_their_change_are_found(made):
    _, data = made
    assert list(data["channel"].values) == ["a", "b"]
    np.testing.assert_allclose(data["exponent"].sel(condition="before"), 1.0, atol=0.08)
    np.testing.assert_allclose(data["exponent"].sel(condition="after"), 2.0, atol=0.08)
    shift = data.sel(other="after", channel="a")
    assert shift["shift_status"].item() == "OK"
    assert float(shift["shift_low"]) < 1.0 < float(shift["shift_high"])
    assert float(data["knee"].isnull().mean()) == 1.0


def test_a_rhythm_is_found_where_it_is(made):
    _, data = made
    first = data["rhythm_frequency"].isel(rank=0)
    np.testing.assert_allclose(first.sel(channel="b", condition="after"), 10.0, atol=0.1)
    power = data["band_power"]
    assert float(power.sel(channel="b", condition="after")) > 20.0 * float(power.sel(channel="a", condition="after"))
    course = data["exponent_over_time"]
    assert float(course.sel(time=slice(0, 75)).mean()) == pytest.approx(1.0, abs=0.1)
    assert float(course.sel(time=slice(85, 160)).mean()) == pytest.approx(2.0, abs=0.1)


def test_the_numbers_are_those_of_the_measures(made):
    recording, data = made
    spectrum = measures.power_spectrum(recording.signals["lfp"].between(0.0, 80.0))
    line = measures.aperiodic(spectrum, low=3 * Hz, high=40 * Hz)
    here = data.sel(condition="before")
    for name in ("exponent", "exponent_low", "exponent_high", "r2", "bend", "n", "left_out"):
        np.testing.assert_array_equal(here[name], line[name])
    shown = spectrum.sel(frequency=here["frequency"])
    np.testing.assert_array_equal(here["power"].transpose("channel", "frequency"), shown)


def test_a_range_ends_below_the_roll_off_of_the_recording():
    from scipy.signal import butter, sosfiltfilt

    rng = np.random.default_rng(8)
    x = sosfiltfilt(butter(8, 30.0, fs=FS, output="sos"), coloured(rng, int(120 * FS), 1.0))
    recording = of_signals({"eeg": Signals(values=x, sampling_rate=FS)})
    data = only(recording)["fields"]
    assert 15.0 < float(data["range_high"].max()) < 30.0
    assert "since power rolls off at" in data["range"].item()
    np.testing.assert_allclose(data["exponent"], 1.0, atol=0.1)
    assert "shift" not in data


def test_many_signals_stand_side_by_side_and_those_too_slow_are_named():
    """Sampling rates whose frequencies differ stay apart; equal names of channels get that of their signal."""
    rng, n = np.random.default_rng(9), int(60 * FS)
    wide = Signals(values=np.array([coloured(rng, n, 1.0) for _ in range(9)]), sampling_rate=FS)
    odd = Signals(values=np.array([coloured(rng, n, 1.0)]), sampling_rate=203.3, t_start=-2.0)
    slow = Signals(values=rng.standard_normal((1, 600)), sampling_rate=10.0)
    recording = of_signals({"wide": wide, "odd": odd, "slow": slow})
    analysis = only(recording)
    data = analysis["fields"]
    assert list(data["channel"].values) == [*(f"wide {i}" for i in range(9)), "odd 0"]
    np.testing.assert_allclose(data["exponent"].sel(condition="all"), 1.0, atol=0.15)
    assert int(data["shown"].sum()) == 5
    left_out = json.loads(data.attrs["left_out"])
    assert left_out == {"slow": "at 10 Hz its spectrum ends at 5 Hz, less than an octave above 3 Hz"}
    page = report.html(analysis, recording, SETTINGS)
    assert "5 of 10 channels are drawn" in page
    assert left_out["slow"] in page
    assert page.count("<img") == 4


def test_stretches_of_different_length_weigh_as_their_degrees_of_freedom():
    """Of 3 s and 57 s of one stationary signal the mean is that of 60 s; an unweighted one would scatter more."""
    rng = np.random.default_rng(10)
    field = Signals(values=rng.standard_normal(int(60 * FS)), sampling_rate=FS)
    parts = [measures.power_spectrum(field.between(*span)) for span in ((0.0, 3.0), (3.0, 60.0))]
    whole = measures.power_spectrum(field)
    data = only(of_signals({"x": field}, (Epoch("all", 0.0, 3.0), Epoch("all", 3.0, 60.0))))["fields"]
    f = data["frequency"]
    one, two = (p.sel(frequency=f) for p in parts)
    weighted = (one * one["dof"].values + two * two["dof"].values) / (one["dof"].values + two["dof"].values)
    np.testing.assert_allclose(data["power"].isel(condition=0), weighted, rtol=1e-12)
    inner = slice(1, -1)
    off = np.log(data["power"].isel(channel=0, condition=0).values / whole.sel(frequency=f)[0].values)[inner]
    assert off.std() < 0.06


def test_conditions_pool_numbered_epochs_only_where_all_come_again():
    def names(*given):
        return {k: len(v) for k, v in conditions([Epoch(x, float(i), i + 1.0) for i, x in enumerate(given)]).items()}

    assert names("closed 1", "open 1", "closed 2", "open 2") == {"closed": 2, "open": 2}
    assert names("rest", "task", "rest") == {"rest": 2, "task": 1}
    assert names("day 1", "day 2") == {"day 1": 1, "day 2": 1}
    assert names("before", "day 1", "day 2") == {"before": 1, "day 1": 1, "day 2": 1}
    assert names("1", "2") == {"1": 1, "2": 1}


@pytest.mark.parametrize(
    ("signals", "why"),
    [
        ({}, "the recording has no signals"),
        ({"dff": Signals(values=np.zeros(100), sampling_rate=8.0)}, "dff: at 8 Hz its spectrum ends at 4 Hz"),
        ({"lfp": Signals(values=np.zeros(100), sampling_rate=FS)}, "lfp: no epoch holds 2 s of it"),
    ],
)
def test_what_a_recording_does_not_allow_is_said(signals, why):
    none = SpikeTrains(np.empty(0), np.empty(0, np.int64), 0, 0.0, 60.0)
    with pytest.raises(ValueError, match=why):
        only(Recording(none, (), (Epoch("all", 0.0, 60.0),), "made", {}, signals))


def test_a_silent_channel_is_flagged_and_others_are_not_lost():
    rng = np.random.default_rng(11)
    values = np.array([coloured(rng, int(60 * FS), 1.0), np.zeros(int(60 * FS))])
    recording = of_signals({"lfp": Signals(values=values, sampling_rate=FS, names=("good", "dead"))})
    analysis = only(recording)
    data = analysis["fields"].isel(condition=0)
    assert data["status"].values.tolist() == ["OK", "INSUFFICIENT_DATA"]
    assert report.html(analysis, recording, SETTINGS)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"field_low": 50 * Hz}, r"field_high must be above field_low=50 Hz, got 40 Hz"),
        ({"band_high": 8 * Hz}, r"band_high must be above band_low=8 Hz, got 8 Hz"),
        ({"field_length": 1 * second}, r"field_length must be at least field_window=2 s, got 1 s"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        AnalysisSettings(**given)


def test_the_command_reads_the_shipped_eeg_and_the_page_is_made_again_from_the_file(tmp_path):
    options = ["--field-high", "35", "--out", str(tmp_path)]
    result = CliRunner().invoke(cli.app, ["analyze", "eeg", *options])
    assert result.exit_code == 0, result.output
    assert "cells: the recording has no units" in result.output
    assert "eyes closed: fields (4 stretches, 149.1 s)" in result.output
    recording, settings = eq.recordings.example("eeg"), AnalysisSettings(field_high=35 * Hz)
    back = Analysis.load(tmp_path / "eeg_eyes.nc")
    assert float(back["fields"]["range_high"].max()) == 35.0
    page = (tmp_path / "eeg_eyes.html").read_text()
    assert report.html(back, recording, settings) == page
    data = back["fields"]
    for c in range(2):
        here = data.isel(condition=c, channel=0)
        for name in ("exponent", "knee", "exponent_with_knee"):
            assert tables.interval(*(float(here[name + end]) for end in ("", "_low", "_high"))) in page
        assert f"{float(here['band_power']):.3g}" in page
