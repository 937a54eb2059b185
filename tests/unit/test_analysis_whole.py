"""An analysis of a recording that names no epochs, and what it says of itself."""

import numpy as np

import equipoise as eq
from equipoise.inference import AnalysisSettings, analyze
from equipoise.units import second


def recorded(epochs):
    """Ten Poisson units at 5 Hz for 60 s."""
    rng = np.random.default_rng(3)
    counts = rng.poisson(300.0, 10)
    times = rng.uniform(0.0, 60.0, counts.sum())
    order = np.argsort(times)
    spikes = eq.SpikeTrains(times[order], np.repeat(np.arange(10), counts)[order], 10, 0.0, 60.0)
    return eq.Recording(spikes, tuple(map(str, range(10))), epochs, source="poisson")


def test_a_recording_without_epochs_is_one_epoch():
    quick = AnalysisSettings(surrogates=20)
    found = analyze(recorded(()), quick, topics=["cells"])
    whole = analyze(recorded((eq.Epoch("all", 0.0, 60 * second),)), quick, topics=["cells"])
    assert found["cells"].identical(whole["cells"])


def test_an_analysis_says_what_it_holds_and_what_it_lacks():
    found = analyze(recorded(()), AnalysisSettings(surrogates=20), topics=["cells", "fields"])
    title, held, lacking = repr(found).splitlines()
    assert title == "Analysis(poisson)"
    about = "rate, irregularity, calcium, model input and predicted weights of every unit"
    assert held.split(maxsplit=1) == ["cells", about]
    assert lacking.split(maxsplit=1) == ["fields", "left out: the recording has no signals"]
