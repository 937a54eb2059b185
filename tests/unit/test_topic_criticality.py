"""Criticality as a topic of an analysis: a mouse asleep and awake, a branching process, and units without relation."""

import numpy as np
import pytest

import equipoise as eq
from equipoise import branching, measures, report
from equipoise.inference import Analysis, AnalysisSettings, analyze
from equipoise.report import criticality_chapter, tables
from equipoise.results import Epoch, Recording, SpikeTrains
from equipoise.units import ms

QUICK = AnalysisSettings(criticality_samples=20)


def only(recording, settings=QUICK):
    return analyze(recording, settings, topics=["criticality"])


@pytest.fixture(scope="module")
def mouse():
    recording = eq.recordings.example()
    return recording, only(recording)


def of_units(times, units, n_units, stop, labels=None, epochs=None):
    order = np.argsort(times, kind="stable")
    spikes = SpikeTrains(times[order], units[order], n_units, 0.0, stop)
    names = tuple(f"u{i}" for i in range(n_units))
    return Recording(spikes, names, epochs or (Epoch("all", 0.0, stop),), "made", labels or {})


def test_the_hippocampus_branches_as_published_asleep_and_awake(mouse):
    """CA1 at 4 ms, 250 lags, with an offset: 0.836 asleep, 0.874 awake."""
    m = mouse[1]["criticality"]["branching_ratio"].sel(group="region ca1", source="recording")
    np.testing.assert_allclose(m.values, [0.836, 0.874], atol=5e-4)


def test_the_numbers_are_those_of_the_measures(mouse):
    recording, analysis = mouse
    data = analysis["criticality"].sel(epoch="wake", group="all", source="recording")
    wake = recording.during(recording.epochs[1])
    found = measures.avalanches(wake)
    sizes, durations = (measures.power_law(values, x_min=None) for values in (found.sizes, found.durations))
    assert int(data["avalanches"]) == len(found)
    assert float(data["bin"]) == measures.mean_interval(wake)
    for name, fit in (("size", sizes), ("duration", durations)):
        three = [float(data[f"{name}_exponent{end}"]) for end in ("", "_low", "_high")]
        assert three == [fit.value, fit.low, fit.high]
        assert float(data[f"{name}_x_min"]) == fit.x_min
    m = measures.branching_ratio(wake, bin=4 * ms, kmax=250, offset=True)
    np.testing.assert_array_equal(data["slope"].values, m.slopes)
    assert float(data["branching_ratio_high"]) == m.high
    assert float(data["tau"]) == m.tau


def test_distributions_count_avalanches_and_fits_meet_them_where_they_begin(mouse):
    recording, analysis = mouse
    data = analysis["criticality"].sel(epoch="wake", group="region adn", source="recording")
    adn = np.array([region == "adn" for region in recording.labels["region"]])
    wake = recording.during(recording.epochs[1])
    kept = adn[wake.units]
    sizes = measures.avalanches(SpikeTrains(wake.times[kept], wake.units[kept], 15, 600.0, 1200.0)).sizes
    for size in data["size"].values[::7]:
        share = float(data["size_survival"].sel(size=size))
        np.testing.assert_allclose(np.nan_to_num(share), (sizes >= size).mean(), rtol=1e-12)
    known = np.isfinite(data["size_fit"].values)
    assert data["size"].values[known][0] >= float(data["size_x_min"])
    misfit = np.abs(data["size_fit"] - data["size_survival"]).values[known]
    assert misfit.max() < 0.02


def test_nulls_stand_beside_and_speak_against(mouse):
    data = mouse[1]["criticality"]
    assert list(data["source"].values) == ["recording", "poisson", "rate", "intervals", "shift"]
    poisson = data.sel(source="poisson")
    assert ((poisson["crackling_low"] < 1.03) & (poisson["crackling_high"] > 0.97)).all()
    assert not poisson["follows"].any()
    assert data["follows"].sel(source="recording").all()
    assert (data["status"] == "DOUBTFUL").all()
    assert "shift null" in data["reasons"].sel(epoch="sleep", group="all").item()


def test_a_branching_process_gives_its_ratio_in_every_region():
    """m = 0.9 of 4 ms; each region sees a part of the units at random, which multistep regression does not mind."""
    process = branching.DrivenBranching(offspring=branching.GeometricOffspring(0.9), drive=1.0)
    counts = branching.simulate(process, 40_000, seed=4, warmup=300).counts
    rng = np.random.default_rng(4)
    bins = np.repeat(np.arange(counts.size), counts)
    times = (bins + rng.uniform(0.01, 0.99, bins.size)) * 4 * ms
    labels = {"region": ("a",) * 6 + ("b",) * 6, "type": ("E",) * 10 + ("I",) * 2}
    recording = of_units(times, rng.integers(0, 12, times.size), 12, counts.size * 4 * ms, labels)
    analysis = only(recording, AnalysisSettings(criticality_samples=20, branching_lags=100))
    data = analysis["criticality"].isel(epoch=0).sel(source="recording")
    assert list(data["group"].values) == ["all", "region a", "region b", "type E"]
    assert ((data["branching_ratio_low"] < 0.9) & (data["branching_ratio_high"] > 0.9)).all()
    np.testing.assert_allclose(data["branching_ratio"], 0.9, atol=0.02)
    chapter = criticality_chapter.criticality_chapter(analysis["criticality"], recording, QUICK)
    assert ("", "type I", "criticality: left out", "2 units spike, 3 are needed") in chapter.flags


def test_an_epoch_with_too_few_spikes_is_named_beside_one_that_has_enough():
    rng = np.random.default_rng(5)
    epochs = (Epoch("short", 0.0, 1.0), Epoch("long", 0.0, 60.0))
    recording = of_units(rng.uniform(0, 60, 4000), rng.integers(0, 4, 4000), 4, 60.0, epochs=epochs)
    data = only(recording)["criticality"]
    assert data["status"].sel(epoch="short").item() == "INSUFFICIENT_DATA"
    assert "spikes, 500 are needed" in data["reasons"].sel(epoch="short").item()
    assert np.isnan(data["branching_ratio"].sel(epoch="short")).all()
    assert "poisson null" in data["reasons"].sel(epoch="long").item()
    page = report.html(only(recording), recording, QUICK)
    assert "too little activity for a branching ratio" in page


@pytest.mark.parametrize(
    ("n_units", "spikes", "why"),
    [(0, 0, "the recording has no units"), (2, 4000, "2 units spike, 3 are needed"), (5, 300, "300 spikes, 500 are")],
)
def test_what_a_recording_does_not_allow_is_said(n_units, spikes, why):
    rng = np.random.default_rng(6)
    units = rng.integers(0, max(n_units, 1), spikes)
    recording = of_units(rng.uniform(0, 60, spikes), units, n_units, 60.0)
    with pytest.raises(ValueError, match=why):
        only(recording)


def test_an_epoch_has_the_same_numbers_whatever_comes_after_it(mouse):
    recording, analysis = mouse
    first = Recording(recording.spikes, recording.unit_names, recording.epochs[:1], "", recording.labels)
    alone = only(first)["criticality"]
    for name in ("size_exponent", "deviation_high", "branching_ratio", "p"):
        np.testing.assert_array_equal(alone[name].isel(epoch=0), analysis["criticality"][name].isel(epoch=0))


def test_the_page_is_made_again_from_the_file_and_shows_every_number(mouse, tmp_path):
    recording, analysis = mouse
    page = report.html(analysis, recording, QUICK)
    back = Analysis.load(analysis.save(tmp_path / "a.nc"))
    data = back["criticality"]
    assert report.html(back, recording, QUICK) == page
    for e, g, s in np.ndindex(2, 3, 5):
        here = data.isel(epoch=e, group=g, source=s)
        names = ("size_exponent", "duration_exponent", "crackling", "deviation", "branching_ratio")
        for name in names if here["follows"] else names[:-1]:
            assert tables.interval(*(float(here[name + end]) for end in ("", "_low", "_high"))) in page
    assert page.count("<td>no slopes</td>") == int((~data["follows"]).sum()) == 6
    for reason in data["reasons"].values.ravel():
        assert reason.replace(">", "&gt;") in page
    assert page.count("<img") == 4


def test_settings_are_whole_numbers():
    with pytest.raises(ValueError, match=r"AnalysisSettings\.branching_lags must be a whole number, got 50\.5"):
        AnalysisSettings(branching_lags=50.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"AnalysisSettings\.criticality_samples .* must lie in \[20, 100000\], got 5"):
        AnalysisSettings(criticality_samples=5)
