"""From the inputs of E and I to the weights of a network, as far as they are identified.

In a sparse random network with mean in-degree K and scaled weights j = sqrt(K) J the mean field (Sec. 4.5.3) reads, for
each population and with B over E, I and a source X of rate r_X (q_X = r_X^2),

    sum j_B^2 r_B = sigma^2,     sum j_B^2 q_B = Delta^2,     sum s_B j_B r_B = mu/sqrt(K)

r, q, mu, Delta and sigma are those of the fit. Three equations per row for three weights leave finitely many solutions
for given K and r_X: squares on a line, which the mean cuts. K enters through mu/sqrt(K) alone, which vanishes as K
grows (balance): the data fix j and not K. With a tonic drive in place of the source the first two equations give the
weights and the third the drive. Delta^2/sigma^2, a rate, must lie between the least and the largest of q_B/r_B:
a test of random wiring that needs neither K nor weights.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from equipoise import renewal
from equipoise.inference.fit_likelihood import Law
from equipoise.model.circuit import Circuit
from equipoise.model.neurons import IntegrateAndFire
from equipoise.model.populations import Population, Source
from equipoise.model.projections import Projection
from equipoise.quantities import Array
from equipoise.results import Status
from equipoise.theory import NetworkState, mean_field, quenched

if TYPE_CHECKING:
    import xarray as xr

Near = Callable[[Array], tuple[Law, Law]]
HALVINGS = 8
COARSE = 91, 1e-5
"""Nodes and tolerance that are enough for laws of the confidence region."""
POINTS = 1001
MOST = 4
"""Solutions of a row that are kept."""
LARGEST_CONDITION = 1e4
"""Of the equations for the weights, beyond which E and I fire too much alike to tell their weights apart."""
SIGNS = np.array([1.0, -1.0, 1.0])
AGREES = 1e-6
ROUNDS = 200


@dataclass(frozen=True, eq=False)
class Row:
    """Scaled weights sqrt(K) J of one population from (E, I, X), each above 0: solutions (n, 2 or 3); `drive` (n,).

    Without a solution `reason` says why.
    """

    weights: Array
    drive: Array
    reason: str = ""


def row(law: Law, rates: Array, seconds: Array, K: float) -> Row:
    """The weights that give a population its mu, Delta and sigma from presynaptic <r> and <r^2> (2 or 3,)."""
    equations, wanted = np.stack([rates, seconds]), np.array([law.sigma**2, law.delta**2])
    effective = wanted[1] / wanted[0]
    ratios = seconds / rates
    if not ratios.min() <= effective <= ratios.max():
        text = f"Delta^2/sigma^2 = {effective:.4g} Hz must lie between {ratios.min():.4g} and {ratios.max():.4g} Hz"
        return _none(rates.size, f"{text}, the least and the largest <r^2>/<r> of its inputs")
    if rates.size == 2:
        return _driven(law, equations, wanted, K)
    return _sourced(law, equations, wanted, K)


def _none(n: int, reason: str) -> Row:
    return Row(np.empty((0, n)), np.empty(0), reason)


def _driven(law: Law, equations: Array, wanted: Array, K: float) -> Row:
    """With a tonic drive: squares of the weights from noise and disorder, the drive from the mean."""
    if np.linalg.cond(equations / equations.max(axis=1, keepdims=True)) > LARGEST_CONDITION:
        return _none(2, "E and I fire too much alike to tell their weights apart; state a source_rate")
    weights = np.sqrt(np.maximum(np.linalg.solve(equations, wanted), 0.0))
    recurrent = math.sqrt(K) * float((SIGNS[:2] * weights) @ equations[0])
    return Row(weights[None], np.array([law.mu - recurrent]))


def _sourced(law: Law, equations: Array, wanted: Array, K: float) -> Row:
    """With a source: squares on the line of noise and disorder, where the mean is met."""
    from scipy.optimize import brentq

    origin = np.linalg.lstsq(equations, wanted, rcond=None)[0]
    along = np.cross(*(equations / np.linalg.norm(equations, axis=1, keepdims=True)))
    along /= np.linalg.norm(along)
    with np.errstate(divide="ignore"):
        ends = -origin / along
    low, high = np.max(ends[along > 0.0], initial=-np.inf), np.min(ends[along < 0.0], initial=np.inf)

    def weights(t: Array) -> Array:
        return np.sqrt(np.maximum(origin + np.multiply.outer(t, along), 0.0))

    def excess(t: Array) -> Array:
        return weights(t) @ (SIGNS * equations[0]) - law.mu / math.sqrt(K)

    # Ends are approached as squares are, whose roots have infinite slopes there.
    at = low + (high - low) * np.sin(np.linspace(0.0, 0.5 * math.pi, POINTS)) ** 2
    values = excess(at)
    crossings = np.flatnonzero(np.sign(values[:-1]) * np.sign(values[1:]) < 0.0)
    roots = [brentq(excess, at[k], at[k + 1], xtol=1e-14 * (high - low)) for k in crossings]
    if not roots:
        least, most = math.sqrt(K) * values.min() + law.mu, math.sqrt(K) * values.max() + law.mu
        text = f"its mean input is {law.mu:.4g} V/s, while such weights give {least:.4g} to {most:.4g} V/s"
        return _none(3, f"{text}; try another source_rate or K")
    return Row(weights(np.array(roots)), np.zeros(len(roots)))


@dataclass(frozen=True)
class Embedding:
    """Fitted E and I as a network: in-degree K of every projection, and a source of `source_rate` or a tonic drive."""

    neuron: IntegrateAndFire
    laws: tuple[Law, Law]
    K: float
    source_rate: float | None
    nodes: int = 361
    tolerance: float = 1e-12

    def firing(self, gamma: ArrayLike = 0.0, eta: ArrayLike = 0.0) -> tuple[Array, Array]:
        """<r> and <r^2> of E and I; gamma = Cov(dmu, dsigma^2) and eta = Var dsigma^2 over neurons, 0 at large K."""
        mu, s, beta = np.array([[law.mu, law.sigma**2, law.delta**2] for law in self.laws]).T
        points = quenched.sample(mu, s, beta, np.broadcast_to(gamma, 2), np.broadcast_to(eta, 2), nodes=self.nodes)
        f = renewal.rate(renewal.tabulated(self.neuron), mu=points.mu, sigma=np.sqrt(points.s))
        return points.mean(f), points.mean(f * f)

    def rows(self, rates: Array, seconds: Array) -> list[Row]:
        """The weights onto E and onto I for these moments of their rates."""
        every = self.presynaptic(rates, seconds)
        return [row(law, *every, self.K) for law in self.laws]

    def presynaptic(self, rates: Array, seconds: Array) -> tuple[Array, Array]:
        """Moments of the rates of all that projects."""
        if self.source_rate is None:
            return rates, seconds
        return np.append(rates, self.source_rate), np.append(seconds, self.source_rate**2)

    def consistent(self, which: tuple[int, int]) -> "Wired | None":
        """Weights and rates that agree with each other at finite K, from one choice of solutions; None if they fail."""
        rates, seconds = self.firing()
        for _ in range(ROUNDS):
            found = self.rows(rates, seconds)
            if any(len(one.weights) <= k for one, k in zip(found, which, strict=True)):
                return None
            weights = np.array([one.weights[k] for one, k in zip(found, which, strict=True)])
            J = weights * SIGNS[: weights.shape[1]] / math.sqrt(self.K)
            q = self.presynaptic(rates, seconds)[1]
            new = self.firing(self.K * J**3 @ q, self.K * J**4 @ q)
            change = np.max(np.abs(np.array(new) / np.array([rates, seconds]) - 1.0))
            rates, seconds = new
            if change < self.tolerance:
                drives = np.array([one.drive[k] for one, k in zip(found, which, strict=True)])
                return Wired(J, drives, rates)
        return None

    def solutions(self) -> "tuple[list[Wired], str]":
        """All weights found, consistent with the spread of sigma that they cause; without any, why."""
        first = self.rows(*self.firing())
        failed = [f"{name}: {one.reason}." for name, one in zip("EI", first, strict=True) if one.reason]
        if failed:
            return [], " ".join(failed)
        choices = itertools.product(range(len(first[0].weights)), range(len(first[1].weights)))
        found = [one for one in map(self.consistent, choices) if one is not None]
        return found, "" if found else "no weights stay consistent with the spread of sigma that they cause; raise K."

    def circuit(self, wired: "Wired") -> Circuit:
        """The circuit with these weights."""
        nodes: list = [
            Population(n, neuron=self.neuron, drive=float(d)) for n, d in zip("EI", wired.drives, strict=True)
        ]
        if self.source_rate is not None:
            nodes.append(Source("X", rate=self.source_rate))
        projections = [
            Projection(source=source.name, target=target, weight=float(wired.J[a, b]), in_degree=self.K)
            for a, target in enumerate("EI")
            for b, source in enumerate(nodes)
            if wired.J[a, b] != 0.0
        ]
        return Circuit(populations=nodes, projections=projections, name="fitted")


@dataclass(frozen=True, eq=False)
class Wired:
    """Signed weights J (2, 2 or 3) [V], tonic drives (2,) [V/s] and rates (2,) [Hz]."""

    J: Array
    drives: Array
    rates: Array


@dataclass(frozen=True, eq=False, repr=False)
class NetworkFit:
    """A circuit with its mean-field state, and whether that state has the fitted mu, Delta and sigma."""

    circuit: Circuit | None
    state: NetworkState | None
    status: Status
    message: str

    def __repr__(self) -> str:
        head = f"NetworkFit: {self.status.name}{'. ' + self.message if self.message else ''}"
        return head if self.state is None else f"{head}\n{self.state!r}"


def network(embedding: Embedding) -> NetworkFit:
    """The circuit of E and I whose own mean field has the fitted inputs; of several the first with a stable state."""
    wired, reason = embedding.solutions()
    if reason:
        return NetworkFit(None, None, Status.INFEASIBLE, reason)
    candidates = [_checked(embedding, one) for one in wired]
    return next((c for c in candidates if c.status is Status.OK), candidates[0])


def _checked(embedding: Embedding, wired: Wired) -> NetworkFit:
    """The circuit and its mean-field state beside the fitted inputs."""
    circuit, laws = embedding.circuit(wired), embedding.laws
    state = mean_field(circuit, start=wired.rates, throw=False)
    wanted = np.array([[law.mu, law.sigma, law.delta**2] for law in laws])
    got = np.array([[p.mu, p.sigma, p.beta] for p in state.populations])
    size = np.array([[math.hypot(law.delta, law.mu), law.sigma, law.delta**2] for law in laws])
    if not state.status.usable or not (np.abs(got - wanted) <= AGREES * size).all():
        return NetworkFit(circuit, state, Status.NOT_CONVERGED, "its mean field settles in another state than the fit.")
    if not state.stable:
        return NetworkFit(circuit, state, Status.UNSTABLE, "its rates leave this state in the fast dynamics of theory.")
    return NetworkFit(circuit, state, Status.OK, "")


# The identified set ---------------------------------------------------------------------------------------------------


def identified(
    neuron: IntegrateAndFire,
    laws: tuple[Law, Law],
    near: Near,
    z: Array,
    degrees: Array,
    source_rates: list[float | None],
) -> "xr.Dataset":
    """Scaled weights over in-degree and source rate: solutions of the laws, and the range of those of laws near(z)."""
    import xarray as xr

    names = ["E", "I"] if source_rates[0] is None else ["E", "I", "X"]
    shape = degrees.size, len(source_rates)
    scaled, drive = np.full((*shape, MOST, 2, len(names)), np.nan), np.full((*shape, MOST, 2), np.nan)
    low, high, share = (
        np.full((*shape, 2, len(names)), np.nan),
        np.full((*shape, 2, len(names)), np.nan),
        np.full(shape, np.nan),
    )
    reason = np.full(shape, "", dtype=object)
    for i, j in np.ndindex(*shape):
        K, rate = float(degrees[i]), source_rates[j]
        found, reason[i, j] = Embedding(neuron, laws, K, rate).solutions()
        for n, one in enumerate(found[:MOST]):
            scaled[i, j, n], drive[i, j, n] = math.sqrt(K) * one.J, one.drives
        if len(z):

            def made(point: Array, K: float = K, rate: float | None = rate) -> list[Array]:
                wired = Embedding(neuron, near(point), K, rate, *COARSE).solutions()[0]
                return [math.sqrt(K) * one.J for one in wired]

            every, share[i, j] = _spanned(made, z)
            if every:
                low[i, j], high[i, j] = np.min(every, axis=0), np.max(every, axis=0)
    used = max(1, int(np.isfinite(drive).any(axis=(0, 1, 3)).sum()))
    over, ends = ("K", "source_rate"), ("K", "source_rate", "target", "source")
    volts = {"units": "V", "long_name": "sqrt(K) J"}
    data = {
        "scaled": ((*over, "solution", "target", "source"), scaled[:, :, :used], volts),
        "low": (ends, low, volts),
        "high": (ends, high, volts),
        "share": (over, share, {"units": "1", "long_name": "share of the confidence region that has a solution"}),
        "drive": ((*over, "solution", "target"), drive[:, :, :used], {"units": "V/s"}),
        "ratio": ("target", [law.delta**2 / law.sigma**2 for law in laws], {"units": "Hz"}),
        "reason": (over, reason.astype(str)),
    }
    coords = {"K": degrees, "target": ["E", "I"], "source": names}
    coords["source_rate"] = [math.nan if rate is None else rate for rate in source_rates]
    return xr.Dataset(data, coords=coords)


def _spanned(made: Callable[[Array], list[Array]], z: Array) -> tuple[list[Array], float]:
    """All solutions met at the points z (n, d), and the share of points that have one.

    A weight ends at 0 where solutions end, which few points come near: from every point without a solution the border
    is approached on the way to one that has some.
    """
    found = [made(point) for point in z]
    inside, outside = (np.flatnonzero([bool(f) == kind for f in found]) for kind in (True, False))
    every = [one for f in found for one in f]
    for n, k in enumerate(outside if inside.size else ()):
        a, b = z[inside[n % inside.size]], z[k]
        for _ in range(HALVINGS):
            middle = 0.5 * (a + b)
            here = made(middle)
            every += here
            a, b = (middle, b) if here else (a, middle)
    return every, inside.size / len(z)
