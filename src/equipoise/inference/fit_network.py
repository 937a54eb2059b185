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

import math
from dataclasses import dataclass

import numpy as np

from equipoise import renewal
from equipoise.inference.fit_likelihood import Law
from equipoise.model.circuit import Circuit
from equipoise.model.neurons import IntegrateAndFire
from equipoise.model.populations import Population, Source
from equipoise.model.projections import Projection
from equipoise.quantities import Array
from equipoise.results import Status
from equipoise.theory import NetworkState, mean_field, quenched

NODES = 721
POINTS = 4001
LARGEST_CONDITION = 1e4
"""Of the equations for the weights, beyond which E and I fire too much alike to tell their weights apart."""
SIGNS = np.array([1.0, -1.0, 1.0])
AGREES = 1e-6


@dataclass(frozen=True, eq=False)
class Row:
    """Scaled weights sqrt(K) J of one population from (E, I, X), each above 0: solutions (n, 2 or 3); `drive` (n,).

    Without a solution `reason` says why.
    """

    weights: Array
    drive: Array
    reason: str = ""


def row(law: Law, rates: Array, seconds: Array, K: float) -> Row:
    """The weights that give a population its mu, Delta and sigma from presynaptic rates and second moments (2 or 3,)."""
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

    def weights(t: float) -> Array:
        return np.sqrt(np.maximum(origin + t * along, 0.0))

    def excess(t: float) -> float:
        return float((SIGNS * weights(t)) @ equations[0]) - law.mu / math.sqrt(K)

    # Ends are approached as squares are, whose roots have infinite slopes there.
    at = low + (high - low) * np.sin(np.linspace(0.0, 0.5 * math.pi, POINTS)) ** 2
    values = np.array([excess(t) for t in at])
    crossings = np.flatnonzero(np.sign(values[:-1]) * np.sign(values[1:]) < 0.0)
    roots = [brentq(excess, at[k], at[k + 1], xtol=1e-14 * abs(high - low)) for k in crossings]
    if not roots:
        least, most = math.sqrt(K) * values.min() + law.mu, math.sqrt(K) * values.max() + law.mu
        text = f"its mean input is {law.mu:.4g} V/s, while such weights give {least:.4g} to {most:.4g} V/s"
        return _none(3, f"{text}; try another source_rate or K")
    return Row(np.array([weights(t) for t in roots]), np.zeros(len(roots)))


@dataclass(frozen=True, eq=False)
class NetworkFit:
    """A circuit with its mean-field state, and whether that state has the fitted mu, Delta and sigma."""

    circuit: Circuit | None
    state: NetworkState | None
    status: Status
    message: str

    def __repr__(self) -> str:
        return f"NetworkFit: {self.status.name}{'. ' + self.message if self.message else ''}\n{self.state!r}"


def network(neuron: IntegrateAndFire, laws: tuple[Law, Law], K: float, source_rate: float | None) -> NetworkFit:
    """The circuit of E and I that has the fitted inputs in its own mean field, at in-degree K of every projection.

    Rates and second moments are made consistent with the spread of sigma that weights of finite size cause. Of several
    solutions the first with a stable state is taken.
    """
    found = _consistent(neuron, laws, K, source_rate)
    if isinstance(found, str):
        return NetworkFit(None, None, Status.INFEASIBLE, found)
    candidates = [_checked(neuron, laws, K, source_rate, rates, rows) for rates, rows in found]
    return next((c for c in candidates if c.status is Status.OK), candidates[0])


def _consistent(neuron, laws, K, source_rate) -> list[tuple[Array, tuple[Array, Array, Array]]] | str:
    """For each choice of solutions: rates (2,) and signed weights (2, 2 or 3) with drives (2,), or why there are none."""
    rates, seconds = firing(neuron, laws)
    first = rows(laws, rates, seconds, K, source_rate)
    failed = [f"{name}: {one.reason}" for name, one in zip("EI", first, strict=True) if one.reason]
    if failed:
        return " ".join(failed) + "."
    out = []
    for i in range(len(first[0].weights)):
        for k in range(len(first[1].weights)):
            one = _iterate(neuron, laws, K, source_rate, (i, k))
            if one is not None:
                out.append(one)
    return out or "no weights stay consistent with the spread of sigma at this K; raise K."


def _iterate(neuron, laws, K, source_rate, which):
    """Weights, rates and second moments that agree with each other, or None."""
    rates, seconds = firing(neuron, laws)
    for _ in range(200):
        found = rows(laws, rates, seconds, K, source_rate)
        if any(one.reason or len(one.weights) <= k for one, k in zip(found, which, strict=True)):
            return None
        weights = np.array([one.weights[k] for one, k in zip(found, which, strict=True)])
        J = weights * SIGNS[: weights.shape[1]] / math.sqrt(K)
        _, all_seconds = _presynaptic(rates, seconds, source_rate)
        gamma, eta = K * J**3 @ all_seconds, K * J**4 @ all_seconds
        new = firing(neuron, laws, gamma, eta)
        change = max(float(np.max(np.abs(a / b - 1.0))) for a, b in zip(new, (rates, seconds), strict=True))
        rates, seconds = new
        if change < 1e-12:
            drives = np.array([one.drive[k] for one, k in zip(found, which, strict=True)])
            return rates, (J, drives, seconds)
    return None


def rows(laws, rates, seconds, K, source_rate) -> list[Row]:
    return [row(law, *_presynaptic(rates, seconds, source_rate), K) for law in laws]


def _presynaptic(rates: Array, seconds: Array, source_rate: float | None) -> tuple[Array, Array]:
    if source_rate is None:
        return rates, seconds
    return np.append(rates, source_rate), np.append(seconds, source_rate**2)


def firing(neuron, laws, gamma=0.0, eta=0.0) -> tuple[Array, Array]:
    """Population means of r and r^2 under the fitted inputs; gamma = Cov(dmu, dsigma^2), eta = Var dsigma^2."""
    columns = np.array([[law.mu, law.sigma**2, law.delta**2] for law in laws]).T
    gamma, eta = np.broadcast_to(gamma, 2), np.broadcast_to(eta, 2)
    points = quenched.sample(*columns, gamma, eta, nodes=NODES)
    f = renewal.rate(renewal.tabulated(neuron), mu=points.mu, sigma=np.sqrt(points.s))
    return points.mean(f), points.mean(f * f)


def _checked(neuron, laws, K, source_rate, rates, found) -> NetworkFit:
    """The circuit and its mean-field state beside the fitted inputs."""
    J, drives, _ = found
    circuit = _circuit(neuron, J, drives, K, source_rate)
    state = mean_field(circuit, start=rates, throw=False)
    wanted = np.array([[law.mu, law.sigma, law.delta**2] for law in laws])
    got = np.array([[p.mu, p.sigma, p.beta] for p in state.populations])
    size = np.array([[math.hypot(law.delta, law.mu), law.sigma, law.delta**2] for law in laws])
    if not state.status.usable or not (np.abs(got - wanted) <= AGREES * size).all():
        return NetworkFit(circuit, state, Status.NOT_CONVERGED, "its mean field settles in another state than the fit.")
    if not state.stable:
        return NetworkFit(circuit, state, Status.UNSTABLE, "its rates leave this state in the fast dynamics of theory.")
    return NetworkFit(circuit, state, Status.OK, "")


def _circuit(neuron, J: Array, drives: Array, K: float, source_rate: float | None) -> Circuit:
    nodes = [Population(name, neuron=neuron, drive=float(d)) for name, d in zip("EI", drives, strict=True)]
    names = ["E", "I"]
    if source_rate is not None:
        nodes.append(Source("X", rate=source_rate))  # type: ignore[arg-type]
        names.append("X")
    projections = [
        Projection(source=source, target=target, weight=float(J[a, b]), in_degree=K)
        for a, target in enumerate("EI")
        for b, source in enumerate(names)
        if J[a, b] != 0.0
    ]
    return Circuit(populations=nodes, projections=projections, name="fitted")
