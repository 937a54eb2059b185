"""Threshold-linear pairs under rules of known form on a whole grid at once: the fast path of `stability_map`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.dynamics import ComplexArray
from equipoise.model.slow_variables import Gain, SlowRule, Threshold, Weight
from equipoise.quantities import Array
from equipoise.rate.network import RateNetwork
from equipoise.rate.pair import Pair, pair_of, solved
from equipoise.rate.pair_rules import WEIGHTS, Form, Given, forms, given, loop
from equipoise.rate.slow_point import SlowPoint

FEW = 400
"""Grids up to which `make` is simply asked for every point."""
CHECKS = 4
"""Points of every row and column at which a grid made of rows and columns is checked."""
REST = 1e-9
"""Residual of a rule, relative to its terms, at which a circuit counts as at rest under it."""
ZERO = 1e-9
"""Eigenvalues below this part of the largest are neutral."""
At = Callable[[tuple[int, ...]], tuple[RateNetwork, tuple[SlowRule, ...]]]
ARRAYS = ("W", "gain", "threshold", "drive", "inhibited", "tau", "ceiling")


@dataclass(frozen=True, eq=False)
class Solved:
    """Joint fixed points on a grid: rates (..., n), slow variables (..., k), and leading eigenvalues (...) [1/s]."""

    rate: Array
    z: Array
    active: NDArray[np.bool_]
    zeros: NDArray[np.int8]
    fast_growth: Array
    slow_growth: Array
    slow_frequency: Array
    full_growth: Array

    @classmethod
    def nothing(cls, shape: tuple[int, ...], n: int, k: int) -> "Solved":
        """A grid without any point yet."""
        numbers = (np.full(shape, np.nan) for _ in range(4))
        rates, z = np.full((*shape, n), np.nan), np.full((*shape, k), np.nan)
        return cls(rates, z, np.zeros(shape, bool), np.zeros(shape, np.int8), *numbers)

    def put(self, index: tuple[int, ...], point: SlowPoint) -> None:
        """Keep a point found by itself."""
        self.rate[index], self.z[index], self.active[index] = point.rates, point.z, True
        self.zeros[index] = int(point.slow.zero.sum())
        self.fast_growth[index] = point.fast.eigenvalues.real.max()
        slow = point.slow.eigenvalues[~point.slow.zero]
        if slow.size:
            lead = slow[np.argmax(slow.real)]
            self.slow_growth[index], self.slow_frequency[index] = lead.real, abs(lead.imag)
        self.full_growth[index] = point.full.eigenvalues[~point.full.zero].real.max()


# --- reading ----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class _Sample:
    """One point as numbers (m,) and what has no number."""

    numbers: Array
    structure: tuple[Any, ...]


def read_pairs(at: At, shape: tuple[int, ...]) -> tuple[Pair, list[Given], tuple[SlowRule, ...]] | None:
    """The grid as pairs and rules whose numbers are arrays over it, and the rules of one point; None where it is none.

    Of a large grid `make` is asked for the first row and column, and the rest is put together where no number depends
    on both axes; that is checked at several points of every row and column, and where it fails all points are asked.
    """
    first = _sample(*at((0,) * len(shape)))
    if first is None:
        return None
    numbers = _by_rows_and_columns(at, shape, first) if len(shape) == 2 and np.prod(shape) > FEW else None
    if numbers is None:
        numbers = np.empty((*shape, first.numbers.size))
        for index in product(*map(range, shape)):
            one = _sample(*at(index))
            if one is None or one.structure != first.structure:
                return None
            numbers[index] = one.numbers
    net, rules = at((0,) * len(shape))
    return *_unpacked(numbers, net, rules), rules


def _sample(net: RateNetwork, rules: Sequence[SlowRule]) -> _Sample | None:
    pair = pair_of(net)
    if isinstance(pair, str) or isinstance(forms([given(rule) for rule in rules], pair, np.ones(2)), str):
        return None
    numbers = [getattr(pair, name).ravel() for name in ARRAYS]
    words: list[Any] = [pair.names]
    for rule in rules:
        values = vars(given(rule).values)
        words.append((type(rule), *(v for v in values.values() if not isinstance(v, float))))
        numbers.append(np.array([v for v in values.values() if isinstance(v, float)]))
    return _Sample(np.concatenate(numbers), tuple(words))


def _by_rows_and_columns(at: At, shape: tuple[int, ...], first: _Sample) -> Array | None:
    """The numbers of a grid (..., m) from its first row and column; None where that is not what `make` does."""
    sides = []
    for axis in (0, 1):
        places = [(i, 0) if axis == 0 else (0, i) for i in range(shape[axis])]
        samples = [_sample(*at(place)) for place in places]
        kept = [one.numbers for one in samples if one is not None and one.structure == first.structure]
        if len(kept) < shape[axis]:
            return None
        sides.append(np.array(kept))
    moves = [(side != first.numbers).any(axis=0) for side in sides]
    if (moves[0] & moves[1]).any():
        return None
    numbers = np.where(moves[0], sides[0][:, None, :], sides[1][None, :, :])
    for i, j in _spread(shape):
        one = _sample(*at((i, j)))
        if one is None or one.structure != first.structure or not np.array_equal(one.numbers, numbers[i, j]):
            return None
    return numbers


def _spread(shape: tuple[int, ...]) -> set[tuple[int, int]]:
    """The corners, and several places of every row and column."""
    rng, most = np.random.default_rng(0), max(shape[:2])
    out = {(i, j) for i in (0, shape[0] - 1) for j in (0, shape[1] - 1)}
    for _ in range(CHECKS):
        rows, columns = (np.resize(rng.permutation(n), most) for n in shape[:2])
        out |= set(zip(rows.tolist(), columns.tolist(), strict=True))
    return out


def _unpacked(numbers: Array, net: RateNetwork, rules: Sequence[SlowRule]) -> tuple[Pair, list[Given]]:
    pair = pair_of(net)
    assert isinstance(pair, Pair)
    end, changes = 0, {}
    for name in ARRAYS:
        shape = getattr(pair, name).shape
        size = int(np.prod(shape))
        changes[name] = numbers[..., end : end + size].reshape(*numbers.shape[:-1], *shape)
        end += size
    out = []
    for rule in rules:
        values = dict(vars(given(rule).values))
        for key, value in values.items():
            if isinstance(value, float):
                values[key], end = numbers[..., end], end + 1
        out.append(Given(type(rule), SimpleNamespace(**values)))
    return replace(pair, **changes), out


# --- solving ----------------------------------------------------------------------------------------------------------
def solve(pair: Pair, rules: Sequence[Given], moved: Sequence[SlowRule]) -> Solved | None:
    """All joint fixed points with both populations active; None where they are not known in closed form."""
    asked = forms(rules, pair, np.ones(pair.gain.shape))
    if isinstance(asked, str):
        return None
    weights = [form.moves in WEIGHTS for form in asked]
    if any(weights):
        r, here = pair.rates, pair
        if not all(weights) or not _at_rest(pair, asked):
            return None
    else:
        r = _held(pair, asked)
        here = _adapted(pair, asked, r)
    active = pair.active(r) & (here.gain > 0.0).all(axis=-1) & np.isfinite(here.gain).all(axis=-1)
    return _judged(here, rules, np.where(active[..., None], r, np.nan), active, moved)


def _at_rest(pair: Pair, asked: Sequence[Form]) -> bool:
    """Whether every circuit with both populations active satisfies its rules as it is."""
    r, here = pair.rates, pair.active(pair.rates)
    for form in asked:
        terms = (np.abs(form.a) * r).sum(axis=-1) + np.abs(form.c)
        if (np.abs((form.a * r).sum(axis=-1) - form.c) > REST * terms)[here].any():
            return False
    return bool(here.any())


def _held(pair: Pair, asked: Sequence[Form]) -> Array:
    """Rates (..., 2) from one equation of each population: its rules' demand, or its own where it is not moved."""
    rows, right = pair.stiffness.copy(), pair.drive - pair.threshold
    for p in {form.population for form in asked}:
        mine = [form for form in asked if form.population == p]
        rows[..., p, :] = sum(form.a for form in mine)
        right[..., p] = sum(form.c for form in mine)
        size = np.abs(rows[..., p, :]).max(axis=-1)  # demands are in units of the rules' speeds
        rows[..., p, :] /= np.where(size > 0.0, size, 1.0)[..., None]
        right[..., p] /= np.where(size > 0.0, size, 1.0)
    return solved(rows, right)


def _adapted(pair: Pair, asked: Sequence[Form], r: Array) -> Pair:
    """The pairs with the thresholds or gains that hold rates r."""
    h, threshold, gain = pair.inputs(r), pair.threshold.copy(), pair.gain.copy()
    for p, moves in {(form.population, form.moves) for form in asked}:
        if moves == "gain":
            above = h[..., p] - threshold[..., p]
            gain[..., p] = r[..., p] / np.where(above > 0.0, above, np.nan)
        else:
            threshold[..., p] = h[..., p] - r[..., p] / gain[..., p]
    return replace(pair, threshold=threshold, gain=gain)


def _judged(
    pair: Pair, rules: Sequence[Given], r: Array, active: NDArray[np.bool_], moved: Sequence[SlowRule]
) -> Solved:
    """The spectra of all points."""
    rows = forms(rules, pair, r)
    assert not isinstance(rows, str)
    whole, variables = loop(pair, rows), tuple(dict.fromkeys(v for rule in moved for v in rule.moves))
    out = Solved.nothing(active.shape, 2, len(variables))
    out.rate[:], out.active[:] = r, active
    for k, variable in enumerate(variables):
        out.z[..., k] = np.where(active, _value(pair, variable), np.nan)
    if not active.any():
        return out
    fast = _spectra(whole.full[..., :2, :2], active)
    out.fast_growth[active] = fast.real.max(axis=-1)
    slow = _spectra(whole.slow, active)
    zero = np.abs(slow) <= ZERO * np.abs(slow).max(axis=-1, keepdims=True)
    out.zeros[active] = zero.sum(axis=-1) + len(variables) - slow.shape[-1]
    lead = np.take_along_axis(slow, np.argmax(np.where(zero, -np.inf, slow.real), axis=-1)[:, None], axis=-1)[:, 0]
    some = ~zero.all(axis=-1)
    out.slow_growth[active], out.slow_frequency[active] = np.where(some, lead.real, np.nan), np.abs(lead.imag)
    out.full_growth[active] = _growth(_spectra(whole.full, active), zero.sum(axis=-1))
    return out


def _spectra(matrices: Array, active: NDArray[np.bool_]) -> ComplexArray:
    return np.linalg.eigvals(matrices[active]).astype(np.complex128)


def _growth(values: ComplexArray, zeros: NDArray[np.int_]) -> Array:
    """Largest real parts (m,) without as many smallest eigenvalues as there are zero modes."""
    ranks = np.argsort(np.argsort(np.abs(values), axis=-1), axis=-1)
    return np.where(ranks < zeros[:, None], -np.inf, values.real).max(axis=-1)


def _value(pair: Pair, variable: Threshold | Gain | Weight) -> Array:
    if isinstance(variable, Weight):
        return np.abs(pair.W[..., pair.names.index(variable.target), pair.names.index(variable.source)])
    values = pair.threshold if isinstance(variable, Threshold) else pair.gain
    return values[..., pair.names.index(variable.population)]
