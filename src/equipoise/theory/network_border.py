"""Homeostatic fixed points with weights at zero, where set points ask for negative ones.

A weight that its rule pushes down stays at zero, and without others of its kind one moment of calcium is no longer held
in its population. What remains is a smaller loop, in which the other weights meet the other set points.
"""

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from equipoise.quantities import Array
from equipoise.results import Status
from equipoise.theory import network_approach, network_state
from equipoise.theory.network_approach import Approach
from equipoise.theory.network_loop import NetworkLoop, calcium_means

Place = tuple[int, int]
MOMENTS = (("mean", "µM"), ("second moment", "µM^2"))
FADING = 0.25
"""At relative scale no weight gets to zero on the way; one below this part of its first value is taken for lost."""


def solve(loop: NetworkLoop, way: Approach) -> tuple[NetworkLoop, Array] | None:
    """The loop without the weights that end at zero, and its fixed point y = (x, slow); None where there is none.

    `way` says how far the whole loop could be followed. The rules go on to push down every weight that is left out.
    """
    part, lost, before = loop, frozenset[Place](), loop.weights
    for _ in range(2 * loop.wiring.n):
        gone = None if loop.adapting else _vanishing(part, before, way)
        if not gone:
            return None
        y, lost = way.y, lost | gone
        stays = np.append(np.ones(2 * loop.wiring.n, dtype=bool), [place not in gone for place in part.places])
        part, before = part.without(gone), before[stays[2 * loop.wiring.n :]]
        found = _meet(part, y[stays])
        if found.arrived:
            return (part, found.y) if _pushed_down(loop, part, lost, found.y) else None
        way = found
    return None


def words(loop: NetworkLoop, part: NetworkLoop, x: Array, slow: Array) -> str:
    """Which weights of the loop are at zero, and what that leaves open."""
    lost = set(loop.places) - set(part.places)
    names = ", ".join(name for name, place in zip(loop.weight_names, loop.places, strict=True) if place in lost)
    left = "; ".join(not_held(part, x, slow)) or "the set points are met all the same, by the other weights"
    return f"{names} ended at zero, where the rules go on to push down: {left}."


def not_held(loop: NetworkLoop, x: Array, slow: Array) -> Iterator[str]:
    """The set points that no weight holds, and what is sensed instead."""
    sensed, targets = calcium_means(loop, loop.with_weights(slow), x), loop.targets(slow)
    for a, k in itertools.product(range(loop.wiring.n), range(2)):
        if loop.rules[a] is not None and (a, k) not in loop.held:
            what, unit = MOMENTS[k]
            yield (
                f"the {what} of {loop.wiring.names[a]} is {sensed[a, k]:.4g} {unit}, where {targets[a, k]:.4g} is "
                "asked for"
            )


def _vanishing(part: NetworkLoop, before: Array, way: Approach) -> frozenset[Place]:
    """The weights that would turn negative next."""
    if way.negative is not None:
        return frozenset(place for place, w in zip(part.places, way.negative, strict=True) if w < 0.0)
    n2 = 2 * part.wiring.n
    left = way.y[n2 : n2 + len(part.places)] / before
    if not left.size or left.min() > FADING:
        return frozenset()
    return frozenset(_together(part, part.places[int(np.argmin(left))]))


def _together(part: NetworkLoop, place: Place) -> Iterator[Place]:
    """The weights that reach zero with this one: all of its kind at relative scale, itself alone at absolute scale."""
    J = part.wiring.J
    for a, b in part.places:
        same = a == place[0] and (J[a, b] < 0.0) == (J[place] < 0.0)
        if same and (b == place[1] or getattr(part.rules[a], "scale", "relative") == "relative"):
            yield a, b


def _meet(part: NetworkLoop, near: Array) -> Approach:
    """The fixed point of what is left, from where the whole loop ended; or how far it can be followed from there."""
    held, n2 = network_approach.conserved(part), 2 * part.wiring.n
    found = network_approach.solve(part, held, network_approach.levels(held, near[n2:]), near)
    if found.status is Status.OK:
        return Approach(found.x, 1.0)
    moved = replace(part, wiring=part.with_weights(near[n2:]))
    settled = network_state.from_start(moved.wiring, near[:n2])
    return network_approach.approach(moved, held, settled.x) if settled.status.usable else Approach(near, 0.0)


def _pushed_down(loop: NetworkLoop, part: NetworkLoop, lost: frozenset[Place], y: Array) -> bool:
    n2 = 2 * loop.wiring.n
    sensed = calcium_means(part, part.with_weights(y[n2:]), y[:n2])
    return all(loop.push(place, loop.slow, sensed) <= 0.0 for place in lost)
