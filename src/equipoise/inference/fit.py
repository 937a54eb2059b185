"""Fit a circuit to a recording: `fit`.

Each population of each epoch is described as mean field describes it: the input mu_i of its neurons is spread over the
population, mu_i ~ N(mu, Delta^2), because wiring is random (quenched), and fluctuates in time with one sigma. Rates
and irregularities of the recorded units are known with an error, which the likelihood contains: in short recordings
the scatter of counts is not taken for a spread of inputs, and silent units count.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from equipoise.inference import fit_network, fit_population
from equipoise.inference.fit_data import Indices, Observed, drifting, epochs_of, observe, populations_of
from equipoise.inference.fit_likelihood import Law, Response, integrate
from equipoise.inference.fit_network import NetworkFit
from equipoise.inference.fit_population import NAMES, Likelihood, Maximum, Replicas
from equipoise.inference.settings import CORTICAL_NEURON, IRREGULARITIES
from equipoise.measures.estimates import level
from equipoise.model.calcium import Calcium
from equipoise.model.circuit import Circuit
from equipoise.model.homeostasis import CalciumSetPoint
from equipoise.model.neurons import ConductanceLIF, IntegrateAndFire
from equipoise.quantities import Array, Quantity, check, check_fields, finite, quantity, seed_sequence, suggest, whole
from equipoise.renewal.calcium import calcium_moments
from equipoise.renewal.inverse import input_for
from equipoise.renewal.laws import NeuronISI
from equipoise.renewal.traces import calcium_moments_of
from equipoise.results import Epoch, NumericalFailure, Recording, SpikeTrains, Status
from equipoise.units import Hz, kHz

if TYPE_CHECKING:
    import xarray as xr

LEAST_UNITS, LEAST_IRREGULARITIES = 5, 3
TOLERATED_DRIFT = 0.05
"""Share of drifting units that is not worth a remark."""
DOUBTFUL = 0.01
"""Probability of a distance as large as the one found, below which a law is said not to fit."""
UNITS = {"mu": "V/s", "delta": "V/s", "sigma": "V/sqrt(s)", "cv_spread": "1"}
_IN_DEGREE = Quantity("mean number of inputs of each projection", low=1.0)
_SOURCE_RATE = Quantity("rate of each external input", "Hz", low=0.0, high=1 * kHz, open_low=True)


@dataclass(frozen=True, kw_only=True)
class FitSettings:
    """How `fit` reads trains and how it judges itself.

    `irregularity`: "global" C_v, or "local" C_v,local, which slow changes of rate leave alone. `bootstrap` is the
    number of replicas behind intervals and goodness of fit; 0 gives intervals from the observed information alone.
    """

    irregularity: str = "global"
    bootstrap: int = quantity("number of bootstrap replicas", default=50, low=0, high=100_000)
    confidence: float = quantity("confidence level of intervals", default=0.95, low=0.5, high=0.9999)

    def __post_init__(self):
        check_fields(self)
        object.__setattr__(self, "bootstrap", whole("FitSettings.bootstrap", self.bootstrap))
        if self.irregularity not in IRREGULARITIES:
            hint = suggest(str(self.irregularity), IRREGULARITIES)
            raise ValueError(f"FitSettings.irregularity must be local or global, got {self.irregularity!r}.{hint}")


@dataclass(frozen=True)
class Estimate:
    """A value with the ends of its confidence interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"


@dataclass(frozen=True)
class Agreement:
    """Kolmogorov's distance between data and fitted law, and its bootstrap probability (NaN without replicas)."""

    distance: float
    p: float


_UNKNOWN = Estimate(math.nan, math.nan, math.nan)


@dataclass(frozen=True, eq=False, kw_only=True)
class PopulationFit:
    """One population in one epoch.

    `mu` and `delta`, mean and quenched SD of the mean input [V/s]; `sigma`, its temporal noise [V/sqrt(s)];
    `cv_spread`, the SD of log C_v between units beyond what their mu explains. `rate` [Hz], `second_moment` [Hz^2] and
    `cv` are averages over the fitted population, silent neurons included (`cv`: over its spikes). `calcium` are the
    population's mean calcium moments, the set point at which homeostasis would hold it; `calcium_seen` those of the
    recorded spikes. `count_dispersion`: variance of counts beside that of renewal trains. `n_drifting` units change
    their rate between the halves of the epoch, `n_unreachable` have a rate and C_v that no plausible input gives.
    """

    name: str
    epoch: str
    n_units: int
    n_silent: int
    n_irregularities: int
    n_drifting: int
    n_unreachable: int
    duration: float
    mu: Estimate = _UNKNOWN
    delta: Estimate = _UNKNOWN
    sigma: Estimate = _UNKNOWN
    cv_spread: Estimate = _UNKNOWN
    covariance: Array = field(default_factory=lambda: np.full((4, 4), np.nan), repr=False)
    rate: float = math.nan
    second_moment: float = math.nan
    cv: float = math.nan
    calcium: CalciumSetPoint | None = None
    calcium_seen: tuple[float, float] = (math.nan, math.nan)
    rates_agree: Agreement = Agreement(math.nan, math.nan)
    irregularities_agree: Agreement = Agreement(math.nan, math.nan)
    count_dispersion: float = math.nan
    log_likelihood: float = math.nan
    status: Status = Status.INSUFFICIENT_DATA
    message: str = ""

    @property
    def law(self) -> Law:
        """The fitted distribution of inputs."""
        return Law(self.mu.value, self.delta.value, self.sigma.value, self.cv_spread.value)

    def __repr__(self) -> str:
        head = f"{self.name}, {self.epoch}: {self.status.name}, {self.n_units} units ({self.n_silent} silent)"
        rows = [head]
        if self.status.usable:
            rows.append(f"  mu {self.mu} V/s, Delta {self.delta} V/s, sigma {self.sigma} V/sqrt(s)")
            rows.append(f"  rate {self.rate:.4g} Hz, its SD {self._rate_sd:.4g} Hz, spread of log C_v {self.cv_spread}")
        return "\n".join(rows + ([f"  {self.message}"] if self.message else []))

    @property
    def _rate_sd(self) -> float:
        return math.sqrt(max(self.second_moment - self.rate**2, 0.0))


@dataclass(frozen=True, eq=False, kw_only=True)
class Fit:
    """What `fit` found; ``fit["E", "wake"]`` is one population in one epoch.

    `persistence` maps (population, first epoch, second epoch) to the correlation of mu_i between epochs: 1 where every
    unit keeps its place in the population.
    """

    neuron: IntegrateAndFire
    sensor: Calcium
    populations: Mapping[tuple[str, str], PopulationFit]
    persistence: Mapping[tuple[str, str, str], Estimate]

    def __getitem__(self, key: tuple[str, str]) -> PopulationFit:
        if key not in self.populations:
            known = ", ".join(f"{name!r}, {epoch!r}" for name, epoch in self.populations)
            raise KeyError(f"Fit: no population and epoch {key!r}. Known: {known}.")
        return self.populations[key]

    @property
    def status(self) -> Status:
        """The worst of the populations' states."""
        return max((p.status for p in self.populations.values()), key=_ORDER.index)

    def __repr__(self) -> str:
        rows = [repr(p) for p in self.populations.values()]
        rows += [f"mu of {p} from {a} to {b}: correlation {r}" for (p, a, b), r in self.persistence.items()]
        return "\n".join(["Fit", *rows])

    def table(self) -> "xr.Dataset":
        """All numbers over (population, epoch), with `_low` and `_high` where there are intervals."""
        import xarray as xr

        names, epochs = (list(dict.fromkeys(key[i] for key in self.populations)) for i in range(2))
        data = {}
        for column in NAMES:
            for end, suffix in (("value", ""), ("low", "_low"), ("high", "_high")):
                values = [[getattr(getattr(self[n, e], column), end) for e in epochs] for n in names]
                data[column + suffix] = (("population", "epoch"), values, {"units": UNITS[column]})
        for column in _PLAIN:
            data[column] = (("population", "epoch"), [[getattr(self[n, e], column) for e in epochs] for n in names])
        for column in ("rates_agree", "irregularities_agree"):
            data[column] = (("population", "epoch"), [[getattr(self[n, e], column).p for e in epochs] for n in names])
        status = [[self[n, e].status.name for e in epochs] for n in names]
        data["status"] = (("population", "epoch"), status)
        return xr.Dataset(data, coords={"population": names, "epoch": epochs})

    def weights(
        self, *, K: ArrayLike, source_rate: ArrayLike | None = None, epoch: str | None = None
    ) -> "xr.Dataset":
        """The identified set of weights of a network of E and I: J [V] over in-degree `K` and `source_rate` [Hz].

        `scaled` is sqrt(K) J over (K, source_rate, solution, target, source), NaN where there is no solution, with the
        drive [V/s] of each target and the `reason`. Without a source rate the external input is a tonic drive. These
        are limits of large K; `circuit` is exact at its K. `ratio` is Delta^2/sigma^2 [Hz] of each target.
        """
        import xarray as xr

        laws, (rates, seconds) = self._pair(epoch), self._moments(epoch)
        degrees = np.atleast_1d(finite("Fit.weights", "K", K, low=1.0))
        sources = [None] if source_rate is None else np.atleast_1d(
            finite("Fit.weights", "source_rate", source_rate, low=0.0, open_low=True)
        ).tolist()  # fmt: skip
        m, most = 2 if source_rate is None else 3, 4
        scaled = np.full((degrees.size, len(sources), most, 2, m), np.nan)
        drive, reason = np.full(scaled.shape[:-1], np.nan), np.full((degrees.size, len(sources), 2), "", dtype=object)
        for i, k in enumerate(degrees.tolist()):
            for j, r in enumerate(sources):
                for a, one in enumerate(fit_network.rows(laws, rates, seconds, k, r)):
                    n = min(most, len(one.weights))
                    scaled[i, j, :n, a], drive[i, j, :n, a], reason[i, j, a] = one.weights[:n], one.drive[:n], one.reason
        used = max(1, int(np.isfinite(scaled).any(axis=(0, 1, 3, 4)).sum()))
        over = ("K", "source_rate", "solution", "target")
        ratio = [law.delta**2 / law.sigma**2 for law in laws]
        return xr.Dataset(
            {
                "scaled": ((*over, "source"), scaled[:, :, :used], {"units": "V", "long_name": "sqrt(K) J"}),
                "drive": (over, drive[:, :, :used], {"units": "V/s"}),
                "ratio": ("target", ratio, {"units": "Hz", "long_name": "Delta^2/sigma^2"}),
                "reason": (("K", "source_rate", "target"), reason.astype(str)),
            },
            coords={
                "K": degrees,
                "source_rate": [math.nan] if source_rate is None else sources,
                "target": ["E", "I"],
                "source": ["E", "I", "X"][:m],
            },
        )

    def network(self, *, K: float, source_rate: float | None = None, epoch: str | None = None) -> NetworkFit:
        """The network of E and I at in-degree K whose own mean field has the fitted mu, Delta and sigma.

        With a `source_rate` [Hz] the external input is a Poisson source, otherwise a tonic drive. The status says
        whether there is one, and whether its state is stable.
        """
        degree = check("Fit.network: K", K, _IN_DEGREE)
        rate = None if source_rate is None else check("Fit.network: source_rate", source_rate, _SOURCE_RATE)
        return fit_network.network(self.neuron, self._pair(epoch), degree, rate)

    def circuit(self, *, K: float, source_rate: float | None = None, epoch: str | None = None) -> Circuit:
        """The circuit of `network`; raises NumericalFailure where there is none with a stable state."""
        found = self.network(K=K, source_rate=source_rate, epoch=epoch)
        if found.status is not Status.OK or found.circuit is None:
            raise NumericalFailure(found.status, f"Fit.circuit: {found.message}")
        return found.circuit

    def _pair(self, epoch: str | None) -> tuple[Law, Law]:
        epochs = list(dict.fromkeys(e for _, e in self.populations))
        if epoch is None and len(epochs) > 1:
            raise ValueError(f"Fit: epoch must be one of {', '.join(epochs)}; the fit has several, got none.")
        chosen = epochs[0] if epoch is None else epoch
        if not {("E", chosen), ("I", chosen)} <= set(self.populations):
            known = ", ".join(f"{name!r} in {e!r}" for name, e in self.populations)
            raise ValueError(
                f"Fit: a network needs populations called 'E' and 'I' in epoch {chosen!r}, got {known}. "
                "Give the types of the units, for example populations={'E': [...], 'I': [...]}."
            )
        both = self[("E", chosen)], self[("I", chosen)]
        for one in both:
            if not one.status.usable:
                raise NumericalFailure(one.status, f"Fit: {one.name} in {chosen!r} could not be fitted. {one.message}")
        return both[0].law, both[1].law

    def _moments(self, epoch: str | None) -> tuple[Array, Array]:
        return fit_network.firing(self.neuron, self._pair(epoch))


_PLAIN = ("rate", "second_moment", "cv", "n_units", "n_silent", "n_drifting", "n_unreachable", "count_dispersion")
_ORDER = [Status.OK, Status.APPROXIMATE, Status.IMPLAUSIBLE, Status.NOT_CONVERGED, Status.INSUFFICIENT_DATA]


def fit(
    recording: Recording | SpikeTrains,
    settings: FitSettings | None = None,
    *,
    neuron: IntegrateAndFire = CORTICAL_NEURON,
    sensor: Calcium | None = None,
    populations: str | Mapping[str, Sequence[int]] | None = None,
    epochs: Sequence[str] | None = None,
    seed: int = 0,
) -> Fit:
    """Fit mean-field populations of `neuron` to the units of a recording, epoch by epoch.

    `populations` is a label of the units ("region"), a mapping {name: indices}, or None for the types E and I where
    the recording has them, else one population "all". `seed` is that of the bootstrap. Results that cannot be vouched
    for carry a Status; raises TypeError or ValueError for other arguments.
    """
    settings = FitSettings() if settings is None else settings
    sensor = Calcium() if sensor is None else sensor
    recording = _checked(recording, settings, neuron, sensor)
    groups, parts = populations_of(recording, populations), epochs_of(recording, epochs)
    job = _Job(Response(neuron), sensor, settings)
    seeds = seed_sequence(seed).spawn(len(groups) * len(parts))
    found, laws = {}, {}
    for k, (name, epoch) in enumerate((name, epoch) for name in groups for epoch in parts):
        spikes = recording.spikes.between(epoch.start, epoch.stop)
        found[name, epoch.name], laws[name, epoch.name] = job.fit(name, epoch, spikes, groups[name], seeds[k])
    pairs = [(n, a.name, b.name) for n in groups for i, a in enumerate(parts) for b in parts[i + 1 :]]
    usable = [p for p in pairs if all(found[p[0], e].status.usable for e in p[1:])]
    persistence = {p: _persistence(laws[p[0], p[1]], laws[p[0], p[2]], settings.confidence) for p in usable}
    return Fit(neuron=neuron, sensor=sensor, populations=found, persistence=persistence)


def _checked(recording: object, settings: object, neuron: object, sensor: object) -> Recording:
    """The recording; TypeError for anything that is not what `fit` takes."""
    if isinstance(recording, SpikeTrains):
        recording = Recording(recording, tuple(str(i) for i in range(recording.n_units)), ())
    if not isinstance(recording, Recording):
        raise TypeError(f"fit: recording must be a Recording or SpikeTrains, got {recording!r}.")
    if not isinstance(settings, FitSettings):
        raise TypeError(f"fit: settings must be a FitSettings, got {settings!r}.")
    if not isinstance(neuron, IntegrateAndFire) or isinstance(neuron, ConductanceLIF):
        raise TypeError(f"fit: neuron must be an integrate-and-fire neuron such as eq.LIF(), got {neuron!r}.")
    if not isinstance(sensor, Calcium):
        raise TypeError(f"fit: sensor must be an eq.Calcium, got {sensor!r}.")
    return recording


@dataclass(frozen=True)
class _Job:
    """What all populations of a fit share."""

    response: Response
    sensor: Calcium
    settings: FitSettings

    def fit(
        self, name: str, epoch: Epoch, spikes: SpikeTrains, units: Indices, seed: np.random.SeedSequence
    ) -> tuple[PopulationFit, tuple[Likelihood, Law] | None]:
        """One population in one epoch, with the likelihood that belongs to it."""
        seen = observe(spikes, units, self.settings.irregularity)
        drift = drifting(spikes, units, seen)
        facts = {
            "name": name,
            "epoch": epoch.name,
            "n_units": seen.n,
            "n_silent": int((seen.counts == 0).sum()),
            "n_irregularities": int(seen.has_cv.sum()),
            "n_drifting": int(drift.sum()),
            "n_unreachable": self._unreachable(seen),
            "duration": seen.duration,
            "count_dispersion": seen.count_dispersion,
            "calcium_seen": self._calcium_seen(spikes, units),
        }
        refused = _refusal(seen)
        if refused:
            return PopulationFit(**facts, message=refused), None
        likelihood = Likelihood(self.response, seen)
        best = fit_population.maximize(likelihood, fit_population.first_guess(likelihood))
        result = PopulationFit(**facts, **self._estimates(likelihood, best, seed))
        status, message = self._judge(result, best)
        return _with(result, status=status, message=message), (likelihood, likelihood.law(best.theta))

    def _unreachable(self, seen: Observed) -> int:
        known = seen.has_cv
        if not known.any():
            return 0
        rate, cv = seen.counts[known] / seen.duration, np.exp(seen.log_cv[known])
        found = input_for(self.response.neuron, rate=rate, cv=cv, throw=False)
        return int(sum(s is not Status.OK for s in np.atleast_1d(found.status)))

    def _calcium_seen(self, spikes: SpikeTrains, units: Indices) -> tuple[float, float]:
        """Averages over units of both moments of the calcium that the recorded spikes cause."""
        discard = min(10.0 * self.sensor.tau, 0.1 * spikes.duration)
        moments = calcium_moments_of(self.sensor, spikes, discard=discard)
        return float(moments.mean[units].mean()), float(moments.second_moment[units].mean())

    def _estimates(self, likelihood: Likelihood, best: Maximum, seed: np.random.SeedSequence) -> dict:
        matrix = fit_population.covariance(likelihood, best)
        errors = np.sqrt(np.diag(matrix))
        replicas = fit_population.replicate(likelihood, best, self.settings.bootstrap, seed)
        ends = fit_population.intervals(best, errors, replicas, self.settings.confidence)
        law = likelihood.law(best.theta)
        rows = zip(*(_natural(likelihood.law(theta)) for theta in (best.theta, *ends)), strict=True)
        estimates = {name: Estimate(*row) for name, row in zip(NAMES, rows, strict=True)}
        pits = fit_population.rate_pit(likelihood, law), fit_population.cv_pit(likelihood, law)
        agree = [_agreement(fit_population.distance(u), replicas, k) for k, u in enumerate(pits)]
        return estimates | {
            "covariance": matrix,
            "log_likelihood": best.log_likelihood,
            "rates_agree": agree[0],
            "irregularities_agree": agree[1],
            **self._population(law),
        }

    def _population(self, law: Law) -> dict:
        """Averages over the fitted population."""
        z = np.linspace(-8.0, 8.0, 641)
        weights = np.exp(-0.5 * z * z)
        weights /= weights.sum()
        mu = law.mu + law.delta * z
        x, y = self.response.values(mu, law.sigma)
        rate = np.exp(x)
        r = float(weights @ rate)
        firing = rate > 1e-9
        moments = calcium_moments(self.sensor, NeuronISI(self.response.neuron, mu=mu[firing], sigma=law.sigma))
        mean, second = (float(weights[firing] @ m) for m in moments)
        return {
            "rate": r,
            "second_moment": float(weights @ rate**2),
            "cv": float(weights @ (rate * np.exp(y))) / r,
            "calcium": CalciumSetPoint(mean=mean, second_moment=second),
        }

    def _judge(self, found: PopulationFit, best: Maximum) -> tuple[Status, str]:
        """The worst thing to be said of a fit, and all of them in words."""
        remarks = list(self._remarks(found, best))
        status = max((s for s, _ in remarks), key=_ORDER.index, default=Status.OK)
        return status, " ".join(text for _, text in remarks)

    def _remarks(self, found: PopulationFit, best: Maximum):
        if not best.converged:
            yield Status.NOT_CONVERGED, "the search for the maximum of the likelihood stopped early."
        for name, low, high in zip(NAMES[:3], *_edges(best), strict=True):
            if high or (low and name != "delta"):
                yield Status.IMPLAUSIBLE, f"{name} ends at the edge of its range; no input of this neuron fits."
            elif low:
                yield Status.APPROXIMATE, "all units fire alike: delta is not distinguished from 0."
        centre = (v[0] for v in self.response.values(np.array([found.mu.value]), found.sigma.value))
        log_rate, log_cv = map(float, centre)
        there = input_for(self.response.neuron, rate=math.exp(log_rate), cv=math.exp(log_cv), throw=False)
        if there.status is Status.IMPLAUSIBLE:
            yield Status.IMPLAUSIBLE, "at its centre: " + there.message.removeprefix("input_for: ")
        if 2 * found.n_unreachable > found.n_irregularities:
            share = f"{found.n_unreachable} of {found.n_irregularities} units"
            yield Status.IMPLAUSIBLE, f"{share} have a rate and C_v that no plausible input of this neuron gives."
        if found.n_drifting > max(1, TOLERATED_DRIFT * found.n_units):
            units = f"{found.n_drifting} of {found.n_units} units"
            yield Status.APPROXIMATE, f"{units} fire differently in the two halves of the epoch: it is not stationary."
        for what, agree in (("rates", found.rates_agree), ("irregularities", found.irregularities_agree)):
            if agree.p < DOUBTFUL:
                yield Status.APPROXIMATE, f"the {what} are not distributed as in the fitted population (p={agree.p:.2g})."


def _edges(best: Maximum):
    low = best.bound & (best.theta <= fit_population.LOW + 1e-6)
    return low[:3], (best.bound & ~low)[:3]


def _refusal(seen: Observed) -> str:
    """Why a population cannot be fitted, or nothing."""
    if seen.n < LEAST_UNITS:
        return f"{seen.n} units; at least {LEAST_UNITS} are needed to tell a spread of inputs."
    n = int(seen.has_cv.sum())
    if n < LEAST_IRREGULARITIES:
        return f"{n} units have ten intervals; {LEAST_IRREGULARITIES} are needed to tell sigma from mu. Record longer."
    return ""


def _natural(law: Law) -> tuple[float, float, float, float]:
    return law.mu, law.delta, law.sigma, law.tau


def _agreement(distance: float, replicas: Replicas, k: int) -> Agreement:
    others = replicas.distances[:, k]
    if not others.size:
        return Agreement(distance, math.nan)
    return Agreement(distance, float(1 + (others >= distance).sum()) / (1 + others.size))


def _with(found: PopulationFit, **changes) -> PopulationFit:
    from dataclasses import replace

    return replace(found, **changes)


def _persistence(first, second, confidence: float) -> Estimate:
    """Correlation of mu_i between two epochs, by maximum likelihood with both marginals held; profile interval.

    With z the standardized inputs, L(rho)/L(0) = E[phi_2(z_1, z_2; rho)/(phi(z_1) phi(z_2))] over both posteriors.
    """
    from scipy.optimize import brentq, minimize_scalar

    (one, law_1), (two, law_2) = first, second
    found = [integrate(like.response, like.seen, law) for like, law in (first, second)]
    z = [(p.mu - law.mu) / law.delta for p, law in zip(found, (law_1, law_2), strict=True)]
    a, b = z[0][:, :, None], z[1][:, None, :]
    weights = found[0].weights[:, :, None] * found[1].weights[:, None, :]

    def loss(rho: float) -> float:
        s = 1.0 - rho * rho
        exponent = (rho * a * b - 0.5 * rho * rho * (a * a + b * b)) / s - 0.5 * math.log(s)
        return -float(np.log((weights * np.exp(np.minimum(exponent, 700.0))).sum(axis=(1, 2)) + 1e-300).sum())

    edge = 0.999
    best = minimize_scalar(loss, bounds=(-edge, edge), method="bounded", options={"xatol": 1e-6})
    limit = float(best.fun) + 0.5 * level(confidence) ** 2

    def above(rho: float) -> float:
        return loss(rho) - limit

    low = brentq(above, -edge, best.x, xtol=1e-6) if above(-edge) > 0.0 else -1.0
    high = brentq(above, best.x, edge, xtol=1e-6) if above(edge) > 0.0 else 1.0
    return Estimate(float(best.x), float(low), float(high))
