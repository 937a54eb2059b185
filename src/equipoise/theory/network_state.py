"""Self-consistent rates of a network with quenched disorder (Sec. 4.5.3).

Unknown are the first two moments of the rates over each population, x = (r, q). They give the input statistics
(`wiring`), those the distribution of inputs over neurons (`quenched`), and averaging the neuron's own rate over it
gives r = E[f] and q = E[f^2] back. Newton's method with analytic derivatives solves it; a start is found, where none is
given, from the balance condition or by relaxing dx/dt = E - x.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from equipoise import dynamics, renewal
from equipoise.model.neurons import LIF, IntegrateAndFire
from equipoise.quantities import Array
from equipoise.results import NumericalFailure, Status
from equipoise.theory import quenched
from equipoise.theory.wiring import Wiring

ALPHA = 2.065253152231217
"""sqrt(2) |zeta(1/2)|, the shift constant of Brunel & Sergi 1998 and Fourcaud & Brunel 2002."""
FINEST = 5761
NEGLIGIBLE = 1e-6
"""Share of neurons whose noise would be negative that is not worth a remark."""
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
        return self.second_moment / self.rate**2 - 1.0


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


def shift(neuron: IntegrateAndFire, tau_s: float) -> float:
    """c such that synapses of time constant tau_s act as delta synapses with mean mu - c sigma.

    Threshold and reset of the LIF move up by sigma (alpha/2) sqrt(tau_s) (Fourcaud & Brunel 2002), which is a shift of
    mu by that over tau_m. Raises TypeError for other neurons, for which no such result is used here.
    """
    if tau_s == 0.0:
        return 0.0
    if not isinstance(neuron, LIF):
        raise TypeError(f"mean_field: exponential synapses are treated for the LIF only, got {type(neuron).__name__}.")
    return 0.5 * ALPHA * math.sqrt(tau_s) / neuron.tau_m


def firing(neuron: IntegrateAndFire, tau_s: float, mu: Array, s: Array) -> tuple[Array, Array, Array]:
    """Rate f and its derivatives by mu and by s = sigma^2 at arrays of inputs."""
    c, sigma = shift(neuron, tau_s), np.sqrt(s)
    f = np.asarray(renewal.rate(neuron, mu=mu - c * sigma, sigma=sigma))
    log_mu, log_sigma = renewal.log_rate_gradient(neuron, mu=mu - c * sigma, sigma=sigma)
    by_mu = np.where(f > 0.0, f * log_mu, 0.0)
    by_sigma = np.where(f > 0.0, f * log_sigma, 0.0) - c * by_mu
    return f, by_mu, by_sigma / (2.0 * sigma)


@dataclass(frozen=True)
class Equations:
    """The mean-field equations of a wiring at a given fineness of the quenched average."""

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
        return self.both(x)[1]

    def both(self, x: Array) -> tuple[Array, Array]:
        """Residual and Jacobian in one pass."""
        values, gradients = self.evaluate(x)
        inputs = self.wiring.derivatives(x[: self.wiring.n])
        slopes = np.einsum("kas,asx->kax", gradients, inputs).reshape(x.size, x.size)
        return values - x, slopes - np.eye(x.size)

    def evaluate(self, x: Array) -> tuple[Array, Array]:
        """Averages (2 n,) and their gradients by the input statistics (2, n, 5), in one pass."""
        n = self.wiring.n
        m = self.wiring.moments(x[:n], x[n:])
        values, gradients = np.empty((2, n)), np.empty((2, n, 5))
        for a in range(n):
            statistics = m.mu[a], m.s[a], m.beta[a], m.gamma[a], m.eta[a]
            points = quenched.sample(*statistics, nodes=self.nodes)
            f, by_mu, by_s = firing(self.wiring.neurons[a], self.wiring.tau_s[a], points.mu, points.s)
            values[:, a] = points.weights @ f, points.weights @ (f * f)
            gradients[0, a] = quenched.gradient(points, by_mu, by_s, *statistics[2:])
            gradients[1, a] = quenched.gradient(points, 2 * f * by_mu, 2 * f * by_s, *statistics[2:])
        return values.ravel(), gradients


def solve(wiring: Wiring, starts: Iterable[Array], *, throw: bool = True) -> NetworkState:
    """The stable fixed point from the first of `starts` that works, each (n,) rates or (2 n,) with second moments.

    Otherwise the first unstable one. Raises NumericalFailure where there is none; with throw=False that comes back with
    NaN and its status.
    """
    tried: list[NetworkState] = []
    for start in starts:
        tried.append(from_start(wiring, np.asarray(start, dtype=np.float64)))
        if tried[-1].status is Status.OK:
            return tried[-1]
    best = next((t for t in tried if t.status.usable), tried[0])
    if throw and not best.status.usable:
        raise NumericalFailure(best.status, f"mean_field: {best.message}")
    return best


def from_start(wiring: Wiring, start: Array) -> NetworkState:
    """Newton from a start, on averages fine enough for `TOLERANCE`."""
    x = _with_spread(wiring, start) if start.size == wiring.n else start
    nodes, accuracy = 91, 0.0
    found = _newton(Equations(wiring, nodes), x)
    while found.status is Status.OK and nodes < FINEST:
        finer = Equations(wiring, 2 * nodes - 1)
        accuracy = float(np.max(np.abs(finer.averages(found.x) / found.x - 1.0)))
        nodes = finer.nodes
        if accuracy < TOLERANCE:
            break
        found = _newton(finer, found.x)
    return _describe(Equations(wiring, nodes), found, accuracy)


def _with_spread(wiring: Wiring, rates: Array) -> Array:
    """(r, q) with a typical spread of rates, or none where every neuron has the same number of inputs."""
    return np.concatenate([rates, rates**2 * (1.5 if (wiring.V > 0.0).any() else 1.0)])


def _newton(equations: Equations, x: Array) -> dynamics.FixedPoint:
    pair = dynamics.Together(equations.both)
    return dynamics.fixed_point(pair.value, pair.jacobian, x, lower=0.0, tolerance=1e-12, max_steps=60)


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


def relaxed(wiring: Wiring, start: Array, *, time: float = 50.0) -> Array:
    """Where the fast dynamics dx/dt = E(x) - x stands after `time` of its time constants, from rates `start`.

    Where every neuron has the same number of inputs only the rates move, q = r^2.
    """
    equations = Equations(wiring, 91)
    alike = not (wiring.V > 0.0).any()

    def state(z: Array) -> Array:
        z = np.maximum(z, 1e-9)
        return np.concatenate([z, z**2]) if alike else z

    x0 = start if alike else _with_spread(wiring, start)
    path = dynamics.evolve(
        lambda z: equations.residual(state(z))[: z.size], x0, np.array([0.0, time]),
        names=tuple(f"x{k}" for k in range(x0.size)), lower=np.full(x0.size, 1e-9), tolerance=1e-6,
    )  # fmt: skip
    return state(path.x[:, -1])


def _describe(equations: Equations, found: dynamics.FixedPoint, accuracy: float) -> NetworkState:
    wiring, n = equations.wiring, equations.wiring.n
    if found.status is not Status.OK:
        nothing = tuple(Population(name, *[math.nan] * 7) for name in wiring.names)
        message = "Newton's method did not converge from this start; try another, or relax the network first."
        empty = np.full(2 * n, complex(math.nan))
        return NetworkState(
            nothing, np.full(2 * n, math.nan), found.residual, empty, equations.nodes, found.status, message
        )
    m = wiring.moments(found.x[:n], found.x[n:])
    columns = zip(wiring.names, found.x[:n], found.x[n:], m.mu, np.sqrt(m.s), m.beta, m.gamma, m.eta, strict=True)
    populations = tuple(Population(name, *map(float, values)) for name, *values in columns)
    eigenvalues: dynamics.ComplexArray = np.linalg.eigvals(equations.jacobian(found.x)).astype(np.complex128)
    stable = bool((eigenvalues.real < 0.0).all())
    status = Status.OK if stable else Status.UNSTABLE
    message = " ".join(_remarks(equations, m, stable, accuracy))
    return NetworkState(populations, found.x, found.residual, eigenvalues, equations.nodes, status, message)


def _remarks(equations: Equations, m: quenched.Moments, stable: bool, accuracy: float) -> Iterator[str]:
    """What a reader should know: instability, coarse averages, disorder beyond its Gaussian description."""
    if not stable:
        yield "the rates leave this state: the fast rate dynamics is unstable there."
    if accuracy >= TOLERANCE:
        yield f"the averages over disorder still changed by {accuracy:.0e} at the last refinement."
    for name, *statistics in zip(equations.wiring.names, m.mu, m.s, m.beta, m.gamma, m.eta, strict=True):
        clipped = quenched.sample(*statistics, nodes=equations.nodes).clipped
        if clipped > NEGLIGIBLE:
            share = f"{100 * clipped:.2g} % of the cells"
            yield f"{name}: the Gaussian description of disorder leaves {share} no noise; K is too small for it."
