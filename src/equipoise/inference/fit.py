"""Fit a circuit to a recording: `fit`.

Each population of each epoch is described as mean field describes it: the input mu_i of its neurons is spread over the
population, mu_i ~ N(mu, Delta^2), because wiring is random (quenched), and fluctuates in time with one sigma. Rates
and irregularities of the recorded units are known with an error, which the likelihood contains: in short recordings
the scatter of counts is not taken for a spread of inputs, and silent units count.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.inference import fit_population
from equipoise.inference.fit_data import Indices, Observed, drifting, epochs_of, observe, populations_of
from equipoise.inference.fit_likelihood import Law, Response
from equipoise.inference.fit_persistence import persistence
from equipoise.inference.fit_population import Likelihood, Maximum, Replicas
from equipoise.inference.fit_result import GRAVITY, UNITS, Agreement, Fit, Fitted, PopulationFit
from equipoise.inference.settings import CORTICAL_NEURON, IRREGULARITIES
from equipoise.model.calcium import Calcium
from equipoise.model.homeostasis import CalciumSetPoint
from equipoise.model.neurons import ConductanceLIF, IntegrateAndFire
from equipoise.quantities import check_fields, quantity, seed_sequence, suggest, whole
from equipoise.renewal.calcium import calcium_moments
from equipoise.renewal.inverse import input_for
from equipoise.renewal.laws import NeuronISI
from equipoise.renewal.traces import calcium_moments_of
from equipoise.results import Epoch, Recording, SpikeTrains, Status

NAMES = tuple(UNITS)
LEAST_UNITS, LEAST_IRREGULARITIES = 5, 3
TOLERATED_DRIFT = 0.05
"""Share of drifting units that is not worth a remark."""
TOLERATED_DISPERSION = 2.0
"""Variance of counts beside that of renewal trains that is not worth a remark."""
DOUBTFUL = 0.01
"""Probability of a distance as large as the one found, below which a law is said not to fit."""


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


def fit(
    recording: Recording | SpikeTrains,
    settings: FitSettings | None = None,
    *,
    neuron: IntegrateAndFire = CORTICAL_NEURON,
    sensor: Calcium | None = None,
    populations: str | Mapping[str, ArrayLike] | None = None,
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
    kept = {p: persistence(laws[p[0], p[1]], laws[p[0], p[2]], settings.confidence) for p in usable}
    return Fit(neuron=neuron, sensor=sensor, populations=found, persistence=kept)


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
        return replace(result, status=status, message=message), (likelihood, likelihood.law(best.theta))

    def _unreachable(self, seen: Observed) -> int:
        known = seen.has_cv
        if not known.any():
            return 0
        rate, cv = seen.counts[known] / seen.duration, np.exp(seen.log_cv[known])
        found = input_for(self.response.neuron, rate=rate, cv=cv, throw=False)
        return int(sum(s is not Status.OK for s in np.ravel(np.asarray(found.status, dtype=object))))

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
        law, units = likelihood.law(best.theta), np.array([self.response.mu_unit, 1.0, 1.0, 1.0])
        rows = zip(*(_natural(likelihood.law(theta)) for theta in (best.theta, *ends)), strict=True)
        estimates = {name: Fitted(*row) for name, row in zip(NAMES, rows, strict=True)}
        pits = fit_population.rate_pit(likelihood, law), fit_population.cv_pit(likelihood, law)
        agree = [_agreement(fit_population.distance(u), replicas, k) for k, u in enumerate(pits)]
        return estimates | {
            "covariance": matrix * np.outer(units, units),
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
        held = CalciumSetPoint(mean=mean, second_moment=second) if second > mean**2 > 0.0 else None
        return {
            "rate": r,
            "second_moment": float(weights @ rate**2),
            "cv": float(weights @ (rate * np.exp(y))) / r,
            "calcium": held,
        }

    def _judge(self, found: PopulationFit, best: Maximum) -> tuple[Status, str]:
        """The worst thing to be said of a fit, and all of them in words."""
        remarks = list(self._remarks(found, best))
        status = max((s for s, _ in remarks), key=GRAVITY.index, default=Status.OK)
        return status, " ".join(text for _, text in remarks)

    def _remarks(self, found: PopulationFit, best: Maximum) -> Iterator[tuple[Status, str]]:
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
        if found.count_dispersion > TOLERATED_DISPERSION:
            times = f"{found.count_dispersion:.3g} times"
            yield Status.APPROXIMATE, f"counts vary {times} as much as those of renewal trains: rates are modulated."
        for what, agree in (("rates", found.rates_agree), ("irregularities", found.irregularities_agree)):
            if agree.p < DOUBTFUL:
                text = f"the {what} are not distributed as in the fitted population"
                yield Status.APPROXIMATE, f"{text} (p={agree.p:.2g})."


def _edges(best: Maximum) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which of mu, Delta and sigma lie at their lower and at their upper bound."""
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
