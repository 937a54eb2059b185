"""Homeostasis at neuron scope: where every cell finds its own set point, and how cells and network recover.

A cell meets its set point at one input only, the (mu*, sigma*) at which it fires at (r*, C_v*). So all cells of a
regulated population fire alike, r = r* and q = r*^2, whatever the rest of the network does: to the other populations
they are a source of that rate. What is left of the disorder is that of the in-degrees, and with the summed rates R_iB
of its own inputs each cell needs

    g_E E - g_I I + drive = mu*,    g_E^2 B_E + g_I^2 B_I = sigma*^2,    E = sum |J| R, B = sum J^2 F R

at relative scale: Eqs. 30-31 cell by cell. At absolute scale every weight of a kind changes by the same amount, and
completing the squares brings the same two equations back.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from equipoise import dynamics, renewal
from equipoise.model.homeostasis import targets_of
from equipoise.model.inputs import balancing_weights
from equipoise.quantities import Array
from equipoise.renewal.firing import shift
from equipoise.results import NumericalFailure, Status
from equipoise.theory import balanced, network_homeostasis, network_state
from equipoise.theory.cells import CellLoop, SlowSlopes, fewest, labels, slow_slopes
from equipoise.theory.equilibrium import input_for_moments
from equipoise.theory.network_homeostasis import NetworkEquilibrium
from equipoise.theory.network_loop import NetworkLoop
from equipoise.theory.network_state import NetworkState, Population
from equipoise.theory.wiring import Wiring

SAMPLE = 1024
"""Cells per population of the direct solution."""
MATTERS = 0.01
"""Share of cells without a solution from which the answer no longer stands."""
APART = 0.05
"""Relative distance from the bands of single cells beyond which an eigenvalue counts as collective."""


@dataclass(frozen=True, eq=False)
class RegulatedCells:
    """The cells of a population at neuron scope: all fire at `rate` [Hz] with `cv`, under the input mu and sigma.

    `gains` (2, M): what a sample of cells does to its excitatory (with external) and inhibitory weights, a factor at
    relative scale, a change [V] at absolute scale; NaN for the share `lost` of cells that cannot reach the set point.
    `recovery` (2, 2): shortest and longest over cells of the fast and of the slow recovery time of a single cell [s].
    """

    name: str
    rate: float
    cv: float
    mu: float
    sigma: float
    gains: Array
    lost: float
    recovery: Array

    def __str__(self) -> str:
        e, i = ((np.nanmean(g), np.nanstd(g)) for g in self.gains)
        fast, slow = (f"{dynamics.duration_text(a)} to {dynamics.duration_text(b)}" for a, b in self.recovery)
        return (
            f"{self.name}: every cell {self.rate:.4f} Hz, C_v {self.cv:.4f}; gains E {e[0]:.4g} ± {e[1]:.2g}, "
            f"I {i[0]:.4g} ± {i[1]:.2g}; one cell recovers in {fast}, then {slow}"
        )


@dataclass(frozen=True, repr=False)
class NeuronScopeEquilibrium(NetworkEquilibrium):
    """A homeostatic fixed point of a network with cells that regulate themselves.

    As NetworkEquilibrium, with `weights` the means over cells and `spectrum` that of the collective modes, in which
    cells move together through the network's rates (eigenvectors by r and q); `cells` says the rest.
    """

    cells: tuple[RegulatedCells, ...]

    def __repr__(self) -> str:
        weights = "  ".join(f"{n} {w:.6g}" for n, w in zip(self.names, self.weights, strict=True))
        rows = [f"NeuronScopeEquilibrium: {self.status.name} {self.message}".rstrip(), f"  {weights}"]
        rows += [f"  {one}" for one in self.cells] + [repr(self.state).replace("\n", "\n  ")]
        rows.append(repr(self.spectrum).replace("Spectrum", "Collective modes", 1).replace("\n", "\n  "))
        return "\n".join(rows + [f"  {q!r}" for q in self.conserved])


def _check_inputs(loop: NetworkLoop, own: Sequence[bool]) -> None:
    for a in np.flatnonzero(own):
        kinds = {"excitatory": loop.wiring.J[a] > 0.0, "inhibitory": loop.wiring.J[a] < 0.0}
        for kind, found in kinds.items():
            if not found.any():
                raise ValueError(
                    f"neuron scope: the cells of {loop.wiring.names[a]!r} need excitatory and inhibitory inputs to "
                    f"hold both moments, got no {kind} ones."
                )


@dataclass(frozen=True)
class Operating:
    """The one input at which a cell of a population meets its set point, and its firing there."""

    mu: float
    s: float
    rate: float
    cv: float
    status: Status
    message: str


def operating_point(loop: NetworkLoop, a: int) -> Operating:
    """Input and firing of the cells of population a; NumericalFailure where no cell has the set point's moments."""
    wiring, rule = loop.wiring, loop.rules[a]
    assert rule is not None
    name, neuron, (mean, second) = wiring.names[a], wiring.neurons[a], targets_of(rule.target)
    try:
        mu, sigma = input_for_moments(neuron, rule.sensor, mean, second)
    except NumericalFailure as failure:
        raise NumericalFailure(
            failure.status,
            f"neuron scope: the set point of {name!r} fits no single cell: {failure.reason} The mean moments of a "
            "heterogeneous population are not those of one cell.",
        ) from None
    rate, cv = (float(verb(neuron, mu=mu, sigma=sigma)) for verb in (renewal.rate, renewal.cv))
    found = renewal.input_for(neuron, rate=rate, cv=cv, throw=False)
    message = ""
    if found.status is Status.IMPLAUSIBLE:
        message = (
            f"the set point of {name!r} (mean {mean:.4g} µM, second moment {second:.4g} µM^2) fits no single cell "
            f"within reason: each would have to fire at {rate:.4g} Hz with C_v {cv:.3g}, at mu = {mu:.4g} V/s and "
            f"sigma = {sigma:.4g} V/sqrt(s). The mean moments of a heterogeneous population are not those of one cell; "
            "give eq.SetPoint(rate=..., cv=...)."
        )
    effective = mu + shift(neuron, float(wiring.tau_s[a])) * sigma
    status = Status.IMPLAUSIBLE if message else Status.OK
    return Operating(effective, sigma * sigma, rate, cv, status, message)


def fixed_point(
    loop: NetworkLoop, own: Sequence[bool], *, start: Array | None = None, cells: int = SAMPLE, throw: bool = True
) -> NetworkEquilibrium:
    """The homeostatic fixed point where the populations `own` regulate at neuron scope; NumericalFailure without one.

    `start` (2 n,) is a network state near that of the other populations, if there are several.
    """
    _check_inputs(loop, own)
    try:
        return _fixed_point(loop, own, start, cells)
    except NumericalFailure as failure:
        if throw:
            raise
        return network_homeostasis.nowhere(loop, (), failure.status, failure.reason)


def _fixed_point(loop: NetworkLoop, own: Sequence[bool], start: Array | None, cells: int) -> NeuronScopeEquilibrium:
    points = {a: operating_point(loop, a) for a in np.flatnonzero(own).tolist()}
    others = _others(loop, points, start)
    full = _at_set_points(loop, points, others, cells)
    lost = {a: float(np.isnan(u).any(0).mean()) for a, u in full.changes.items()}
    remarks = [point.message for point in points.values() if point.message]
    remarks += [_too_few(full.sample, a, others.x, points[a], lost[a]) for a in points if lost[a] > 0.0]
    if max(lost.values()) > MATTERS:
        raise NumericalFailure(Status.INFEASIBLE, f"network homeostasis: {' '.join(remarks)}")
    few = _at_set_points(loop, points, others, fewest(loop.wiring.J.shape[1]))
    status = Status.IMPLAUSIBLE if any(p.status is Status.IMPLAUSIBLE for p in points.values()) else Status.OK
    return _answer(loop, points, others, full, few, status, remarks)


# --- the populations that do not regulate at neuron scope -------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class _Others:
    """The network state x (2 n,), and of the populations without neuron scope their (u_E, u_I) (n, 2) and states."""

    x: Array
    changes: Array
    populations: dict[int, Population]
    conserved: tuple[dynamics.Invariant, ...]


def _others(loop: NetworkLoop, points: dict[int, Operating], start: Array | None) -> _Others:
    """The state of the other populations, to which the regulated ones are sources of the rates r*."""
    w, n = loop.wiring, loop.wiring.n
    rest = [a for a in range(n) if a not in points]
    x = np.zeros((2, n))
    for a, point in points.items():
        x[:, a] = point.rate, point.rate**2
    if not rest:
        return _Others(x.ravel(), np.zeros((n, 2)), {}, ())
    columns = [*rest, *points, *range(n, w.J.shape[1])]
    matrices = {name: getattr(w, name)[np.ix_(rest, columns)] for name in ("J", "K", "V", "p")}
    smaller = replace(
        w, **matrices, neurons=tuple(w.neurons[a] for a in rest), names=tuple(w.names[a] for a in rest),
        source_rates=np.concatenate([[p.rate for p in points.values()], w.source_rates]),
        source_fano=np.concatenate([np.ones(len(points)), w.source_fano]), drive=w.drive[rest], tau_s=w.tau_s[rest],
        spread=w.spread[:, np.array(rest)[:, None], columns],
    )  # fmt: skip
    sources = (*(w.names[a] for a in points), *loop.sources)
    part = NetworkLoop(smaller, tuple(loop.rules[a] for a in rest), sources, loop.nodes)
    first = None if start is None else start[[*rest, *(n + a for a in rest)]]
    J, held = w.J.copy(), ()
    if any(rule is not None for rule in part.rules):
        found = _at_rest(part, [*([] if first is None else [first]), *balanced.starts(smaller)])
        state, held = found.state, found.conserved
        J[np.ix_(rest, columns)] = part.with_weights(found.weights).J
    else:
        state = network_state.solve(smaller, _starts(smaller, first))
    x[:, rest] = state.x.reshape(2, -1)
    populations = dict(zip(rest, state.populations, strict=True))
    return _Others(x.ravel(), _common_changes(loop, J, rest), populations, held)


def _at_rest(part: NetworkLoop, starts: Sequence[Array]) -> NetworkEquilibrium:
    """The homeostatic fixed point of the others from the first of `starts` that leads to one.

    Alone it may look unstable, for the answer of the regulated cells is missing; the whole is judged later.
    """
    tried = []
    for start in starts:
        tried.append(network_homeostasis.fixed_point(part, start=start, throw=False))
        if tried[-1].status.usable and tried[-1].status is not Status.WEIGHT_AT_ZERO:
            return tried[-1]
    raise NumericalFailure(tried[-1].status, f"network homeostasis: {tried[-1].message}")


def _starts(wiring: Wiring, first: Array | None) -> Iterator[Array]:
    """Where the others stand, where they go when the regulated cells have reached their rates, and elsewhere."""
    if first is not None:
        yield first
        yield network_state.relaxed(wiring, first[: wiring.n]).x
    yield from balanced.starts(wiring)


def _common_changes(loop: NetworkLoop, J: Array, rest: list[int]) -> Array:
    """(u_E, u_I) of the populations `rest`, whose cells share them, from their weights before and after, (n, 2)."""
    changes = np.zeros((loop.wiring.n, 2))
    for a in rest:
        for kind, chosen in enumerate((loop.wiring.J[a] > 0.0, loop.wiring.J[a] < 0.0)):
            if loop.rules[a] is not None and chosen.any():
                before, after = (np.abs(weights[a, chosen])[0] for weights in (loop.wiring.J, J))
                absolute = getattr(loop.rules[a], "scale", "relative") == "absolute"
                changes[a, kind] = after - before if absolute else np.log(after / before)
    return changes


# --- the cells that do ------------------------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class _AtSetPoints:
    """A sample of cells at their set points: the changes (2, M) of each regulated population, NaN where there are none.

    `reached` is the loop of those cells that have them, in all populations, and `u` its slow state.
    """

    sample: CellLoop
    changes: dict[int, Array]
    reached: CellLoop
    u: Array


def _at_set_points(loop: NetworkLoop, points: dict[int, Operating], others: _Others, cells: int) -> _AtSetPoints:
    own = tuple(a in points for a in range(loop.wiring.n))
    sample = CellLoop(loop.wiring, loop.rules, own, labels(cells, loop.wiring.J.shape[1]))
    changes = {a: changes_for(sample, a, others.x, point) for a, point in points.items()}
    good = ~np.isnan(np.array(list(changes.values()))).any((0, 1))
    parts = [changes[a][:, good].ravel() if a in changes else others.changes[a] for a in _regulated(loop)]
    return _AtSetPoints(sample, changes, replace(sample, labels=sample.labels[good]), np.concatenate(parts))


def _regulated(loop: NetworkLoop) -> Iterator[int]:
    return (a for a, rule in enumerate(loop.rules) if rule is not None)


def changes_for(sample: CellLoop, a: int, x: Array, point: Operating) -> Array:
    """(u_E, u_I) at which each cell of population a has the input of its set point, (2, M); NaN where none does."""
    w, J, driven = sample.wiring, np.abs(sample.wiring.J[a]), sample.driven(a, x)[0]
    kinds = (w.J[a] > 0.0, w.J[a] < 0.0)
    weighed = [np.stack([J**k * driven, J**k * w.fano * driven]) for k in range(3)]
    # Sums of R, J R, J^2 R over each kind of input: for the mean, and with the Fano factors for the noise.
    (n_e, c_e, b_e), (n_i, c_i, b_i) = ([part[..., kind].sum(-1) for part in weighed] for kind in kinds)
    m, s = point.mu - w.drive[a], point.s
    if not sample.absolute(a):
        gains = np.array(balancing_weights((c_e[0], c_i[0]), (b_e[1], b_i[1]), m, s))
        return np.log(np.where(gains > 0.0, gains, np.nan))
    off_e, off_i = c_e[1] / n_e[1], c_i[1] / n_i[1]  # the mean weights of each kind: completes the squares
    m = m - c_e[0] + c_i[0] + n_e[0] * off_e - n_i[0] * off_i
    s = s - (b_e[1] - c_e[1] * off_e) - (b_i[1] - c_i[1] * off_i)
    new = balancing_weights((n_e[0], n_i[0]), (n_e[1], n_i[1]), m, s)
    changes = np.array([new[0] - off_e, new[1] - off_i])
    least = np.array([-J[kind].min() for kind in kinds])[:, None]
    return np.where(changes > least, changes, np.nan)


def _too_few(sample: CellLoop, a: int, x: Array, point: Operating, lost: float) -> str:
    """How many cells have no solution, and about how many times more inputs the last of them would need.

    Positive weights need E^2 s* > B m^2, of excitation for m = mu* - I > 0, of inhibition for m < 0.
    """
    w, (driven, _), m = sample.wiring, sample.driven(a, x), point.mu - sample.wiring.drive[a]
    chosen, side = (w.J[a] > 0.0, "excitatory") if m > 0.0 else (w.J[a] < 0.0, "inhibitory")
    J, driven = np.abs(w.J[a, chosen]), driven[:, chosen]
    factor = float(np.max((J * J * w.fano[chosen] * driven).sum(1) * m * m / ((J * driven).sum(1) ** 2 * point.s)))
    more = f" About {factor:.2g} times as many {side} inputs would do." if factor > 1.0 else ""
    return (
        f"{100 * lost:.3g} % of the cells of {w.names[a]!r} cannot reach their set point with positive weights.{more} "
        "Raise K, or ask for another rate or C_v."
    )


# --- the answer -------------------------------------------------------------------------------------------------------
def _answer(
    loop: NetworkLoop, points: dict[int, Operating], others: _Others, full: _AtSetPoints, few: _AtSetPoints,
    status: Status, remarks: list[str],
) -> NeuronScopeEquilibrium:  # fmt: skip
    slopes = slow_slopes(full.reached, full.u, others.x)
    local = {a: np.linalg.eigvals(slopes.blocks[a]).astype(np.complex128) for a in points}
    spectrum = _collective(loop, slopes, local, few, others.x)
    fast: dynamics.ComplexArray = np.linalg.eigvals(slopes.fast).astype(np.complex128)
    calm = bool((fast.real < 0.0).all())
    alone = max(float(values.real.max()) for values in local.values())
    stable = calm and spectrum.stable and alone < 0.0
    if not stable:
        status = Status.UNSTABLE
        remarks = [*remarks, "the fixed point exists, but small disturbances grow."]
    state = _state(loop, points, others, fast, Status.OK if calm else Status.UNSTABLE)
    weights = np.array([np.abs(full.reached.weights(a, full.u)[0][:, b]).mean() for a, b in loop.places])
    degrees = np.array([loop.wiring.K[place] for place in loop.places])
    cells = tuple(_cells(full, a, points[a], local[a]) for a in points)
    message = " ".join(remarks)
    return NeuronScopeEquilibrium(
        state, weights, degrees, loop.weight_names, network_homeostasis.goals(loop, loop.slow), spectrum,
        others.conserved, status, message, cells,
    )  # fmt: skip


def _cells(full: _AtSetPoints, a: int, point: Operating, local: dynamics.ComplexArray) -> RegulatedCells:
    changes = full.changes[a]
    times = -1.0 / np.sort(local.real, axis=1)
    return RegulatedCells(
        full.sample.wiring.names[a], point.rate, point.cv, point.mu, float(np.sqrt(point.s)),
        changes if full.sample.absolute(a) else np.exp(changes), float(np.isnan(changes).any(0).mean()),
        np.array([[column.min(), column.max()] for column in times.T]),
    )  # fmt: skip


def _state(
    loop: NetworkLoop, points: dict[int, Operating], others: _Others, fast: dynamics.ComplexArray, status: Status
) -> NetworkState:
    known = dict(others.populations)
    for a, p in points.items():
        known[a] = Population(loop.wiring.names[a], p.rate, p.rate**2, p.mu, float(np.sqrt(p.s)), 0.0, 0.0, 0.0)
    populations = tuple(known[a] for a in range(loop.wiring.n))
    message = "" if status is Status.OK else "the fast rate dynamics is unstable there."
    return NetworkState(populations, others.x, 0.0, fast, loop.nodes, status, message)


def _collective(
    loop: NetworkLoop, slopes: SlowSlopes, local: dict[int, dynamics.ComplexArray], few: _AtSetPoints, x: Array
) -> dynamics.Spectrum:
    """The eigenvalues apart from the bands of single cells: found among a few cells, which suffice, refined on all."""
    names = tuple(f"{what}_{name}" for what in "rq" for name in loop.wiring.names)
    bands = [(b.real.min(), b.real.max()) for v in local.values() for b in np.sort_complex(v).T]
    values = [v for v in np.linalg.eigvals(slow_slopes(few.reached, few.u, x).dense()) if _apart(v, bands)]
    found = sorted((slopes.collective(v) for v in values), key=lambda pair: abs(pair[0]))
    scale = max((abs(v) for v, _ in found), default=0.0)
    vectors = np.array([vector for _, vector in found]).reshape(len(found), len(names)).T
    return dynamics.Spectrum(np.array([v for v, _ in found], dtype=complex), vectors, names, 1e-9 * scale)


def _apart(value: complex, bands: list[tuple[float, float]]) -> bool:
    return all(max(low - value.real, value.real - high, abs(value.imag)) > APART * abs(value) for low, high in bands)
