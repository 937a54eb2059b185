"""What a fit found: populations with intervals, and the networks they are compatible with."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from equipoise.inference import fit_network
from equipoise.inference.fit_likelihood import Law
from equipoise.inference.fit_network import Embedding, NetworkFit
from equipoise.model.calcium import Calcium
from equipoise.model.circuit import Circuit
from equipoise.model.homeostasis import CalciumSetPoint
from equipoise.model.neurons import IntegrateAndFire
from equipoise.quantities import Array, Quantity, check, finite, seed_sequence, whole
from equipoise.results import NumericalFailure, Status
from equipoise.units import kHz

if TYPE_CHECKING:
    import xarray as xr

UNITS = {"mu": "V/s", "delta": "V/s", "sigma": "V/sqrt(s)", "cv_spread": "1"}
GRAVITY = [Status.OK, Status.APPROXIMATE, Status.IMPLAUSIBLE, Status.NOT_CONVERGED, Status.INSUFFICIENT_DATA]
_PLAIN = ("rate", "second_moment", "cv", "n_units", "n_silent", "n_drifting", "n_unreachable", "count_dispersion")
_IN_DEGREE = Quantity("mean number of inputs of each projection", low=1.0)
_SOURCE_RATE = Quantity("rate of each external input", "Hz", low=0.0, high=1 * kHz, open_low=True)


@dataclass(frozen=True)
class Fitted:
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


_UNKNOWN = Fitted(math.nan, math.nan, math.nan)


@dataclass(frozen=True, eq=False, kw_only=True)
class PopulationFit:
    """One population in one epoch.

    `mu` and `delta`, mean and quenched SD of the mean input [V/s]; `sigma`, its temporal noise [V/sqrt(s)];
    `cv_spread`, the SD of log C_v between units beyond what their mu explains. `rate` [Hz], `second_moment` [Hz^2] and
    `cv` are averages over the fitted population, silent neurons included (`cv`: over its spikes). `calcium` are the
    population's mean calcium moments, the set point at which homeostasis would hold it; `calcium_seen` those of the
    recorded spikes. `covariance` is that of (mu, log Delta, log sigma, log cv_spread), NaN where a value is at its
    bound. `count_dispersion`: variance of counts beside that of renewal trains. `n_drifting` units change
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
    mu: Fitted = _UNKNOWN
    delta: Fitted = _UNKNOWN
    sigma: Fitted = _UNKNOWN
    cv_spread: Fitted = _UNKNOWN
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

    def displaced(self, z: Array) -> Law:
        """The law `z` (3,) standard errors away in (mu, log Delta, log sigma), which are correlated."""
        values, vectors = np.linalg.eigh(np.nan_to_num(self.covariance[:3, :3]))
        a, b, c = (vectors * np.sqrt(np.maximum(values, 0.0))) @ z
        law = self.law
        return Law(law.mu + a, law.delta * math.exp(b), law.sigma * math.exp(c), law.tau)

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
    persistence: Mapping[tuple[str, str, str], Fitted]

    def __getitem__(self, key: tuple[str, str]) -> PopulationFit:
        if key not in self.populations:
            known = ", ".join(f"{name!r}, {epoch!r}" for name, epoch in self.populations)
            raise KeyError(f"Fit: no population and epoch {key!r}. Known: {known}.")
        return self.populations[key]

    @property
    def status(self) -> Status:
        """The worst of the populations' states."""
        return max((p.status for p in self.populations.values()), key=GRAVITY.index)

    def __repr__(self) -> str:
        rows = [repr(p) for p in self.populations.values()]
        rows += [f"mu of {p} from {a} to {b}: correlation {r}" for (p, a, b), r in self.persistence.items()]
        return "\n".join(["Fit", *rows])

    def table(self) -> "xr.Dataset":
        """All numbers over (population, epoch), with `_low` and `_high` where there are intervals."""
        import xarray as xr

        names, epochs = (list(dict.fromkeys(key[i] for key in self.populations)) for i in range(2))
        data = {}
        for column in UNITS:
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
        self,
        *,
        K: ArrayLike,
        source_rate: ArrayLike | None = None,
        epoch: str | None = None,
        draws: int = 100,
        seed: int = 0,
    ) -> "xr.Dataset":
        """The identified set of weights of a network of E and I over in-degree `K` and `source_rate` [Hz].

        `scaled` = sqrt(K) J [V] over (K, source_rate, solution, target, source), NaN where there is no solution, for
        the `reason` given, with the tonic `drive` [V/s] of each target: the external input without a source rate.
        `low` and `high` span the solutions of `draws` pairs of laws in the joint 95 % confidence region of both
        populations (coverage of at least 95 % for each weight, but for the finite number of draws); `share` says how
        much of that region has a solution. `ratio` is Delta^2/sigma^2 [Hz].
        """
        degrees = np.atleast_1d(finite("Fit.weights", "K", K, low=1.0))
        rates: list[float | None] = [None]
        if source_rate is not None:
            given = finite("Fit.weights", "source_rate", source_rate, low=0.0, open_low=True)
            rates = list(np.atleast_1d(given).tolist())
        both = self._pair(epoch)
        z = _in_region(whole("Fit.weights: draws", draws), 6, np.random.default_rng(seed_sequence(seed)))

        def near(z: Array) -> tuple[Law, Law]:
            return both[0].displaced(z[:3]), both[1].displaced(z[3:])

        return fit_network.identified(self.neuron, (both[0].law, both[1].law), near, z, degrees, rates)

    def network(self, *, K: float, source_rate: float | None = None, epoch: str | None = None) -> NetworkFit:
        """The network of E and I at in-degree K whose own mean field has the fitted mu, Delta and sigma.

        With a `source_rate` [Hz] the external input is a Poisson source, otherwise a tonic drive. The status says
        whether there is one, and whether its state is stable.
        """
        degree = check("Fit.network: K", K, _IN_DEGREE)
        rate = None if source_rate is None else check("Fit.network: source_rate", source_rate, _SOURCE_RATE)
        both = self._pair(epoch)
        return fit_network.network(Embedding(self.neuron, (both[0].law, both[1].law), degree, rate))

    def circuit(self, *, K: float, source_rate: float | None = None, epoch: str | None = None) -> Circuit:
        """The circuit of `network`; raises NumericalFailure where there is none with a stable state."""
        found = self.network(K=K, source_rate=source_rate, epoch=epoch)
        if found.status is not Status.OK or found.circuit is None:
            raise NumericalFailure(found.status, f"Fit.circuit: {found.message}")
        return found.circuit

    def _pair(self, epoch: str | None) -> tuple[PopulationFit, PopulationFit]:
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
        return both


def _in_region(n: int, dimensions: int, rng: np.random.Generator) -> Array:
    """`n` points (n, dimensions), uniform in the ball that holds 95 % of a standard normal vector."""
    from scipy.special import chdtri

    direction = rng.standard_normal((n, dimensions))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return direction * (math.sqrt(chdtri(dimensions, 0.05)) * rng.random((n, 1)) ** (1.0 / dimensions))
