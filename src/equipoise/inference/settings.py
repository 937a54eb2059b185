"""What an analysis assumes: the model neuron, the calcium sensor, the inputs and the surrogates."""

from dataclasses import dataclass, field, fields

from equipoise.model.calcium import Calcium
from equipoise.model.neurons import EIF, LIF
from equipoise.quantities import Quantity, check, check_fields, quantity, suggest
from equipoise.units import Hz, kHz, ms, mV, second

IRREGULARITIES = ("local", "global")
CORTICAL_NEURON = LIF(tau_m=20 * ms, v_threshold=20 * mV, v_reset=10 * mV, v_leak=0.0, tau_ref=2 * ms)

_IN_DEGREE = Quantity("number of excitatory and of inhibitory inputs", low=1.0)
_INPUT_RATE = Quantity("rate of each input", "Hz", low=0.0, high=1 * kHz, open_low=True)


@dataclass(frozen=True, kw_only=True)
class AnalysisSettings:
    """Everything `analyze` assumes; potentials are relative to rest.

    `irregularity` says which C_v the model neuron must show: "local" (C_v,local, from neighbouring intervals) or
    "global". `rate_e` and `rate_i` are the rates [Hz] of each excitatory and inhibitory input, None for the mean rate
    of the recorded population in the same epoch. `smoothing` is the kernel width [s] of the rate estimate.
    `field_low` and `field_high` are the range of aperiodic fits, `slope_low` and `slope_high` that of slopes compared
    between epochs, `band_low` and `band_high` that of the rhythm followed over time, all in Hz.
    """

    neuron: LIF | EIF = CORTICAL_NEURON
    sensor: Calcium = field(default_factory=Calcium)
    irregularity: str = "local"
    in_degrees: tuple[int, ...] = (100, 1000, 10_000)
    rate_e: float | None = None
    rate_i: float | None = None
    surrogates: int = quantity("number of surrogate trains of each kind", default=200, low=20, high=100_000)
    smoothing: float = quantity("width of the Gaussian kernel", default=1 * second, unit="ms", low=10 * ms, high=600.0)
    lvr_refractory: float = quantity("refractory constant R of LvR", default=5 * ms, unit="ms", low=0.0, high=100 * ms)
    confidence: float = quantity("confidence level of intervals", default=0.95, low=0.5, high=0.9999)
    seed: int = quantity("seed of the surrogates", default=1, low=0)
    criticality_samples: int = quantity("bootstrap samples of avalanches", default=50, low=20, high=100_000)
    branching_lags: int = quantity("lags of the branching ratio, of 4 ms", default=250, low=10, high=100_000)
    null_width: float = quantity("smoothing of the rate null", default=100 * ms, unit="ms", low=1 * ms, high=600.0)
    field_low: float = quantity("lower end of aperiodic fits", default=3 * Hz, unit="Hz", low=0.0, open_low=True)
    field_high: float = quantity("upper end of aperiodic fits", default=40 * Hz, unit="Hz", low=0.0, open_low=True)
    slope_low: float = quantity("lower end of slopes compared", default=30 * Hz, unit="Hz", low=0.0, open_low=True)
    slope_high: float = quantity("upper end of slopes compared", default=50 * Hz, unit="Hz", low=0.0, open_low=True)
    band_low: float = quantity("lower end of the band over time", default=8 * Hz, unit="Hz", low=0.0, open_low=True)
    band_high: float = quantity("upper end of the band over time", default=13 * Hz, unit="Hz", low=0.0, open_low=True)
    field_window: float = quantity("segment of spectra", default=2 * second, unit="second", low=10 * ms, high=600.0)
    field_length: float = quantity("window of spectra over time", default=10 * second, unit="second", low=0.1)

    def __post_init__(self):
        check_fields(self)
        for name in ("surrogates", "seed", "criticality_samples", "branching_lags"):
            object.__setattr__(self, name, _whole(name, getattr(self, name)))
        _check_ranges(self)
        if not isinstance(self.neuron, LIF | EIF):
            raise TypeError(
                f"AnalysisSettings.neuron must be an eq.LIF or eq.EIF, whose membrane the report describes, "
                f"got {self.neuron!r}."
            )
        if not isinstance(self.sensor, Calcium):
            raise TypeError(f"AnalysisSettings.sensor must be an eq.Calcium, got {self.sensor!r}.")
        if self.irregularity not in IRREGULARITIES:
            hint = suggest(str(self.irregularity), IRREGULARITIES)
            raise ValueError(f"AnalysisSettings.irregularity must be local or global, got {self.irregularity!r}.{hint}")
        object.__setattr__(self, "in_degrees", _in_degrees(self.in_degrees))
        for name in ("rate_e", "rate_i"):
            given = getattr(self, name)
            if given is not None:
                object.__setattr__(self, name, check(f"AnalysisSettings.{name}", given, _INPUT_RATE))

    def table(self) -> list[tuple[str, str, str]]:
        """Name, value with unit, and meaning of every parameter, for people."""
        rows = [*_rows("neuron", self.neuron), *_rows("sensor", self.sensor)]
        rate = "mean rate of the recorded population in the epoch"
        for name, kind in (("rate_e", "excitatory"), ("rate_i", "inhibitory")):
            given = getattr(self, name)
            rows.append((name, rate if given is None else f"{given / Hz:g} Hz", f"rate of each {kind} input"))
        degrees = ", ".join(f"{K}" for K in self.in_degrees)
        rows.append(("in_degrees", degrees, "numbers K of excitatory and of inhibitory inputs"))
        rows.append(("irregularity", self.irregularity, "which C_v the model neuron must show"))
        return rows + _rows("", self)


def _rows(prefix: str, owner: object) -> list[tuple[str, str, str]]:
    rows = []
    for f in fields(owner):  # type: ignore[arg-type]
        about = f.metadata.get("quantity")
        if about is not None:
            volts = f.name.startswith("v_") or f.name == "slope"
            scale, unit = (1 * mV, "mV") if volts else (about.scale, about.unit.replace("uM", "µM"))
            value = f"{getattr(owner, f.name) / scale:g} {unit}".strip()
            rows.append((f"{prefix}.{f.name}".strip("."), value, about.meaning))
    return rows


def _check_ranges(settings: AnalysisSettings) -> None:
    for name in ("field", "slope", "band"):
        low, high = (getattr(settings, f"{name}_{end}") for end in ("low", "high"))
        if not low < high:
            raise ValueError(f"AnalysisSettings.{name}_high must be above {name}_low={low:g} Hz, got {high:g} Hz.")
    if settings.field_length < settings.field_window:
        raise ValueError(
            f"AnalysisSettings.field_length must be at least field_window={settings.field_window:g} s, got "
            f"{settings.field_length:g} s."
        )


def _whole(name: str, value: float) -> int:
    if value != int(value):
        raise ValueError(f"AnalysisSettings.{name} must be a whole number, got {value:g}.")
    return int(value)


def _in_degrees(given) -> tuple[int, ...]:
    numbers = tuple(int(check("AnalysisSettings.in_degrees", K, _IN_DEGREE)) for K in given)
    if not numbers or len(set(numbers)) != len(numbers):
        raise ValueError(f"AnalysisSettings.in_degrees must be different numbers such as (100, 1000), got {given!r}.")
    return tuple(sorted(numbers))
