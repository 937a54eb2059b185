"""Populations as single units that differ: each hears its own partners and has its own threshold and gain.

Partners are drawn without replacement and no unit hears itself. Every population and projection draws from a random
stream of its own, so that another weight or drive leaves the wiring as it is.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.random import Generator, SeedSequence

from equipoise.model.circuit import Circuit
from equipoise.model.connectivity import AllToAll, ErdosRenyi
from equipoise.model.populations import Source
from equipoise.model.projections import Projection
from equipoise.quantities import Array, finite, seed_sequence, suggest
from equipoise.rate.contacts import Common, Contacts, Feed, Link, Matrix, Sparse
from equipoise.rate.network import RateNetwork, assembled, network

SPREADS = ("threshold", "gain", "tau", "drive")
LOG_NORMAL = ("gain", "tau")
Spreads = Mapping[str, Mapping[str, float]]
Links = Mapping[tuple[str, str], Any]


def units(
    circuit: Circuit, *, seed: int | SeedSequence, spread: Spreads | None = None, links: Links | None = None
) -> RateNetwork:
    """The circuit as a network of single units, as many as its populations have neurons.

    `spread` gives standard deviations over the units of a population, ``{"E": {"threshold": 1.0, "gain": 0.2}}``:
    normal for threshold and drive, log-normal for gain and tau. `AllToAll` projections have rank one; others draw
    partners by their connectivity. `links` gives projections by (source, target) as matrices of relative strengths
    (post, pre), dense, scipy.sparse or anything with ``@`` such as a low-rank product; the weight multiplies them.
    Raises ValueError for infinite populations and for what does not fit, by name.
    """
    network(circuit)  # complains about what no network of rates can represent
    sizes = _sizes(circuit)
    parents = seed_sequence(seed).generate_state(4)
    own, wires = (SeedSequence([int(x) for x in parents], spawn_key=(k,)) for k in (0, 1))
    given = _checked(circuit, dict(links or {}))
    streams = wires.spawn(len(circuit.projections))
    made = [
        _wire(circuit, p, np.random.default_rng(s), given) for p, s in zip(circuit.projections, streams, strict=True)
    ]
    both = tuple(x for x in made if isinstance(x, Link)), tuple(x for x in made if isinstance(x, Feed))
    net = assembled(circuit, sizes, both, lambda other: units(other, seed=seed, spread=spread, links=links))
    return _differing(net, spread or {}, own)


def _sizes(circuit: Circuit) -> tuple[int, ...]:
    for p in circuit.populations:
        if math.isinf(p.size):
            raise ValueError(
                f"rate.units: population {p.name!r} is infinite; units need a number. Give "
                f"eq.Population({p.name!r}, size=..., ...), or use eq.rate.network for whole populations."
            )
    return tuple(int(p.size) for p in circuit.populations)


def _places(circuit: Circuit) -> dict[str, slice]:
    ends = np.cumsum(_sizes(circuit)).tolist()
    return {p.name: slice(end - int(p.size), end) for p, end in zip(circuit.populations, ends, strict=True)}


# --- wiring -----------------------------------------------------------------------------------------------------------
def _wire(circuit: Circuit, p: Projection, rng: Generator, given: Links) -> Link | Feed:
    places, node = _places(circuit), circuit.node(p.source)
    post, weight = places[p.target], np.array([p.weight])
    n = post.stop - post.start
    if isinstance(node, Source):
        K = p.connectivity.mean(node.size)
        drawn = rng.poisson(K, n) if isinstance(p.connectivity, ErdosRenyi) else np.full(n, K)
        return Feed(p.source, p.target, post, weight, drawn * node.rate, node.fano)
    pre = places[p.source]
    if (p.source, p.target) in given:
        return Link(p.source, p.target, post, pre, weight, Matrix(given[p.source, p.target]))
    return Link(p.source, p.target, post, pre, weight, _contacts(p, n, pre.stop - pre.start, rng))


def _contacts(p: Projection, n: int, sources: int, rng: Generator) -> Contacts:
    if isinstance(p.connectivity, AllToAll):
        return Common(1.0, n)
    others = sources - (p.source == p.target)
    K = p.connectivity.mean(sources)
    if round(K) > others:
        raise ValueError(f"rate.units: {p} wants {K:g} different partners for each unit, but there are {others:,}.")
    random = isinstance(p.connectivity, ErdosRenyi)
    degrees = rng.binomial(others, K / sources, n) if random else np.full(n, round(K))
    starts = np.concatenate([[0], np.cumsum(degrees)]).astype(np.int64)
    partners = np.empty(starts[-1], np.int32)
    for i, k in enumerate(degrees):
        drawn = np.sort(rng.choice(others, k, replace=False, shuffle=False))
        partners[starts[i] : starts[i + 1]] = drawn + ((drawn >= i) if others < sources else 0)
    return Sparse(starts, partners)


def _checked(circuit: Circuit, links: dict[tuple[str, str], Any]) -> Links:
    known = [str(p) for p in circuit.projections if not isinstance(circuit.node(p.source), Source)]
    sizes = {p.name: int(p.size) for p in circuit.populations}
    for (source, target), matrix in links.items():
        wanted = f"{source} -> {target}"
        if wanted not in known:
            raise ValueError(f"rate.units: links: no projection {wanted} between populations.{suggest(wanted, known)}")
        shape = (sizes[target], sizes[source])
        if getattr(matrix, "shape", None) != shape or not hasattr(matrix, "__matmul__"):
            got = getattr(matrix, "shape", repr(matrix))
            raise ValueError(f"rate.units: links[{wanted}] must be a matrix (post, pre) = {shape}, got {got}.")
    return links


# --- units that differ ------------------------------------------------------------------------------------------------
def _differing(net: RateNetwork, spread: Spreads, own: SeedSequence) -> RateNetwork:
    changes = {name: getattr(net, name).copy() for name in SPREADS}
    for population in spread:
        net.place(population)  # KeyError with a suggestion
    for k, (population, here) in enumerate(zip(net.names, net.places, strict=True)):
        for name, sd in _asked(population, spread):
            stream = SeedSequence(own.entropy, spawn_key=(*own.spawn_key, k, SPREADS.index(name)))
            z = np.random.default_rng(stream).standard_normal(here.stop - here.start)
            changes[name][here] = _spread(changes[name][here], sd, z, log=name in LOG_NORMAL)
    return net.variant(**changes)


def _asked(population: str, spread: Spreads) -> Iterator[tuple[str, float]]:
    for name, sd in spread.get(population, {}).items():
        if name not in SPREADS:
            raise ValueError(f"rate.units: spread of {population!r}: no {name!r} to vary.{suggest(name, SPREADS)}")
        yield name, float(finite("rate.units", f"spread[{population!r}][{name!r}]", sd, low=0.0))


def _spread(mean: Array, sd: float, z: Array, *, log: bool) -> Array:
    if not log:
        return mean + sd * z
    s2 = np.log1p((sd / mean) ** 2)
    return mean * np.exp(np.sqrt(s2) * z - 0.5 * s2)
