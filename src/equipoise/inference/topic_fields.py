"""Fields of a recording, condition by condition: spectra, their aperiodic part, rhythms, and both over time."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise import measures
from equipoise.inference.conditions import conditions
from equipoise.inference.settings import AnalysisSettings
from equipoise.results import Epoch, Recording, Signals, Status

if TYPE_CHECKING:
    import xarray as xr

MOST_SHOWN = 8
"""Channels that are followed over time and drawn one by one."""
RANKS = 3
"""Rhythms kept of each spectrum, the highest over the line first."""
BELOW = 0.8
"""A range ends at this share of the frequency at which the recording rolls off, or its spectrum ends."""
WIDEST = 5.0
"""Spectra are kept up to so many times the upper end of the range."""
WINDOWS = 400
"""Windows over time, at most; fewer than `FEWEST` are no course of time."""
FEWEST = 4
FACTS = ("frequency", "width", "factor", "factor_low", "factor_high", "power")

Progress = Callable[[float], None]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is done to one signal: its stretches by condition, the ranges of fits [Hz], and what limits them."""

    name: str
    signals: Signals
    stretches: Mapping[str, tuple[Signals, ...]]
    end: float
    why: str

    def high(self, wanted: float) -> float:
        """The upper end of a range."""
        return min(wanted, self.end)


def why_no_fields(recording: Recording, settings: AnalysisSettings) -> str:
    """Why no signal of a recording has spectra to look at; empty where one has."""
    if not recording.signals:
        return "the recording has no signals"
    if not recording.epochs:
        return "the recording has no epochs"
    lacking = {name: _lacking(signals, recording, settings) for name, signals in recording.signals.items()}
    return "" if "" in lacking.values() else "; ".join(f"{name}: {why}" for name, why in lacking.items())


def fields_of(recording: Recording, settings: AnalysisSettings, tell: Progress) -> "xr.Dataset":
    """Spectra of every channel of all signals over (channel, condition), with what is measured in them.

    Conditions are epochs pooled by name (`conditions`); their stretches are averaged, each by its degrees of freedom.
    `power` [unit^2/Hz] over `frequency` with `power_low` and `power_high`; `line`, the aperiodic part within its range
    `range_low` to `range_high` [Hz], with a knee where that holds; `exponent`, `r2`, `n`, `left_out`, `bend`,
    `roll_off`, `status` of `measures.aperiodic`; `knee` [Hz]; `exponent_specparam` where specparam is installed (of
    channels that are `shown`); the first rhythms (`rhythm_frequency`, ...) over `rank`; `band_power`; `shift` between
    the first condition and each `other` (`measures.slope_shift`); `exponent_over_time` and `band_over_time` over
    `time` [s] of the channels shown. Signals left out are named in the attribute `left_out`.
    """
    left_out = {name: _lacking(signals, recording, settings) for name, signals in recording.signals.items()}
    chosen = [name for name, why in left_out.items() if not why]
    names, parts = list(conditions(recording.epochs)), []
    shown = max(1, MOST_SHOWN // len(chosen))
    for i, name in enumerate(chosen):
        plan = _plan(name, recording, settings)
        parts.append(_signal(plan, names, shown if i < MOST_SHOWN else 0, settings))
        tell((i + 1) / len(chosen))
    return _together(parts).assign_attrs(
        left_out=json.dumps({k: v for k, v in left_out.items() if v}, ensure_ascii=False),
        stretches=json.dumps(_stretches(recording), ensure_ascii=False),
        band=[settings.band_low, settings.band_high], confidence=settings.confidence,
        step=_step(max(recording.signals[name].duration for name in chosen), settings),
        length=settings.field_length, window=settings.field_window,
    )  # fmt: skip


# What is there --------------------------------------------------------------------------------------------------------


def _lacking(signals: Signals, recording: Recording, settings: AnalysisSettings) -> str:
    """Why a signal is left out; empty where it is not."""
    end = BELOW * 0.5 * signals.sampling_rate
    if end < 2.0 * settings.field_low:
        return (
            f"at {signals.sampling_rate:g} Hz its spectrum ends at {0.5 * signals.sampling_rate:g} Hz, less than an "
            f"octave above {settings.field_low:g} Hz"
        )
    if not any(_within(signals, epoch, settings) for epoch in recording.epochs):
        return f"no epoch holds {settings.field_window:g} s of it"
    return ""


def _within(signals: Signals, epoch: Epoch, settings: AnalysisSettings) -> Signals | None:
    """The samples of an epoch; None where they are fewer than a segment of a spectrum."""
    start, stop = max(epoch.start, signals.t_start), min(epoch.stop, signals.t_stop)
    if (stop - start) * signals.sampling_rate < settings.field_window * signals.sampling_rate + 1.0:
        return None
    return signals.between(start, stop)


def _stretches(recording: Recording) -> dict[str, list[list[float]]]:
    return {name: [[e.start, e.stop] for e in parts] for name, parts in conditions(recording.epochs).items()}


def _plan(name: str, recording: Recording, settings: AnalysisSettings) -> Plan:
    """Stretches and ranges of a signal, which end below its roll-off."""
    signals, stretches = recording.signals[name], {}
    for condition, epochs in conditions(recording.epochs).items():
        parts = [_within(signals, epoch, settings) for epoch in epochs]
        stretches[condition] = tuple(part for part in parts if part is not None)
    nyquist = 0.5 * signals.sampling_rate
    first = next(parts for parts in stretches.values() if parts)
    off = float(np.median(measures.roll_off(_spectrum(first, settings)).values))
    if off < nyquist:
        return Plan(name=name, signals=signals, stretches=stretches, end=BELOW * off,
                    why=f"power rolls off at {off:.3g} Hz")  # fmt: skip
    return Plan(name=name, signals=signals, stretches=stretches, end=BELOW * nyquist,
                why=f"the spectrum ends at {nyquist:g} Hz")  # fmt: skip


def _spectrum(stretches: tuple[Signals, ...], settings: AnalysisSettings) -> "xr.DataArray":
    """Spectra (channel, frequency) of some stretches together."""
    import xarray as xr

    method = measures.Welch(window=settings.field_window)
    each = [measures.power_spectrum(one, method=method, confidence=settings.confidence) for one in stretches]
    if len(each) == 1:
        return each[0]
    joined = xr.concat(each, dim="stretch", coords="different", compat="equals", join="exact", combine_attrs="override")
    joined = joined.transpose("stretch", "channel", "frequency")
    return measures.averaged(joined, "stretch", confidence=settings.confidence)


# One signal -----------------------------------------------------------------------------------------------------------


def _signal(plan: Plan, names: list[str], shown: int, settings: AnalysisSettings) -> "xr.Dataset":
    """All of one signal over (channel, condition)."""
    import xarray as xr

    chosen = _chosen(len(plan.signals.names), shown)
    spectra = {name: _spectrum(parts, settings) for name, parts in plan.stretches.items() if parts}
    each = [_condition(spectrum, plan, chosen, settings).expand_dims(condition=[name])
            for name, spectrum in spectra.items()]  # fmt: skip
    data = xr.concat(each, dim="condition", data_vars="all", coords="minimal", compat="override", join="exact")
    blank = {name: Status.INSUFFICIENT_DATA.name for name in data if str(name).endswith("status")}
    numbers = dict.fromkeys(("n", "left_out"), 0)
    data = data.reindex(condition=names, fill_value={**dict.fromkeys(data, np.nan), **blank, **numbers})
    data = xr.merge([data, _shifts(spectra, names, plan, settings), _over_time(plan, chosen, settings)], join="left")
    flags = np.isin(np.arange(len(plan.signals.names)), chosen)
    short = plan.high(settings.field_high) < settings.field_high
    words = f"{settings.field_low:g} to {plan.high(settings.field_high):.3g} Hz"
    words += f", since {plan.why}" if short else ""
    about = {"signal": [plan.name] * flags.size, "range": [words] * flags.size, "shown": flags}
    about["unit"] = [plan.signals.unit or "unit"] * flags.size
    return data.assign_coords({name: ("channel", values) for name, values in about.items()})


def _chosen(channels: int, shown: int) -> list[int]:
    """Numbers of the channels that are shown, evenly over all."""
    return sorted({round(i) for i in np.linspace(0, channels - 1, min(channels, shown))}) if shown else []


def _condition(spectrum: "xr.DataArray", plan: Plan, chosen: list[int], settings: AnalysisSettings) -> "xr.Dataset":
    """What is measured in the spectra (channel, frequency) of one condition."""
    low, high = settings.field_low, plan.high(settings.field_high)
    span = {"low": low, "high": high, "confidence": settings.confidence}
    line, bent = (measures.aperiodic(spectrum, knee=knee, **span) for knee in (False, True))
    holds = bent["status"] == Status.OK.name
    out = line.drop_vars("frequency", errors="ignore")
    for end in ("", "_low", "_high"):
        out[f"knee{end}"], out[f"exponent_with_knee{end}"] = bent[f"knee{end}"], bent[f"exponent{end}"]
    out["knee_status"] = bent["status"]
    kept = spectrum["frequency"] <= WIDEST * settings.field_high
    shown = spectrum.isel(frequency=kept.values & (spectrum["frequency"] > 0.0).values)
    out["power"] = _bare(shown)
    out["power_low"], out["power_high"] = (_bare(shown[name]) for name in ("low", "high"))
    f = shown["frequency"]
    drawn = measures.aperiodic_power(line, f.values).where(~holds, measures.aperiodic_power(bent, f.values))
    out["line"] = _bare(drawn.transpose("channel", "frequency").where((f >= low) & (f <= high)))
    out["range_low"], out["range_high"] = (_everywhere(line["exponent"], x) for x in (low, high))
    out = out.assign(_rhythms(spectrum, line, bent, settings))
    out = out.assign(_band(spectrum, line, settings, bent))
    if find_spec("specparam"):
        out["exponent_specparam"] = _specparam(spectrum, chosen, span)
    return out.drop_attrs(deep=False)


def _bare(array: "xr.DataArray") -> "xr.DataArray":
    """Without the coordinates that differ between stretches."""
    return array.drop_vars([name for name in array.coords if name not in ("channel", "frequency", "time")])


def _everywhere(like: "xr.DataArray", value: float) -> "xr.DataArray":
    """One value for all channels."""
    return like.copy(data=np.full(like.shape, value)).drop_attrs()


def _rhythms(
    spectrum: "xr.DataArray", line: "xr.Dataset", bent: "xr.Dataset", settings: AnalysisSettings
) -> dict[str, tuple]:
    """The highest rhythms of each channel over its line, with a knee where that holds."""
    values = np.full((len(FACTS), spectrum.sizes["channel"], RANKS), np.nan)
    for c in range(spectrum.sizes["channel"]):
        base = bent if bent["status"].values[c] == Status.OK.name else line
        found = measures.rhythms(spectrum.isel(channel=c), base.isel(channel=c), confidence=settings.confidence)
        for k, rhythm in enumerate(found[:RANKS]):
            values[:, c, k] = [getattr(rhythm, fact) for fact in FACTS]
    return {f"rhythm_{fact}": (("channel", "rank"), values[i]) for i, fact in enumerate(FACTS)}


def _band(
    spectrum: "xr.DataArray", line: "xr.Dataset", settings: AnalysisSettings, bent: "xr.Dataset | None" = None
) -> dict[str, "xr.DataArray"]:
    """Power of the band above the line, above the one with a knee where that holds; nothing beyond the spectrum."""
    if settings.band_high > float(spectrum["frequency"][-1]):
        return {}
    power = measures.band_power(
        spectrum, low=settings.band_low, high=settings.band_high, above=line, confidence=settings.confidence
    )
    parts = {"": power, "_low": power["low"], "_high": power["high"], "_status": power["status"]}
    out = {f"band_power{end}": _bare(part).drop_attrs() for end, part in parts.items()}
    if bent is None:
        return out
    better, holds = _band(spectrum, bent, settings), bent["status"] == Status.OK.name
    return {name: better[name].where(holds, part) for name, part in out.items()}


def _specparam(spectrum: "xr.DataArray", chosen: list[int], span: Mapping[str, Any]) -> tuple:
    values = np.full(spectrum.sizes["channel"], np.nan)
    if chosen:
        values[chosen] = measures.aperiodic_specparam(spectrum.isel(channel=chosen), **span)["exponent"].values
    return ("channel", values)


def _shifts(
    spectra: Mapping[str, "xr.DataArray"], names: list[str], plan: Plan, settings: AnalysisSettings
) -> "xr.Dataset":
    """Slopes of each other condition against the first one; nothing where there are no two, or no range."""
    import xarray as xr

    low, high = settings.slope_low, plan.high(settings.slope_high)
    first, *others = names
    there = [name for name in others if name in spectra]
    if first not in spectra or not there or high < 1.3 * low:
        return xr.Dataset()
    each = [
        measures.slope_shift(spectra[first], spectra[name], low=low, high=high, confidence=settings.confidence)
        for name in there
    ]
    data = xr.concat(each, dim="other", data_vars="all", coords="minimal", compat="override", join="exact")
    data = data.drop_attrs().rename({"status": "shift_status"}).assign_coords(other=there)
    return data.assign(
        shift_range_low=_everywhere(data["shift"], low), shift_range_high=_everywhere(data["shift"], high)
    )


def _step(duration: float, settings: AnalysisSettings) -> float:
    """Time between windows [s]."""
    return max(0.5 * settings.field_length, duration / WINDOWS)


def _over_time(plan: Plan, chosen: list[int], settings: AnalysisSettings) -> "xr.Dataset":
    """Exponent and band power over time of the channels shown; nothing for signals of a few windows only."""
    import xarray as xr

    signals, length = plan.signals, settings.field_length
    if not chosen or signals.duration < FEWEST * length:
        return xr.Dataset()
    parts = [_course(signals, c, plan, settings) for c in chosen]
    return xr.concat(parts, dim="channel", data_vars="all", coords="minimal", compat="override", join="exact")


def _course(signals: Signals, channel: int, plan: Plan, settings: AnalysisSettings) -> "xr.Dataset":
    """Exponent and band power over time of one channel (channel, time)."""
    import xarray as xr

    one = Signals(
        values=signals.values[[channel]], sampling_rate=signals.sampling_rate, t_start=signals.t_start,
        names=(signals.names[channel],), unit=signals.unit,
    )  # fmt: skip
    windows = measures.spectrogram(
        one, length=settings.field_length, step=_step(one.duration, settings),
        method=measures.Welch(window=settings.field_window), confidence=settings.confidence,
    )  # fmt: skip
    low, high = settings.field_low, plan.high(settings.field_high)
    lines = measures.aperiodic(windows, low=low, high=high, confidence=settings.confidence)
    out = {f"exponent_over_time{end}": lines[f"exponent{end}"] for end in ("", "_low", "_high")}
    band = _band(windows, lines, settings)
    out |= {f"band_over_time{end}": band[f"band_power{end}"] for end in ("", "_low", "_high") if band}
    return xr.Dataset(out).drop_attrs(deep=False)


# All signals ----------------------------------------------------------------------------------------------------------


def _together(parts: "list[xr.Dataset]") -> "xr.Dataset":
    """All signals along `channel`, whose names say the signal too where they would come twice."""
    import xarray as xr

    names = [str(name) for part in parts for name in part["channel"].values]
    if len(set(names)) < len(names):
        parts = [part.assign_coords(channel=[f"{s} {c}" for s, c in zip(part["signal"].values, part["channel"].values,
                 strict=True)]) for part in parts]  # fmt: skip
    data = xr.concat(parts, dim="channel", data_vars="all", coords="minimal", compat="override", join="outer")
    texts = {name: data[name].fillna("").astype(str) for name in data if data[name].dtype == object}
    data["frequency"].attrs = {"units": "Hz"}
    for axis in ("condition", "other"):
        if axis in data.coords:
            data = data.assign_coords({axis: data[axis].astype(str)})
    return data.assign(texts)
