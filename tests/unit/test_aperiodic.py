"""Exponents, knees and rhythms of spectra that are known, from signals synthesised with them."""

import numpy as np
import pytest
import xarray as xr
from scipy.signal import butter, lfilter, sosfilt

import equipoise as eq
from equipoise.units import Hz, minute, second

M = eq.measures
FS = 500 * Hz
STATUS = eq.Status


def exact(power, low=1.0, high=200.0):
    """A spectrum without noise and without errors."""
    f = np.arange(low, high + 0.25, 0.5)
    return xr.DataArray(power(f), dims="frequency", coords={"frequency": f}, name="power")


def signals(power, *, channels, seed, duration=1 * minute):
    """Gaussian signals of a one-sided density: a quarter of a longer synthesis, so that they are not periodic."""
    rng, n = np.random.default_rng(seed), round(duration * FS)
    f = np.fft.rfftfreq(4 * n, 1 / FS)
    shape = np.sqrt(n * FS * np.concatenate(([0.0], power(f[1:]))))
    z = rng.standard_normal((channels, f.size)) + 1j * rng.standard_normal((channels, f.size))
    return eq.Signals(values=np.fft.irfft(shape * z, 4 * n)[:, n : 2 * n], sampling_rate=FS)


def peak(f, centre, height, sigma):
    return 1.0 + height * np.exp(-0.5 * ((f - centre) / sigma) ** 2)


def bent(f):
    return 1.0 / (15.0**2.5 + f**2.5)


# --- exponents --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("method", [M.Welch(), M.Multitaper(window=4 * second, bandwidth=1 * Hz)])
@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0, 3.0])
def test_power_laws_are_found_with_their_errors(method, exponent):
    """Bias below 0.01, every channel within 0.05, and intervals of 95 % that hold 33 to 40 times in 40 (at 99.9 %)."""
    if exponent == 3.0 and isinstance(method, M.Multitaper):
        method = M.Multitaper(window=4 * second, bandwidth=1 * Hz, differences=True)
    given = signals(lambda f: f**-exponent, channels=40, seed=4, duration=2 * minute)
    line = M.aperiodic(M.power_spectrum(given, method=method), low=4 * Hz, high=150 * Hz)
    assert (line.status == "OK").all()
    assert float(line.exponent.mean()) == pytest.approx(exponent, abs=0.01)
    assert float(np.abs(line.exponent - exponent).max()) < 0.05
    covered = ((line.exponent_low < exponent) & (exponent < line.exponent_high)).mean()
    assert float(covered) >= 33 / 40
    assert float((line.exponent_high - line.exponent_low).mean()) == pytest.approx(
        3.92 * float(line.exponent.std()), rel=0.3
    )


def test_one_segment_has_no_bias():
    """The mean of the logarithm of an exponential is -0.58; offset and exponent know it."""
    given = signals(lambda f: f**-1.5, channels=400, seed=5, duration=2 * second)
    spectra = M.power_spectrum(given, method=M.Welch(window=2 * second))
    line = M.aperiodic(spectra, low=3 * Hz, high=150 * Hz)
    good = (line.status == "OK").values
    assert good.mean() > 0.97
    error = 1.0 / np.sqrt(good.sum())
    assert float(line.exponent[good].mean()) == pytest.approx(1.5, abs=4 * error * float(line.exponent[good].std()))
    assert float(line.offset[good].mean()) == pytest.approx(0.0, abs=4 * error * float(line.offset[good].std()))


def test_autoregressive_noise_falls_as_its_closed_form():
    """x_t = a x_t-1 + noise with a = e^(-2 pi f_k/fs), far below fs a Lorentzian with its knee at f_k."""
    a, fs = np.exp(-2.0 * np.pi * 5.0 / 2000.0), 2000 * Hz
    x = lfilter([1.0], [1.0, -a], np.random.default_rng(7).standard_normal((10, 120_000)), axis=1)
    line = M.aperiodic(M.power_spectrum(x, sampling_rate=fs), low=2 * Hz, high=60 * Hz, knee=True)
    assert (line.status == "OK").all()
    assert float(line.knee.mean()) == pytest.approx(5.0, rel=0.05)
    assert float(line.exponent.mean()) == pytest.approx(2.0, abs=0.05)
    assert ((line.knee_low < 5.0) & (line.knee_high > 5.0)).sum() >= 7


@pytest.mark.parametrize("exponent", [0.7, 1.5, 3.0])
def test_an_exact_line_is_found_under_a_rhythm(exponent):
    line = M.aperiodic(exact(lambda f: 5.0 * f**-exponent), low=2.0, high=100.0)
    assert float(line.exponent) == pytest.approx(exponent, abs=1e-6)
    assert float(line.offset) == pytest.approx(np.log10(5.0), abs=1e-6)
    assert float(line.r2) == pytest.approx(1.0, abs=1e-9)
    np.testing.assert_allclose(
        M.aperiodic_power(line, [2.0, 50.0]), 5.0 * np.array([2.0, 50.0]) ** -exponent, rtol=1e-5
    )
    spectrum = exact(lambda f: 5.0 * f**-exponent * peak(f, 10.0, 20.0, 1.0))
    line = M.aperiodic(spectrum, low=2.0, high=100.0)
    assert float(line.exponent) == pytest.approx(exponent, abs=0.02)
    (found,) = M.rhythms(spectrum, line)
    assert found.frequency == pytest.approx(10.0, abs=0.05)
    assert found.factor == pytest.approx(21.0, rel=0.03)
    assert found.width == pytest.approx(2.0 * np.sqrt(2.0 * np.log(2.0)), rel=0.1)


def test_rhythms_in_noise_leave_the_exponent_alone():
    """Two rhythms over a quarter of the range; each found at its place with its factor, in every channel."""
    given = signals(lambda f: f**-1.5 * peak(f, 10.0, 8.0, 1.2) * peak(f, 22.0, 3.0, 2.5), channels=30, seed=8)
    spectra = M.power_spectrum(given)
    line = M.aperiodic(spectra, low=2 * Hz, high=100 * Hz)
    assert (line.status == "OK").all()
    assert float(line.exponent.mean()) == pytest.approx(1.5, abs=0.02)
    assert (line.left_out > 20).all()
    for channel in range(30):
        first, second, *more = M.rhythms(spectra[channel], line.isel(channel=channel))
        assert first.frequency == pytest.approx(10.0, abs=0.5)
        assert first.width == pytest.approx(2.8, abs=1.5)
        assert second.frequency == pytest.approx(22.0, abs=2.0)
        assert len(more) <= 2


def test_noise_has_peaks_once_in_twenty():
    spectra = M.power_spectrum(signals(lambda f: f**-1.0, channels=200, seed=9, duration=20 * second))
    line = M.aperiodic(spectra, low=2 * Hz, high=100 * Hz)
    shown = sum(bool(M.rhythms(s, line.isel(channel=i))) for i, s in enumerate(spectra))
    # Three widths are tried, each at 5 % at most: below 15 %, and of 200 at 99.9 % below 46.
    assert shown < 46


# --- knees ------------------------------------------------------------------------------------------------------------
def test_a_knee_is_found_beside_a_rhythm():
    given = signals(lambda f: bent(f) * peak(f, 40.0, 8.0, 1.5), channels=40, seed=10)
    line = M.aperiodic(M.power_spectrum(given), low=2 * Hz, high=100 * Hz, knee=True)
    assert (line.status == "OK").mean() >= 0.95
    assert float(line.knee.mean()) == pytest.approx(15.0, abs=0.4)
    assert float(line.exponent.mean()) == pytest.approx(2.5, abs=0.03)
    assert float(((line.knee_low < 15.0) & (line.knee_high > 15.0)).mean()) >= 0.85
    assert "with a knee" in line.attrs["method"]


def test_a_line_has_no_knee_and_a_knee_is_no_line():
    straight = M.power_spectrum(signals(lambda f: f**-1.5, channels=20, seed=11))
    found = M.aperiodic(straight, low=2 * Hz, high=100 * Hz, knee=True)
    assert (found.status == "INFEASIBLE").mean() > 0.9
    assert np.isnan(found.knee[(found.status == "INFEASIBLE").values]).all()
    line = M.aperiodic(M.power_spectrum(signals(bent, channels=5, seed=12)), low=2 * Hz, high=100 * Hz)
    assert (line.status == "APPROXIMATE").all()
    assert (line.bend > 1.0).all()


# --- the band of a recording ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("cutoff", [40.0, 100.0])
def test_a_low_pass_is_found_and_what_lies_above_refused(cutoff):
    sos = butter(8, cutoff, fs=FS, output="sos")
    given = signals(lambda f: f**-1.0, channels=10, seed=13)
    spectra = M.power_spectrum(sosfilt(sos, given.values, axis=1), sampling_rate=FS)
    np.testing.assert_allclose(M.roll_off(spectra), cutoff, rtol=0.25)
    line = M.aperiodic(spectra, low=20 * Hz, high=1.5 * cutoff)
    assert (line.status == "OUT_OF_BAND").all()
    assert np.isnan(line.exponent).all()
    assert M.rhythms(spectra[0], line.isel(channel=0)) == ()
    assert (M.aperiodic(spectra, low=4 * Hz, high=0.7 * cutoff).status == "OK").all()


@pytest.mark.parametrize(
    "power", [lambda f: f**-3.0 * peak(f, 10.0, 50.0, 1.0), bent, lambda f: f**0.0 * peak(f, 50.0, 1e3, 0.3)]
)
def test_no_low_pass_is_seen_where_there_is_none(power):
    assert np.isinf(M.roll_off(M.power_spectrum(signals(power, channels=40, seed=14)))).all()


# --- over time, and between conditions --------------------------------------------------------------------------------
def test_exponent_and_rhythm_follow_in_time():
    first = signals(lambda f: f**-1.0, channels=1, seed=15, duration=30 * second).values
    then = signals(lambda f: f**-2.0 * peak(f, 10.0, 30.0, 1.0), channels=1, seed=16, duration=30 * second).values
    windows = M.spectrogram(np.hstack([first, then])[0], sampling_rate=FS, length=10 * second, step=10 * second)
    line = M.aperiodic(windows, low=3 * Hz, high=100 * Hz)
    np.testing.assert_allclose(line.exponent, [1, 1, 1, 2, 2, 2], atol=0.2)
    alpha = M.band_power(windows, low=8 * Hz, high=12 * Hz, above=line)
    assert alpha.dims == ("time",)
    assert (alpha.low[:3] < 0.0).all()
    assert (alpha.low[3:] > 0.0).all()
    assert (alpha[:3] < alpha.high[:3]).all()


def test_the_power_of_a_band_is_its_variance():
    x = np.random.default_rng(17).standard_normal((200, 5_000))
    found = M.band_power(M.power_spectrum(x, sampling_rate=FS), low=50 * Hz, high=150 * Hz)
    assert float(found.mean()) == pytest.approx(201 / 500, rel=0.01)
    true = 201 / 500
    assert 0.9 < float(((found.low < true) & (true < found.high)).mean()) <= 1.0
    assert found.attrs["units"] == "unit^2"


def test_shifts_of_slope_have_their_intervals():
    pair = [
        M.power_spectrum(signals(lambda f, b=b: f**-b, channels=40, seed=s, duration=2 * minute))
        for b, s in ((1.0, 18), (1.5, 19))
    ]
    shift = M.slope_shift(*pair)
    good = (shift.status == "OK").values
    assert good.mean() > 0.9
    covered = ((shift.shift_low < 0.5) & (shift.shift_high > 0.5)).values[good]
    assert covered.mean() > 0.85
    assert float(shift["shift"][good].mean()) == pytest.approx(0.5, abs=0.12)


def test_what_is_not_comparable_is_said():
    line = exact(lambda f: f**-1.0)
    knee = exact(lambda f: 1.0 / (40.0**4 + f**4))
    crowded = exact(lambda f: f**-1.0 * peak(f, 40.0, 5.0, 2.0))
    assert M.slope_shift(line, exact(lambda f: f**-2.0))["shift"].item() == pytest.approx(1.0)
    for other in (knee, crowded):
        for pair in ((line, other), (other, line)):
            shift = M.slope_shift(*pair)
            assert shift.status.item() == "NOT_COMPARABLE"
            assert np.isnan(shift["shift"])
    few = M.slope_shift(line, line, low=30 * Hz, high=33 * Hz)
    assert few.status.item() == "INSUFFICIENT_DATA"


# --- specparam --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("knee", [False, True])
def test_specparam_agrees_on_clean_spectra(knee):
    pytest.importorskip("specparam")
    shape = (lambda f: 1.0 / (15.0**2.0 + f**2.0)) if knee else (lambda f: f**-1.3)
    spectrum = exact(lambda f: 10.0 * shape(f) * peak(f, 60.0, 4.0, 2.0))
    own = M.aperiodic(spectrum, low=2 * Hz, high=100 * Hz, knee=knee)
    other = M.aperiodic_specparam(spectrum, low=2 * Hz, high=100 * Hz, knee=knee)
    assert float(other.exponent) == pytest.approx(float(own.exponent), abs=0.02)
    assert float(other.offset) == pytest.approx(float(own.offset), abs=0.03)
    assert other.attrs["method"].startswith("specparam 2")
    if knee:
        assert float(other.knee) == pytest.approx(float(own.knee), rel=0.02)
        assert float(own.knee) == pytest.approx(15.0, rel=0.02)
    (found,) = M.rhythms(spectrum, other)
    assert found.frequency == pytest.approx(60.0, abs=0.1)


def test_specparam_agrees_on_noisy_spectra():
    pytest.importorskip("specparam")
    spectra = M.power_spectrum(signals(lambda f: f**-1.5 * peak(f, 10.0, 8.0, 1.2), channels=4, seed=20))
    own, other = (fit(spectra, low=3 * Hz, high=60 * Hz) for fit in (M.aperiodic, M.aperiodic_specparam))
    np.testing.assert_allclose(other.exponent, own.exponent, atol=0.1)
    assert ((other.exponent_low < own.exponent) & (own.exponent < other.exponent_high)).any()
    assert (other.r2 > 0.95).all()


def test_without_specparam_the_extra_is_named(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "specparam", None)
    with pytest.raises(ImportError, match=r'pip install "equipoise\[spectral\]"'):
        M.aperiodic_specparam(exact(lambda f: 1 / f))


# --- failures ---------------------------------------------------------------------------------------------------------
def test_too_few_frequencies_and_silent_channels_are_said():
    line = M.aperiodic(exact(lambda f: 1 / f), low=30.0, high=33.0)
    assert STATUS[line.status.item()] is STATUS.INSUFFICIENT_DATA
    assert np.isnan(line.exponent)
    x = np.zeros((2, 5_000))
    x[1] = np.random.default_rng(21).standard_normal(5_000)
    both = M.aperiodic(M.power_spectrum(x, sampling_rate=FS))
    assert both.status.values.tolist() == ["INSUFFICIENT_DATA", "OK"]


@pytest.mark.parametrize("detrend", ["mean", "linear"])
def test_a_dead_channel_has_no_exponent(detrend):
    """A constant leaves rounding where its mean is taken out, which has no power; the last digits of a signal have."""
    noise = np.random.default_rng(22).standard_normal(5_000)
    x = np.stack([np.full(5_000, 0.1), np.full(5_000, -1e5), 1.0 + 1e-12 * noise])
    spectra = M.power_spectrum(x, sampling_rate=FS, method=M.Welch(detrend=detrend))
    assert not spectra[:2].any()
    assert M.aperiodic(spectra).status.values.tolist() == ["INSUFFICIENT_DATA", "INSUFFICIENT_DATA", "OK"]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: M.aperiodic(np.ones(50)), TypeError, r"DataArray whose last dimension is frequency, .* got ndarray"),
        (lambda: M.aperiodic(exact(np.ones_like), low=50.0, high=30.0), ValueError, r"above low=50 Hz, got 30"),
        (
            lambda: M.aperiodic(exact(np.ones_like), high=300.0),
            ValueError,
            r"at most the last frequency, 200 Hz, got 300",
        ),
        (lambda: M.aperiodic(-10.0 * exact(np.ones_like)), ValueError, r"at least 0, got -10\. Turn decibels"),
        (lambda: M.aperiodic(exact(np.ones_like)[::-1]), ValueError, r"frequencies of spectrum must increase"),
        (
            lambda: M.rhythms(exact(np.ones_like).expand_dims("channel"), None),
            TypeError,
            r"one spectrum \(frequency,\)",
        ),
        (lambda: M.band_power(exact(np.ones_like), low=-1.0, high=2.0), ValueError, r"low .* must be above 0 Hz"),
        (lambda: M.slope_shift(exact(np.ones_like), 3.0), ValueError, r"before and after must have equal dims"),
    ],
)
def test_bad_input_is_named(make, error, message):
    with pytest.raises(error, match=message):
        make()
