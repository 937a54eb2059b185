"""Maps of stability: where rules hold a circuit, as two of its parameters, or of the rules', change.

Threshold-linear E-I pairs under rules of known form are solved for the whole map at once: a joint fixed point with both
populations active is linear in the rates, for a population whose threshold or gain moves satisfies what its rule asks
instead of its own equation. Other circuits are solved point by point, each from the rates of its neighbour.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from equipoise.model.circuit import Circuit
from equipoise.model.slow_variables import SlowRule
from equipoise.quantities import Array, finite
from equipoise.rate.network import RateNetwork, as_network
from equipoise.rate.pair_map import Solved, read_pairs, solve
from equipoise.rate.slow_point import check_few, described, first_rates, found, guesses
from equipoise.rate.slow_state import slow_system
from equipoise.rate.state import SILENCE

if TYPE_CHECKING:
    import xarray as xr

Make = Callable[..., tuple[Circuit | RateNetwork, Sequence[SlowRule]]]
STATES = ("none", "stable", "slow_unstable", "fast_unstable", "scales_mix")
MEANINGS = {
    "none": "no joint fixed point with all populations active was found",
    "stable": "rates and rules return",
    "slow_unstable": "the rules drive the slow variables away",
    "fast_unstable": "the rates leave it by themselves",
    "scales_mix": "stable on each time scale by itself but not together, the rules are too fast",
}

KEPT = (
    "state",
    "rate",
    "slow",
    "active",
    "fast_stable",
    "slow_stable",
    "stable",
    "zero_modes",
    "population",
    "variable",
)


def stability_map(make: Make, /, **axes: ArrayLike) -> "xr.Dataset":
    """Joint fixed points and their stability on a grid of parameters.

    `make(**values)` returns (circuit, rules) for one value of each axis, () where the circuit has its own rules; it
    must depend on nothing else. Returns a Dataset over the axes: `state`, a flag whose meanings are in its attrs;
    `rate` [Hz] of each population and `slow`, each moved variable; `active`, `fast_stable`, `slow_stable`, `stable`;
    `fast_growth`, `slow_growth`, `full_growth` [1/s], the largest real parts, of slow variables without `zero_modes`
    neutral directions, and `slow_frequency` [rad/s] that goes with it. attrs["method"] is "closed form" or "numerical".
    Numbers are NaN where there is no such point.
    """
    values = _checked(axes)
    shape = tuple(map(len, values.values()))

    def at(index: tuple[int, ...]) -> tuple[RateNetwork, tuple[SlowRule, ...]]:
        circuit, rules = make(**{name: float(v[i]) for (name, v), i in zip(values.items(), index, strict=True)})
        net = as_network(circuit)
        return net, tuple(rules) or net.circuit.slow_rules

    net, rules = at((0,) * len(shape))
    system = slow_system(net, rules)
    check_few("rate.stability_map", system)
    pairs = read_pairs(at, shape)
    solved = None if pairs is None else solve(*pairs)
    method = "numerical" if solved is None else "closed form"
    if solved is None:
        solved = _numerical(at, shape, net.n, system.start.size)
    elif pairs is not None and pairs[0].names != net.names:
        solved.rate[:] = solved.rate[..., ::-1].copy()
    return _dataset(solved, values, (net.unit_names, system.names), method)


def _checked(axes: dict[str, ArrayLike]) -> dict[str, Array]:
    if not axes:
        raise ValueError("rate.stability_map: give at least one axis, such as drive_I=np.linspace(0, 2, 50).")
    out = {name: np.atleast_1d(finite("rate.stability_map", name, v)) for name, v in axes.items()}
    for name, v in out.items():
        if name in (*KEPT, *(column.name for column in COLUMNS)):
            raise ValueError(f"rate.stability_map: no axis may be named {name!r}, which is in the result. Rename it.")
        if v.ndim != 1 or v.size == 0:
            raise ValueError(f"rate.stability_map: {name} must be a list of values, got shape {v.shape}.")
    return out


# --- point by point ---------------------------------------------------------------------------------------------------
def _numerical(at: Callable[[tuple[int, ...]], Any], shape: tuple[int, ...], n: int, k: int) -> Solved:
    out = Solved.nothing(shape, n, k)
    last: Array | None = None
    for index in _winding(shape):
        net, rules = at(index)
        system = slow_system(net, rules)
        near = [first_rates(net)] if last is None else [last]
        y = found(system, chain(near, guesses(n)), active=True)
        if y is not None and _active(net, y[:n]):
            last = y[:n]
            out.put(index, described(system, y))
    return out


def _winding(shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """All places of the grid, each beside the one before."""
    if not shape:
        yield ()
        return
    for count, rest in enumerate(_winding(shape[:-1])):
        last = range(shape[-1])
        yield from ((*rest, i) for i in (last if count % 2 == 0 else reversed(last)))


def _active(net: RateNetwork, r: Array) -> bool:
    return bool((r >= SILENCE).all() and (r < net.ceilings).all())


# --- what comes out ---------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Column:
    name: str
    units: str
    about: str


COLUMNS = (
    _Column("fast_growth", "1/s", "largest real part of the fast spectrum"),
    _Column("slow_growth", "1/s", "largest real part of the slow spectrum without neutral directions"),
    _Column("slow_frequency", "rad/s", "imaginary part of that eigenvalue"),
    _Column("full_growth", "1/s", "largest real part of the full spectrum without neutral directions"),
)


def _dataset(
    grid: Solved, values: dict[str, Array], names: tuple[tuple[str, ...], tuple[str, ...]], method: str
) -> "xr.Dataset":
    import xarray as xr

    dims = tuple(values)
    fast, slow, full = grid.fast_growth < 0.0, ~(grid.slow_growth >= 0.0), grid.full_growth < 0.0
    kinds = [~grid.active, full & fast & slow, ~fast, ~slow]
    state = np.select(kinds, [0, 1, 3, 2], default=4).astype(np.int8)
    flags = {"flag_values": list(range(len(STATES))), "flag_meanings": " ".join(STATES), **MEANINGS}
    data: dict[str, Any] = {
        "state": (dims, state, flags),
        "rate": ((*dims, "population"), grid.rate, {"units": "Hz"}),
        "slow": ((*dims, "variable"), grid.z, {"long_name": "slow variables at the joint fixed point"}),
        "active": (dims, grid.active),
        "fast_stable": (dims, grid.active & fast),
        "slow_stable": (dims, grid.active & fast & slow),
        "stable": (dims, state == 1),
        "zero_modes": (dims, grid.zeros, {"long_name": "number of neutral slow directions"}),
    }
    for column in COLUMNS:
        data[column.name] = (dims, getattr(grid, column.name), {"units": column.units, "long_name": column.about})
    coords = {**values, "population": list(names[0]), "variable": list(names[1])}
    return xr.Dataset(data, coords, {"method": method})
