"""An EEG with eyes closed and open by turns: what is known of such recordings, from the file up."""

from importlib import resources

import numpy as np
import pytest

import equipoise as eq
from equipoise.units import Hz, second

M = eq.measures


@pytest.fixture(scope="module")
def epochs():
    """Spectra of the stretches with eyes closed and open, (channel, frequency), by name."""
    with resources.as_file(resources.files("equipoise") / "data" / "eeg_eyes.npz") as path, np.load(path) as data:
        eeg = eq.Signals(values=data["signals"].T, sampling_rate=float(data["sampling_rate"]), names=("eeg",))
        spans = zip(data["epoch"], data["epoch_start"], data["epoch_stop"], strict=True)
        return {
            str(name): M.power_spectrum(eeg.between(start, stop))
            for name, start, stop in spans
            if stop - start > 20 * second
        }


def test_alpha_is_stronger_with_closed_eyes(epochs):
    """Berger 1929: a rhythm of 8 to 13 Hz in every stretch, several times stronger with closed eyes."""
    power = {"closed": [], "open": []}
    for name, spectrum in epochs.items():
        line = M.aperiodic(spectrum, low=3 * Hz, high=40 * Hz)
        first, *_ = M.rhythms(spectrum[0], line.isel(channel=0))
        assert 8.0 < first.frequency < 13.0
        alpha = M.band_power(spectrum, low=8 * Hz, high=13 * Hz, above=line)
        assert float(alpha.low[0]) > 0.0
        power["closed" if "closed" in name else "open"].append(float(alpha[0]))
    assert len(power["closed"]) >= 3
    assert len(power["open"]) >= 3
    assert min(power["closed"]) > 2.0 * max(power["open"])


def test_the_exponent_is_that_of_specparam_and_bends(epochs):
    pytest.importorskip("specparam")
    bends = []
    for spectrum in epochs.values():
        own, other = (fit(spectrum, low=3 * Hz, high=40 * Hz) for fit in (M.aperiodic, M.aperiodic_specparam))
        assert 1.2 < float(own.exponent[0]) < 1.9
        assert float(own.exponent[0]) == pytest.approx(float(other.exponent[0]), abs=0.15)
        assert float(own.r2[0]) > 0.9
        bends.append(float(own.bend[0]))
    # The band of the sensor ends near 48 Hz: the upper end is steeper.
    assert np.mean(bends) > 0.5


def test_no_slope_is_compared_where_the_sensor_ends(epochs):
    """From 30 Hz on the exponent exceeds 2.5 in every stretch: of the low-pass of the sensor, not of the brain."""
    closed, opened = (s for n, s in epochs.items() if n in ("eyes closed 1", "eyes open 1"))
    shift = M.slope_shift(closed, opened, low=30 * Hz, high=45 * Hz)
    assert float(shift.exponent_before[0]) > 2.5
    assert float(shift.exponent_after[0]) > 2.5
    assert shift.status.item() in ("OK", "NOT_COMPARABLE")
