"""Power spectra against SciPy, Parseval and the laws of their errors."""

import numpy as np
import pytest
from scipy.signal import welch

import equipoise as eq
from equipoise.units import Hz, kHz, ms, second

M = eq.measures
FS = 500 * Hz
RNG = np.random.default_rng(1)
NOISE = RNG.standard_normal((3, 5_001))


@pytest.mark.parametrize(("detrend", "known"), [("none", False), ("mean", "constant"), ("linear", "linear")])
@pytest.mark.parametrize("n", [500, 333])
@pytest.mark.parametrize("overlap", [0.5, 0.75])
def test_hann_segments_are_those_of_scipy(detrend, known, n, overlap):
    method = M.Welch(window=n / FS, detrend=detrend, overlap=overlap)
    found = M.power_spectrum(NOISE + 7.0, sampling_rate=FS, method=method)
    f, power = welch(NOISE + 7.0, FS, nperseg=n, noverlap=round(n * overlap), detrend=known)
    np.testing.assert_allclose(found.frequency, f, rtol=1e-12)
    np.testing.assert_allclose(found, power, rtol=1e-9, atol=1e-15)
    assert found.dims == ("channel", "frequency")


def test_multitaper_is_the_mean_of_its_eigenspectra():
    from scipy.signal.windows import dpss

    x = NOISE[0, :400]
    found = M.power_spectrum(
        x, sampling_rate=FS, method=M.Multitaper(window=400 / FS, bandwidth=5 * Hz, detrend="none")
    )
    tapers = dpss(400, 4.0, 7)
    power = 2.0 * (np.abs(np.fft.rfft(x * tapers)) ** 2).mean(axis=0) / FS
    np.testing.assert_allclose(found[1:-1], power[1:-1], rtol=1e-9)
    assert float(found.dof[1]) == pytest.approx(14.0)


@pytest.mark.parametrize("method", [M.Welch(), M.Multitaper()])
def test_the_integral_is_the_variance(method):
    """White noise of unit variance: density 2/fs, integral 1, within five standard errors."""
    x = np.random.default_rng(2).standard_normal((20, 30_000))
    power = M.power_spectrum(x, sampling_rate=FS, method=method)
    total = power[:, 1:].sum("frequency") * float(power.frequency[1])
    assert float(total.mean()) == pytest.approx(1.0, abs=5 * np.sqrt(2 / x.size) + 1e-3 + 3 / 1000)
    assert M.power_spectrum(eq.Signals(values=x, sampling_rate=FS, unit="V"), method=method).attrs["units"] == "V^2/Hz"


@pytest.mark.parametrize("method", [M.Welch(window=1 * second), M.Multitaper(window=1 * second, bandwidth=3 * Hz)])
def test_errors_are_those_of_chance(method):
    """Variance of an ordinate, of a sum over many, and coverage of intervals, of 2000 spectra of white noise."""
    x = np.random.default_rng(3).standard_normal((2000, 4 * 128))
    power = M.power_spectrum(x, sampling_rate=128 * Hz, method=method)
    inner = power[:, 8:-8]
    dof, n = float(power.dof[10]), inner.sizes["frequency"]
    assert float((inner / inner.mean()).var()) == pytest.approx(2.0 / dof, rel=0.05)
    spread = (inner.mean("frequency") / inner.mean()).var()
    # Four standard errors of a variance of 2000, and what the ends of the range cut off.
    assert float(spread) == pytest.approx(
        2.0 / dof * float(power.bin_correlation) / n, rel=4 * np.sqrt(2 / 2000) + 0.05
    )
    true = 2.0 / 128.0
    inside = ((inner.low < true) & (true < inner.high)).mean()
    assert float(inside) == pytest.approx(0.95, abs=0.01)


def test_a_mean_of_independent_spectra_is_better_known():
    """Coverage of the mean of 20 spectra of white noise, 100 times over."""
    x = np.random.default_rng(4).standard_normal((2000, 512))
    single = M.power_spectrum(x, sampling_rate=128 * Hz, method=M.Welch(window=1 * second))
    means = [M.averaged(single[i : i + 20])[4:-4] for i in range(0, 2000, 20)]
    assert float(means[0].dof[0]) == pytest.approx(20 * float(single.dof[4]))
    inside = [((m.low < 2 / 128) & (m.high > 2 / 128)).mean().item() for m in means]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.015)
    assert means[0].attrs["units"] == "unit^2/Hz"


def test_windows_of_a_spectrogram_are_spectra():
    signals = eq.Signals(values=NOISE, sampling_rate=FS, t_start=100.0, names=("a", "b", "c"))
    found = M.spectrogram(signals, length=4 * second, step=2 * second)
    assert found.dims == ("channel", "time", "frequency")
    np.testing.assert_allclose(found.time, [102.0, 104.0, 106.0, 108.0])
    part = M.power_spectrum(signals.between(104.0, 108.0))
    np.testing.assert_allclose(found.isel(time=2), part, rtol=1e-12)
    assert float(found.dof[5]) == float(part.dof[5])
    assert M.spectrogram(NOISE[0], sampling_rate=FS).sizes == {"time": 1, "frequency": 501}


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: M.power_spectrum(NOISE), TypeError, r"an array needs sampling_rate, such as"),
        (
            lambda: M.power_spectrum(eq.Signals(values=NOISE, sampling_rate=FS), sampling_rate=FS),
            TypeError,
            "leave sampl",
        ),
        (lambda: M.power_spectrum(eq.recordings.example(), sampling_rate=FS), TypeError, "got a Recording.*: none"),
        (lambda: M.power_spectrum(NOISE[None], sampling_rate=FS), ValueError, r"got shape \(1, 3, 5001\)"),
        (lambda: M.power_spectrum([1.0, np.nan], sampling_rate=FS), ValueError, r"finite, got nan at index \(1,\)"),
        (lambda: M.power_spectrum(NOISE, sampling_rate=0.0), ValueError, "samples per second"),
        (
            lambda: M.power_spectrum(NOISE[:, :500], sampling_rate=FS),
            ValueError,
            r"2 s \(1000 samples\) for 500 samples",
        ),
        (lambda: M.power_spectrum(NOISE, sampling_rate=FS, method=M.Welch(window=5 * ms)), ValueError, "8 samples"),
        (
            lambda: M.averaged(M.power_spectrum(NOISE, sampling_rate=FS), "frequency"),
            TypeError,
            "have the dimension 'frequency' beside frequency",
        ),
        (lambda: M.averaged(NOISE), TypeError, r"have the dimension 'channel' beside frequency, got nda"),
        (lambda: M.Welch(detrend="constant"), ValueError, "must be 'none', 'mean', 'linear', got 'constant'"),
        (lambda: M.Welch(overlap=1.0), ValueError, r"Welch.overlap .* must lie in \[0, 0.9\]"),
        (lambda: M.Multitaper(bandwidth=0.1 * Hz), ValueError, r"at least 1, got 0.2. Did you mean bandwidth=1 \* Hz"),
        (lambda: M.spectrogram(NOISE, sampling_rate=FS, length=20 * second), ValueError, "length must be no longer"),
        (lambda: M.spectrogram(NOISE, sampling_rate=1 * kHz, step=1e-9), ValueError, "step at least one sample"),
    ],
)
def test_bad_input_is_named(make, error, message):
    with pytest.raises(error, match=message):
        make()
