"""Self-consistent rates of a network with quenched disorder (Sec. 4.5.3).

Unknown are the first two moments of the rates over each population, x = (r, q). They give the input statistics
(`wiring`), those the distribution of inputs over neurons (`quenched`), and averaging the neuron's own rate over it
gives r = E[f] and q = E[f^2] back. Newton's method with analytic derivatives solves it; a start is found, where none is
given, from the balance condition or by relaxing dx/dt = E - x.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from equipoise import dynamics
from equipoise.quantities import Array
from equipoise.renewal.firing import NOISELESS, firing
from equipoise.results import NumericalFailure, Status
from equipoise.theory import network_remarks, quenched
from equipoise.theory.mixture import firing_moments
from equipoise.theory.wiring import Wiring

FINEST = 5761
NEGLIGIBLE = 1e-6
"""Share of neurons whose noise would be negative that is not worth a remark."""
LEAST, BELOW, NOTHING = 1e-12, -1e-9, 1e-9
"""Rates [Hz]: inputs are computed for at least the first; iterates may reach the second, so that a population which
falls silent does not hold up the search; below the third no relative accuracy is asked for."""
TOLERANCE = 1e-9
"""Relative accuracy of the averages: nodes are doubled until r and q change by less."""


@dataclass(frozen=True)
class Population:
    """One population at its fixed point.

    rate r [Hz] and second moment q [Hz^2] over neurons; mu [V/s] and sigma [V/sqrt(s)], the mean input; the quenched
    statistics beta = Var dmu, gamma = Cov(dmu, dsigma^2), eta = Var dsigma^2.
    """

    name: str
    rate: float
    second_moment: float
    mu: float
    sigma: float
    beta: float
    gamma: float
    eta: float

    @property
    def rate_cv2(self) -> float:
        """Squared coefficient of variation of the rates over neurons, q/r^2 - 1."""
        return self.second_moment / self.rate**2 - 1.0 if self.rate > 0.0 else math.nan


@dataclass(frozen=True, repr=False)
class NetworkState:
    """A fixed point of the mean-field equations, with its residual, fast eigenvalues and status.

    `eigenvalues` are those of the fast dynamics dx/dt = E(x) - x in units of its time constant; the state is stable
    where all real parts are negative. `nodes` says how fine the average over disorder had to be.
    """

    populations: tuple[Population, ...]
    x: Array
    residual: float
    eigenvalues: dynamics.ComplexArray
    nodes: int
    status: Status
    message: str

    @property
    def rates(self) -> Array:
        """Population rates [Hz], shape (n,)."""
        return self.x[: self.x.size // 2]

    @property
    def second_moments(self) -> Array:
        """Second moments of the rates over neurons [Hz^2], shape (n,)."""
        return self.x[self.x.size // 2 :]

    @property
    def stable(self) -> bool:
        """Whether the fast rate dynamics returns to this state."""
        return bool((self.eigenvalues.real < 0.0).all())

    def __repr__(self) -> str:
        rows = [f"NetworkState: {self.status.name}, {'stable' if self.stable else 'unstable'}"]
        rows += [
            f"  {p.name:<6} {p.rate:9.4f} Hz, SD {math.sqrt(max(p.second_moment - p.rate**2, 0.0)):8.4f} Hz, "
            f"mu {p.mu:9.4f} V/s, sigma {p.sigma:8.4f} V/sqrt(s), SD(dmu) {math.sqrt(p.beta):8.4f} V/s"
            for p in self.populations
        ]
        return "\n".join(rows + ([f"  {self.message}"] if self.message else []))


@dataclass(frozen=True)
class Equations:
    """The mean-field equations of a wiring at a given fineness of the quenched average.

    Of many networks, see `wiring.stacked`, all arrays have their axis in front.
    """

    wiring: Wiring
    nodes: int

    def averages(self, x: Array) -> Array:
        """(E f, E f^2) at x = (r, q), shape (2 n,)."""
        return self.evaluate(x)[0]

    def residual(self, x: Array) -> Array:
        """E(x) - x."""
        return self.averages(x) - x

    def jacobian(self, x: Array) -> Array:
        """d(E(x) - x)/dx, shape (2 n, 2 n)."""
        return self._slopes(x, self.evaluate(x)[1])

    def evaluate(self, x: Array) -> tuple[Array, Array]:
        """Averages (..., 2 n) and their gradients by the input statistics (..., 2, n, 5), in one pass."""
        n = self.wiring.n
        m = self.wiring.moments(np.maximum(x[..., :n], LEAST), x[..., n:])
        disorder = m.beta, m.gamma, m.eta
        points = quenched.sample(m.mu, m.s, *disorder, nodes=self.nodes)
        both = np.empty((2, 3, *points.mu.shape))
        for (kinds, tau_s), rows in self.wiring.kinds(self.nodes):
            both[..., rows, :] = firing_moments(kinds, tau_s, points.mu[..., rows, :], points.s[..., rows, :])
        gradients = [quenched.gradient(points, by_mu, by_s, *disorder) for _, by_mu, by_s in both]
        return np.concatenate([points.mean(f) for f, _, _ in both], axis=-1), np.stack(gradients, axis=-3)

    def unknowns(self, x: Array) -> Array:
        """What has to be found of x: the rates alone where every neuron has the same inputs, since then q = r^2."""
        return x[..., : self.wiring.n] if self.wiring.alike else x

    def state(self, z: Array) -> Array:
        """x = (r, q) from its unknowns."""
        return np.concatenate([z, z * z], axis=-1) if self.wiring.alike else z

    def system(self, z: Array) -> tuple[Array, Array]:
        """E(x) - x and its Jacobian, for the unknowns alone."""
        if self.wiring.alike:
            return self._alike(z)
        x = self.state(z)
        averages, gradient = self.evaluate(x)
        return averages - x, self._slopes(x, gradient)

    def _alike(self, r: Array) -> tuple[Array, Array]:
        """The same where all cells of a population fire at one rate: f(mu, s) - r."""
        n, (mu, s) = self.wiring.n, self.wiring.means(np.maximum(r, LEAST))
        f, by_mu, by_s = (np.empty(mu.shape) for _ in range(3))
        for (kinds, tau_s), at in self.wiring.kinds(self.nodes):
            f[..., at], by_mu[..., at], by_s[..., at] = firing(kinds.neurons[0], tau_s, mu[..., at], s[..., at])
        KJ, KJ2 = self.wiring.strengths
        return f - r, by_mu[..., None] * KJ[..., :n] + by_s[..., None] * KJ2[..., :n] - np.eye(n)

    def _slopes(self, x: Array, gradient: Array) -> Array:
        inputs = self.wiring.derivatives(x[..., : self.wiring.n])
        slopes = gradient[..., None, :] @ inputs[..., None, :, :, :]  # (..., 2, n, 1, 2 n)
        return slopes.reshape(*x.shape, x.shape[-1]) - np.eye(x.shape[-1])


def solve(wiring: Wiring, starts: Iterable[Array], *, throw: bool = True) -> NetworkState:
    """The stable fixed point from the first of `starts` that works, each (n,) rates or (2 n,) with second moments.

    Otherwise the first unstable one. Raises NumericalFailure where there is none; with throw=False that comes back with
    NaN and its status.
    """
    tried: list[NetworkState] = []
    highest = 0.0
    for start in starts:
        highest = max(highest, float(np.max(start[: wiring.n])))
        tried.append(from_start(wiring, np.asarray(start, dtype=np.float64)))
        if tried[-1].status.usable and tried[-1].stable:
            return tried[-1]
    best = next((t for t in tried if t.status.usable), tried[0])
    if not best.status.usable:
        best = replace(best, message=network_remarks.nothing_found(len(tried), highest))
    if throw and not best.status.usable:
        raise NumericalFailure(best.status, f"mean_field: {best.message}")
    return best


def from_start(wiring: Wiring, start: Array) -> NetworkState:
    """Newton from a start, on averages fine enough for `TOLERANCE`."""
    x = with_spread(wiring, start) if start.size == wiring.n else start
    nodes, accuracy = 91, 0.0
    found = newton(Equations(wiring, nodes), x)
    while found.status is Status.OK and not wiring.alike and nodes < FINEST:
        finer = Equations(wiring, 2 * nodes - 1)
        averages = finer.averages(found.x)
        accuracy = float(np.max(np.abs(averages - found.x) / np.maximum(averages, NOTHING)))
        nodes = finer.nodes
        if accuracy < TOLERANCE:
            break
        found = newton(finer, found.x)
    return _describe(Equations(wiring, nodes), found, accuracy)


def relaxed(wiring: Wiring, rates: Array) -> dynamics.FixedPoint:
    """Where the fast dynamics dx/dt = E(x) - x settles from `rates` (n,): a stable state or a status."""
    equations = Equations(wiring, 91)
    start = equations.unknowns(with_spread(wiring, rates))
    found = dynamics.relaxation(*dynamics.together(equations.system), start, lower=BELOW, tolerance=1e-3)
    return replace(found, x=np.maximum(equations.state(found.x), 0.0))


def with_spread(wiring: Wiring, rates: Array) -> Array:
    """(r, q) with a typical spread of rates, or none where every neuron has the same number of inputs."""
    return np.concatenate([rates, rates**2 * (1.0 if wiring.alike else 1.5)])


def newton(equations: Equations, x: Array, *, max_steps: int = 60) -> dynamics.FixedPoint:
    """The fixed point near x = (r, q), without a check of the average's fineness."""
    found = dynamics.fixed_point(
        *dynamics.together(equations.system), equations.unknowns(x), lower=BELOW, tolerance=1e-12, max_steps=max_steps
    )
    return replace(found, x=np.maximum(equations.state(found.x), 0.0))


def fixed_points(wiring: Wiring, *, starts: Sequence[Array] = (), seed: int = 0) -> list[NetworkState]:
    """All fixed points found from many starts: those given, rates up to near saturation, and 24 random mixtures.

    Sorted by the mean rate; each carries its stability. A method that tries finitely many starts may miss some.
    """
    highest = min((0.95 / n.tau_ref if n.tau_ref > 0.0 else 1000.0) for n in wiring.neurons)
    ladder = np.geomspace(0.01, highest, 14)
    rng = np.random.default_rng(seed)
    mixed = np.exp(rng.uniform(np.log(0.01), np.log(highest), (24, wiring.n)))
    found: list[NetworkState] = []
    for start in (*starts, *(np.full(wiring.n, r) for r in ladder), *mixed):
        state = from_start(wiring, np.asarray(start, dtype=np.float64))
        if state.status.usable and not any(np.allclose(state.rates, s.rates, rtol=1e-6, atol=1e-9) for s in found):
            found.append(state)
    return sorted(found, key=lambda s: float(s.rates.mean()))


def _describe(equations: Equations, found: dynamics.FixedPoint, accuracy: float) -> NetworkState:
    wiring, n = equations.wiring, equations.wiring.n
    if found.status is not Status.OK:
        nothing = tuple(Population(name, *[math.nan] * 7) for name in wiring.names)
        message = network_remarks.nothing_found(1, 0.0)
        empty = np.full(2 * n, complex(math.nan))
        return NetworkState(
            nothing, np.full(2 * n, math.nan), found.residual, empty, equations.nodes, found.status, message
        )
    m = wiring.moments(found.x[:n], found.x[n:])
    columns = zip(wiring.names, found.x[:n], found.x[n:], m.mu, np.sqrt(m.s), m.beta, m.gamma, m.eta, strict=True)
    populations = tuple(Population(name, *map(float, values)) for name, *values in columns)
    eigenvalues: dynamics.ComplexArray = np.linalg.eigvals(equations.jacobian(found.x)).astype(np.complex128)
    stable = bool((eigenvalues.real < 0.0).all())
    status, words = network_remarks.judge(wiring, found.x[:n], stable)
    remarks = [*words, *_precision(equations, m, accuracy)]
    return NetworkState(populations, found.x, found.residual, eigenvalues, equations.nodes, status, " ".join(remarks))


def _precision(equations: Equations, m: quenched.Moments, accuracy: float) -> Iterator[str]:
    """Averages that are still coarse, and disorder beyond its Gaussian description."""
    if accuracy >= TOLERANCE:
        yield f"the averages over disorder still changed by {accuracy:.0e} at the last refinement."
    clipped = quenched.sample(m.mu, m.s, m.beta, m.gamma, m.eta, nodes=equations.nodes).clipped
    for name, share, noise in zip(equations.wiring.names, clipped, m.s, strict=True):
        if share > NEGLIGIBLE and noise > NOISELESS:
            cells = f"{100 * share:.3g} % of the cells"
            yield f"{name}: the Gaussian description of disorder leaves {cells} no noise; K is too small for it."
