"""A circuit as a network of rates: tau dr/dt = -r + f(h, s), h = W r + input, s the noise of the input.

For each projection h gains J K r of its source [unit of the target's input; V/s for spiking neurons] and s gains
J^2 K F r, as in mean field (`theory.wiring`). A population is one unit, or as many as `units` makes of it. Delays and
the time course of synapses do not enter: rates follow their inputs with their own time constants.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from equipoise.model.circuit import Circuit
from equipoise.model.populations import Source, refuse_adaptation, refuse_conductances, refuse_volleys
from equipoise.model.projections import Projection, refuse_plasticity
from equipoise.model.rate_neurons import RateNeuron
from equipoise.quantities import Array, finite, suggest
from equipoise.rate import curves
from equipoise.rate.contacts import Common, Feed, Link

ENDLESS = 1e6
"""Rates [Hz] beyond which the dynamics runs away."""


@dataclass(frozen=True, eq=False, repr=False)
class RateNetwork:
    """Populations of rate units side by side, as arrays over all units (n,).

    `links` and `feeds` are the projections from populations and from sources, `drive` the tonic input, `gain` and
    `threshold` the intrinsic properties [the neuron's own units], `tau` [s]. `remake` says how to build the network
    of another, manipulated circuit.
    """

    circuit: Circuit
    curves: tuple[curves.Curve, ...]
    sizes: tuple[int, ...]
    links: tuple[Link, ...]
    feeds: tuple[Feed, ...]
    drive: Array
    gain: Array
    threshold: Array
    tau: Array
    tau_s: tuple[float, ...]
    remake: Any = field(repr=False)

    # --- who ----------------------------------------------------------------------------------------------------------
    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the populations."""
        return tuple(p.name for p in self.circuit.populations)

    @property
    def unit_names(self) -> tuple[str, ...]:
        """A name for each unit: that of its population, with a number where there are several."""
        if self.whole:
            return self.names
        return tuple(f"{name}[{i}]" for name, size in zip(self.names, self.sizes, strict=True) for i in range(size))

    @cached_property
    def n(self) -> int:
        """Number of units."""
        return sum(self.sizes)

    @cached_property
    def whole(self) -> bool:
        """Whether every population is one unit."""
        return self.n == len(self.sizes)

    @cached_property
    def places(self) -> tuple[slice, ...]:
        """The units of each population."""
        ends = np.cumsum(self.sizes).tolist()
        return tuple(slice(end - size, end) for end, size in zip(ends, self.sizes, strict=True))

    def place(self, population: str) -> slice:
        """The units of a population; KeyError with a suggestion."""
        if population not in self.names:
            raise KeyError(f"rate: no population is named {population!r}.{suggest(population, self.names)}")
        return self.places[self.names.index(population)]

    def link(self, source: str, target: str) -> Link | Feed:
        """The projection from `source` to `target`; KeyError that lists the existing ones."""
        for one in (*self.links, *self.feeds):
            if (one.source, one.target) == (source, target):
                return one
        wanted, known = f"{source} -> {target}", (f"{x.source} -> {x.target}" for x in (*self.links, *self.feeds))
        raise KeyError(f"rate: no projection {wanted}.{suggest(wanted, known)}")

    # --- inputs and rates ---------------------------------------------------------------------------------------------
    @cached_property
    def external(self) -> tuple[Array, Array]:
        """h and s from sources and drive, each (n,)."""
        h, s = self.drive.copy(), np.zeros(self.n)
        for one in self.feeds:
            h[one.post] += one.weight * one.rates
            s[one.post] += one.weight**2 * one.fano * one.rates
        return h, s

    @cached_property
    def noisy(self) -> bool:
        """Whether any rate depends on the noise of the input."""
        return any(curves.hears_noise(c) for c in self.curves)

    @cached_property
    def coupling(self) -> Array:
        """Total coupling dh/dr (n, n), dense."""
        return self._dense(1)

    @cached_property
    def noise_coupling(self) -> Array:
        """ds/dr (n, n), dense."""
        return self._dense(2)

    def _dense(self, power: int) -> Array:
        out = np.zeros((self.n, self.n))
        for one, numbers in zip(self.links, self._numbers, strict=True):
            out[one.post, one.pre] += np.reshape(one.weight**power, (-1, 1)) * numbers
        return out

    @cached_property
    def _numbers(self) -> tuple[Array, ...]:
        return tuple(one.contacts.matrix(one.pre.stop - one.pre.start) for one in self.links)

    def inputs(self, r: Array) -> tuple[Array, Array]:
        """h and s at rates r (n,)."""
        h, s = self.external
        if self.whole:
            return h + self.coupling @ r, np.maximum(s + self.noise_coupling @ r, 0.0) if self.noisy else s
        h, s = h.copy(), s.copy()
        for one in self.links:
            sums = one.contacts.sums(r[one.pre])
            h[one.post] += one.weight * sums
            if self.noisy:
                s[one.post] += one.weight**2 * sums
        return h, np.maximum(s, 0.0)

    def fired(self, h: Array, s: Array) -> tuple[Array, Array, Array]:
        """f and its derivatives by h and s, each (n,)."""
        out = np.empty((3, self.n))
        for curve, tau_s, here in zip(self.curves, self.tau_s, self.places, strict=True):
            out[:, here] = curves.evaluate(curve, tau_s, h[here], s[here], self.gain[here], self.threshold[here])
        return out[0], out[1], out[2]

    def steady(self, r: Array) -> Array:
        """f at the inputs that rates r make (n,)."""
        return self.fired(*self.inputs(r))[0]

    def slopes(self, r: Array) -> Array:
        """df_i/dr_j (n, n)."""
        _, by_h, by_s = self.fired(*self.inputs(r))
        return by_h[:, None] * self.coupling + (by_s[:, None] * self.noise_coupling if self.noisy else 0.0)

    def residual(self, r: Array) -> tuple[Array, Array]:
        """f - r and its derivatives by r, zero at a fixed point: (n,) and (n, n)."""
        f, by_h, by_s = self.fired(*self.inputs(r))
        slopes = by_h[:, None] * self.coupling
        if self.noisy:
            slopes += by_s[:, None] * self.noise_coupling
        slopes.flat[:: self.n + 1] -= 1.0
        return f - r, slopes

    def rhs(self, r: Array) -> Array:
        """dr/dt [Hz/s]."""
        return (self.steady(r) - r) / self.tau

    def jacobian(self, r: Array) -> Array:
        """d(dr/dt)/dr [1/s] (n, n)."""
        return (self.slopes(r) - np.eye(self.n)) / self.tau[:, None]

    def tangent(self, r: Array) -> Callable[[Array], Array]:
        """v -> (df/dr) v, without the matrix."""
        _, by_h, by_s = self.fired(*self.inputs(r))

        def apply(v: Array) -> Array:
            out = np.zeros(self.n)
            for one in self.links:
                sums = one.contacts.sums(np.ravel(v)[one.pre])
                out[one.post] += (by_h[one.post] * one.weight + by_s[one.post] * one.weight**2) * sums
            return out

        return apply

    def required(self, r: Array) -> Array:
        """f^-1(r), the input that sustains the rates at the present noise (n,)."""
        s, out = self.inputs(r)[1] if self.noisy else self.external[1], np.empty(self.n)
        for curve, tau_s, here in zip(self.curves, self.tau_s, self.places, strict=True):
            out[here] = curves.required_input(curve, tau_s, r[here], s[here], self.gain[here], self.threshold[here])
        return out

    @cached_property
    def ceilings(self) -> Array:
        """Largest rates (n,) [Hz], infinite without one."""
        tops = np.repeat([curves.ceiling(c) for c in self.curves], self.sizes)
        scaled = np.repeat([not isinstance(c, RateNeuron) for c in self.curves], self.sizes)
        return np.where(scaled, self.gain * tops, tops)

    @cached_property
    def excitatory(self) -> tuple[str, ...]:
        """Populations whose projections onto populations excite."""
        return tuple(dict.fromkeys(one.source for one in self.links if one.weight[0] > 0.0))

    # --- others like it -----------------------------------------------------------------------------------------------
    def variant(self, **changes: Any) -> "RateNetwork":
        """The network with other drive, gain or threshold (n,); what does not depend on them is kept."""
        out = replace(self, **changes)
        out.__dict__.update({name: self.__dict__[name] for name in _KEPT if name in self.__dict__})
        return out

    def with_weight(self, source: str, target: str, weight: Array) -> "RateNetwork":
        """The network with another weight of one projection, (1,) or one a target."""
        old = self.link(source, target)
        new = replace(old, weight=weight)
        links = tuple(new if one is old else one for one in self.links)
        out = replace(self, links=links, feeds=tuple(new if one is old else one for one in self.feeds))
        out.__dict__.update({name: self.__dict__[name] for name in _UNITS if name in self.__dict__})
        return out

    def mean(self, x: Array) -> Array:
        """Averages over the units of each population (P,)."""
        return np.array([x[..., here].mean(axis=-1) for here in self.places]).T

    def __repr__(self) -> str:
        who = [
            f"{p.name} ({size:,} {type(c).__name__})" if not self.whole else f"{p.name} ({type(c).__name__})"
            for p, c, size in zip(self.circuit.populations, self.curves, self.sizes, strict=True)
        ]
        return f"RateNetwork({', '.join(who)}; {len(self.links) + len(self.feeds)} projections)"


_UNITS = ("names", "n", "whole", "places", "noisy", "_numbers")
"""Cached properties that weights, drive, gain and threshold do not change."""
_KEPT = (*_UNITS, "coupling", "noise_coupling", "excitatory")
"""Cached properties that drive, gain and threshold do not change."""


def network(circuit: Circuit) -> RateNetwork:
    """The circuit as a network of rates with one unit a population.

    Raises TypeError for what this level cannot represent: perfect integrators without a time constant, synaptic time
    constants onto rate neurons, or different ones onto one spiking population, a spread of weights.
    """
    if not isinstance(circuit, Circuit):
        raise TypeError(f"rate: circuit must be an eq.Circuit, got {circuit!r}.")
    refuse_volleys("rate", circuit.sources)
    sizes = (1,) * len(circuit.populations)
    place = {p.name: slice(i, i + 1) for i, p in enumerate(circuit.populations)}
    links, feeds = [], []
    for p in circuit.projections:
        node, weight = circuit.node(p.source), np.array([p.weight])
        K = p.connectivity.mean(node.size)
        if isinstance(node, Source):
            feeds.append(Feed(p.source, p.target, place[p.target], weight, np.array([K * node.rate]), node.fano))
        else:
            links.append(Link(p.source, p.target, place[p.target], place[p.source], weight, Common(K, 1)))
    return assembled(circuit, sizes, (tuple(links), tuple(feeds)), network)


def assembled(circuit: Circuit, sizes: tuple[int, ...], wires: tuple[tuple, tuple], remake: Any) -> RateNetwork:
    """A network of alike units in each population, from its links and feeds; TypeError for unequal weights."""
    refuse_plasticity("rate", circuit.projections)
    refuse_adaptation("rate", circuit.populations)
    for p in circuit.projections:
        if p.weight_spread is not None:
            raise TypeError(
                f"rate: {p} has weights that differ between synapses, which rates do not know. "
                "Leave weight_spread out, or use eq.theory or eq.spiking."
            )
    for population in circuit.populations:
        refuse_conductances("rate", population)
    own = tuple(curves.curve_of(p) for p in circuit.populations)

    def each(values: Iterator[float]) -> Array:
        return np.repeat(np.array(list(values), dtype=np.float64), sizes)

    return RateNetwork(
        circuit, own, sizes, wires[0], wires[1], each(p.drive for p in circuit.populations), each(c.gain for c in own),
        each(c.threshold for c in own), each(c.tau for c in own), _synaptic_times(circuit, own), remake,
    )  # fmt: skip


def as_network(given: Circuit | RateNetwork) -> RateNetwork:
    """What the verbs take: a circuit, or a network made of one."""
    return given if isinstance(given, RateNetwork) else network(given)


def rates_from(function: str, net: RateNetwork, start: ArrayLike) -> Array:
    """Rates given by the user, one for each population or each unit (n,)."""
    given = finite(function, "start", start, low=0.0)
    if given.shape == (len(net.sizes),):
        return np.repeat(given, net.sizes)
    if given.shape != (net.n,):
        names = ", ".join(net.names)
        raise ValueError(f"{function}: start must give one rate each for {names}, got shape {given.shape}.")
    return given


def _synaptic_times(circuit: Circuit, own: tuple[curves.Curve, ...]) -> tuple[float, ...]:
    """The synaptic time constant of each population, which shifts the rate of a spiking neuron."""
    return tuple(_synaptic_time(circuit, p.name, c) for p, c in zip(circuit.populations, own, strict=True))


def _synaptic_time(circuit: Circuit, name: str, curve: curves.Curve) -> float:
    inputs: list[Projection] = [p for p in circuit.projections if p.target == name]
    times = sorted({p.synapse.time_constant for p in inputs})
    if isinstance(curve, RateNeuron) and any(times):
        raise TypeError(
            f"rate: {name!r} has {type(curve).__name__} neurons, whose inputs act at once; a synapse of "
            f"{1e3 * times[-1]:g} ms cannot be represented. Use DeltaSynapse(), and the neuron's tau."
        )
    if len(times) > 1:
        kinds = ", ".join(f"{1e3 * t:g} ms" for t in times)
        raise TypeError(f"rate: all synapses of one population must share a time constant, {name!r} has {kinds}.")
    return times[0] if times else 0.0
