"""All measures of criticality of one recording, with chance beside them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from equipoise.measures.alternatives import likelihood_ratios
from equipoise.measures.avalanches import avalanches, mean_interval, spikes_of
from equipoise.measures.branching import BranchingRatio, branching_ratio
from equipoise.measures.crackling import Deviation, crackling, deviation
from equipoise.measures.nulls import interval_null, poisson_null, rate_null, shift_null
from equipoise.measures.power_laws import FEWEST, Goodness, PowerLawFit, goodness_of_fit, power_law
from equipoise.quantities import Quantity, check, seed_sequence
from equipoise.results import Avalanches, Recording, SpikeTrains, Status
from equipoise.units import hour, ms

if TYPE_CHECKING:
    import xarray as xr

SHORT = 1.0
"""Decades that a range of sizes must have to show a power law at all."""
_WIDTH = Quantity("width of the smoothing of rates", "ms", low=0.0, high=1 * hour, open_low=True)


@dataclass(frozen=True, eq=False, kw_only=True)
class Signature:
    """Avalanches of some activity, the exponents of sizes, durations and crackling, deviation and branching ratio."""

    avalanches: Avalanches
    sizes: PowerLawFit
    durations: PowerLawFit
    crackling: "xr.DataArray"
    deviation: Deviation
    branching: BranchingRatio

    def numbers(self) -> dict[str, tuple[float, float, float]]:
        """Value, low and high end by name."""
        named = {
            "size_exponent": self.sizes,
            "duration_exponent": self.durations,
            "crackling": self.crackling,
            "deviation": self.deviation,
            "branching_ratio": self.branching,
        }
        return {name: (float(it), float(it.low), float(it.high)) for name, it in named.items()}


@dataclass(frozen=True, eq=False, kw_only=True)
class Criticality:
    """The signature of a recording, those of its `nulls` by name, and how well a power law describes its sizes.

    `bin` [s] is that of the avalanches; `reasons` say what speaks against reading these numbers as criticality.
    """

    bin: float
    found: Signature
    nulls: Mapping[str, Signature]
    goodness: Goodness
    alternatives: "xr.Dataset"
    reasons: tuple[str, ...]

    @property
    def status(self) -> Status:
        """INSUFFICIENT_DATA without exponents, DOUBTFUL with reasons."""
        if not np.isfinite(self.found.sizes.value):
            return Status.INSUFFICIENT_DATA
        return Status.DOUBTFUL if self.reasons else Status.OK

    def table(self) -> "xr.Dataset":
        """Each number with its ends over `source`: the recording and its nulls; p and log-likelihood ratios beside."""
        import xarray as xr

        sources = {"recording": self.found, **self.nulls}
        rows = [one.numbers() for one in sources.values()]
        variables: dict[str, tuple] = {name: (("source", "end"), [row[name] for row in rows]) for name in rows[0]}
        variables["avalanches"] = ("source", [len(one.avalanches) for one in sources.values()])
        beside = self.alternatives[["ratio", "p"]].rename(ratio="log_likelihood_ratio", p="p_of_ratio")
        attrs = {"bin": self.bin, "p": self.goodness.p, "status": self.status.name, "reasons": "; ".join(self.reasons)}
        coords = {"source": list(sources), "end": ["value", "low", "high"]}
        return xr.Dataset(variables, coords=coords, attrs=attrs).merge(beside)

    def __repr__(self) -> str:
        names = list(self.found.numbers())
        lines = [f"Criticality at bins of {self.bin / ms:.3g} ms [{self.status.name}]", " " * 12 + "".join(
            f"{name:>19s}" for name in names
        )]  # fmt: skip
        for source, one in {"recording": self.found, **self.nulls}.items():
            lines.append(f"{source:12s}" + "".join(f"{value:19.3f}" for value, _, _ in one.numbers().values()))
        return "\n".join([*lines, *(f"- {reason}" for reason in self.reasons)])


def criticality(
    trains: SpikeTrains | Recording,
    *,
    seed: int | np.random.SeedSequence,
    bin: float | None = None,  # noqa: A002
    kmax: int = 250,
    offset: bool = True,
    width: float = 100 * ms,
    samples: int = 100,
) -> Criticality:
    """Avalanches, their exponents, crackling, DCC and branching ratio of spike trains, each beside chance.

    Avalanches have bins of `bin` [s], by default the mean interval between spikes of all units, and no threshold; x_min
    of sizes and durations is chosen by the Kolmogorov-Smirnov distance. The branching ratio has bins of `bin`, by
    default of 4 ms, lags up to `kmax` and, since rates drift in recordings, an `offset`. The nulls are "poisson",
    "rate" (smoothed over `width` [s]), "intervals" and "shift", measured in the same bins. `samples` are those of the
    bootstraps; p has an error of 0.5/sqrt(samples) at most. Nothing here can show that a system is critical: see
    `reasons`, and whether chance gives the same.
    """
    spikes = spikes_of("measures.criticality", trains)
    smooth = check("measures.criticality: width", width, _WIDTH)
    seeds = seed_sequence(seed).spawn(10)
    own = mean_interval(spikes) if bin is None else bin
    # Without two times at which there are spikes there is no bin, and no avalanche in any.
    shared = {
        "width": own if own > 0.0 else spikes.duration,
        "branching": bin,
        "kmax": kmax,
        "offset": offset,
        "samples": samples,
    }
    found = _signature(spikes, seeds[0], shared)
    made = {
        "poisson": poisson_null(spikes, seed=seeds[1]),
        "rate": rate_null(spikes, width=smooth, seed=seeds[2]),
        "intervals": interval_null(spikes, seed=seeds[3]),
        "shift": shift_null(spikes, seed=seeds[4]),
    }
    nulls = {name: _signature(null, seeds[5 + i], shared) for i, (name, null) in enumerate(made.items())}
    goodness = goodness_of_fit(found.avalanches.sizes, found.sizes, seed=seeds[9], samples=samples)
    others = likelihood_ratios(found.avalanches.sizes, found.sizes)
    reasons = tuple(_reasons(found, nulls, goodness, others))
    return Criticality(
        bin=shared["width"], found=found, nulls=nulls, goodness=goodness, alternatives=others, reasons=reasons
    )


def _signature(spikes: SpikeTrains, seed: np.random.SeedSequence, shared: dict) -> Signature:
    found = avalanches(spikes, bin=shared["width"])
    sizes, durations = (power_law(values, x_min=None) for values in (found.sizes, found.durations))
    first = int(durations.x_min) if np.isfinite(durations.x_min) else 1
    return Signature(
        avalanches=found,
        sizes=sizes,
        durations=durations,
        crackling=crackling(found, low=first),
        deviation=deviation(found, sizes, durations, seed=seed, samples=shared["samples"]),
        branching=branching_ratio(spikes, bin=shared["branching"], kmax=shared["kmax"], offset=shared["offset"]),
    )


def _reasons(found: Signature, nulls: Mapping[str, Signature], goodness: Goodness, others: "xr.Dataset"):
    """What speaks against a critical point, or against knowing."""
    if not np.isfinite(found.sizes.value):
        yield f"{len(found.avalanches)} avalanches are too few for exponents ({FEWEST} of two lengths at least)"
    else:
        yield from _against_sizes(found, goodness, others)
    for name, null in nulls.items():
        ours, chance = found.numbers()["crackling"], null.numbers()["crackling"]
        if np.isfinite(ours[0] + chance[0]) and ours[1] <= chance[2] and chance[1] <= ours[2]:
            yield f"the crackling exponent is that of the {name} null ({ours[0]:.2f} beside {chance[0]:.2f})"
    yield from (f"branching ratio: {reason}" for reason in found.branching.reasons)


def _against_sizes(found: Signature, goodness: Goodness, others: "xr.Dataset"):
    decades = np.log10(found.avalanches.sizes.max() / found.sizes.x_min)
    if decades < SHORT:
        yield f"the power law of sizes spans {decades:.1f} decades"
    if goodness.p <= 0.1:
        yield f"sizes are no power law (p = {goodness.p:.2g})"
    for name in others["alternative"].values:
        one = others.sel(alternative=name)
        if float(one["ratio"]) < 0.0 and float(one["p"]) < 0.05:
            yield f"{str(name).replace('_', ' ')} describes sizes better (p = {float(one['p']):.2g})"
    if found.deviation.low > 0.0:
        yield f"the crackling relation fails by {found.deviation.value:.2f}"
