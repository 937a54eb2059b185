"""What slow rules sense in spikes: rates counted over a window, and the inputs that they make.

With k_s = sum c_ij r_j the summed rate of a neuron's inputs from a source s, mean input and noise are, as in mean
field,

    h = drive + sum J_s k_s  [V/s],   sigma^2 = sum J_s^2 F_s k_s  [V^2/s],

and the required input is theta + mu/g, with r(mu, g sigma) = r at a neuron of gain g. All are read from rows (k, n):
the neuron's rate, k_s of every source, and means of other populations. At population scope the rows are averaged first:
the population is read as one cell.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from equipoise import renewal
from equipoise.model.circuit import Circuit
from equipoise.model.neurons import ConductanceLIF
from equipoise.model.slow_variables import (
    ExcitatoryInput,
    InhibitoryInput,
    InputFrom,
    NetInput,
    Pooled,
    Rate,
    RequiredInput,
    Sensed,
    SquaredRate,
)
from equipoise.quantities import Array
from equipoise.renewal.firing import NOISELESS
from equipoise.spiking.external import Timed, trains_onto
from equipoise.spiking.network import Network
from equipoise.spiking.slow import ChannelWeight, SourceWeight, weights_of

LEAST_COUNT = 0.5
"""Spikes that a silent neuron, or population, is taken to have fired, where f^-1(0) would be minus infinity."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Input:
    """One projection onto a population: who `hears` whom, and the slot of its weights.

    From a source `rates` (n,) is the summed rate of its trains; from a population `posts` and `pres` are its synapses.
    """

    source: str
    slot: ChannelWeight | SourceWeight
    fano: float
    rates: Array | None = None
    posts: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    pres: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    def summed(self, rates: Mapping[str, Array], size: int) -> Array:
        """Summed rate of the inputs of each neuron [Hz] (n,)."""
        if self.rates is not None:
            return self.rates
        sums = np.bincount(self.posts, weights=rates[self.source][self.pres], minlength=size)
        return sums.astype(np.float64)


def inputs_of(network: Network, population: int) -> tuple[Input, ...]:
    """All projections onto a population."""
    circuit, name, size = network.circuit, network.layout.names[population], network.layout.sizes[population]
    slots = weights_of(network, population)
    channels = {t.route.index: t.route.channel for t in network.tables.parts}
    by_channel = {s.channel: s for s in slots if isinstance(s, ChannelWeight)}
    feeds = iter([s for s in slots if isinstance(s, SourceWeight)])
    trains = iter(trains_onto(circuit, network.layout, population, (network.key, network.dt)))
    out = []
    for index, p in enumerate(circuit.projections):
        if p.target != name:
            continue
        if index in channels:
            pres, posts = network.synapses(p.source, name)
            out.append(Input(source=p.source, slot=by_channel[channels[index]], fano=1.0, posts=posts, pres=pres))
        elif p.source not in network.layout.names:
            feed = next(trains)
            if isinstance(feed, Timed):
                raise TypeError(
                    f"spiking: a slow rule of {name!r} senses the noise of stationary trains, but {p.source!r} fires "
                    "in volleys. Take a function of eq.spiking.Homeostasis, or an eq.Source."
                )
            out.append(Input(source=p.source, slot=next(feeds), fano=feed.fano, rates=feed.rates[:size]))
    return tuple(out)


@dataclass(frozen=True, kw_only=True, eq=False)
class Senses:
    """What one population can sense: its `inputs`, and the `others` whose mean rates are sensed; `moved` weights.

    `drive` [V/s] is the tonic input beside the threshold, `least` [Hz] the rate of one that was silent by units and for
    all, set by the length of a window.
    """

    name: str
    size: int
    circuit: Circuit
    inputs: tuple[Input, ...]
    others: tuple[str, ...]
    sizes: Mapping[str, Array]
    drive: float
    tau_s: float

    @property
    def rows(self) -> int:
        """How many rows are sensed: the own rate, one for each input, and the means of others."""
        return 1 + len(self.inputs) + len(self.others)

    def gathered(self, rates: Mapping[str, Array]) -> Array:
        """The rows of all neurons (k, n) from the rates of all populations."""
        sums = [x.summed(rates, self.size) for x in self.inputs]
        means = [np.full(self.size, rates[name].mean()) for name in self.others]
        return np.array([rates[self.name], *sums, *means])

    def sensed(self, what: Sensed, rows: Array, values: Mapping[str, Array], least: float) -> Array:
        """A sensed quantity of each neuron, from rows (k, n) and the slow variables."""
        return _READ[type(what)](self, what, _Now(rows, values, least))

    # --- parts of the input -------------------------------------------------------------------------------------------
    def size_of(self, x: Input, now: "_Now") -> Array:
        """|J| that acts [V]."""
        value = now.values.get(x.slot.name)
        return (self.sizes[x.slot.name] if value is None else value) * x.slot.acting

    def from_inputs(self, now: "_Now", wanted: Callable[[Input], bool]) -> Array:
        """The size of the input from all projections wanted [V/s]."""
        out = np.zeros(now.rows.shape[1])
        for k, x in enumerate(self.inputs):
            if wanted(x):
                out = out + self.size_of(x, now) * now.rows[1 + k]
        return out

    def noise(self, now: "_Now") -> Array:
        """sigma^2 [V^2/s]."""
        parts = [self.size_of(x, now) ** 2 * x.fano * now.rows[1 + k] for k, x in enumerate(self.inputs)]
        return np.maximum(np.sum(parts, axis=0), NOISELESS)

    def required(self, now: "_Now") -> Array:
        """theta + mu/g, where r(mu, g sigma) is the rate [V/s]."""
        neuron = next(p.neuron for p in self.circuit.populations if p.name == self.name)
        gain = now.values.get("gain", np.ones(1))
        rate = np.maximum(now.rows[0], now.least)
        mu = renewal.required_mean(renewal.tabulated(neuron), self.tau_s, rate, gain**2 * self.noise(now))
        return now.values.get("theta", np.zeros(1)) + mu / gain


@dataclass(frozen=True)
class _Now:
    """Rows and slow variables together."""

    rows: Array
    values: Mapping[str, Array]
    least: float


def _rate(senses: Senses, what: Rate, now: _Now) -> Array:
    if what.population == senses.name:
        return now.rows[0]
    return now.rows[1 + len(senses.inputs) + senses.others.index(what.population)]


def _pooled(senses: Senses, what: Pooled, now: _Now) -> Array:
    mean = _Now(now.rows.mean(axis=1, keepdims=True), {k: np.mean(v, keepdims=True) for k, v in now.values.items()},
                now.least)  # fmt: skip
    return _READ[type(what.of)](senses, what.of, mean)


_READ: dict[type, Callable[..., Array]] = {
    Rate: _rate,
    Pooled: _pooled,
    RequiredInput: lambda senses, what, now: senses.required(now),  # noqa: ARG005
    NetInput: lambda senses, what, now: (  # noqa: ARG005
        senses.drive
        + senses.from_inputs(now, lambda x: x.slot.sign > 0.0)
        - senses.from_inputs(now, lambda x: x.slot.sign < 0.0)
    ),
    ExcitatoryInput: lambda senses, what, now: (  # noqa: ARG005
        senses.drive + senses.from_inputs(now, lambda x: x.slot.sign > 0.0)
    ),
    InhibitoryInput: lambda senses, what, now: senses.from_inputs(now, lambda x: x.slot.sign < 0.0),  # noqa: ARG005
    InputFrom: lambda senses, what, now: senses.from_inputs(now, lambda x: x.source == what.source),
}
"""How each sensed quantity is read."""


def senses_of(network: Network, population: int, what: list[Sensed]) -> Senses:
    """What a population needs to sense; TypeError or ValueError for what it cannot."""
    name = network.layout.names[population]
    plain = [plain_of(w) for w in what]
    for w in plain:
        _check_known(network, name, w)
    others = dict.fromkeys(w.population for w in plain if isinstance(w, Rate) and w.population != name)
    needs = any(not isinstance(w, Rate) for w in plain)
    inputs = inputs_of(network, population) if needs else ()
    sizes = {x.slot.name: x.slot.read(network) for x in inputs}
    sizes = {k: v[:1] if (v == v[0]).all() else v for k, v in sizes.items()}
    node = network.circuit.populations[population]
    drive = node.drive + network.choices.drive.get(name, 0.0)
    return Senses(
        name=name, size=network.layout.sizes[population], circuit=network.circuit, inputs=inputs, others=tuple(others),
        sizes=sizes, drive=drive, tau_s=_synaptic_time(network.circuit, name, plain),
    )  # fmt: skip


def input_of(network: Network, population: str, rates: Mapping[str, Array]) -> tuple[float, float]:
    """Required input [V/s] and noise sigma^2 [V^2/s] of a population read as one cell, as a slow rule senses them.

    `rates` [Hz] holds those of the cells (n,) of all populations. Raises what a rule that senses it would.
    """
    senses = senses_of(network, network.layout.names.index(population), [RequiredInput(population)])
    now = _Now(senses.gathered(rates).mean(axis=1, keepdims=True), {}, 0.0)
    return float(senses.required(now).mean()), float(senses.noise(now).mean())


Plain = Rate | SquaredRate | NetInput | RequiredInput | ExcitatoryInput | InhibitoryInput | InputFrom


def plain_of(what: Sensed) -> Plain:
    """What is sensed, pooled or not; TypeError for what is pooled twice."""
    plain = what.of if isinstance(what, Pooled) else what
    if isinstance(plain, Pooled):
        raise TypeError(f"spiking: {what!r} is pooled twice.")
    return plain


def _check_known(network: Network, name: str, what: Plain) -> None:
    known = [k for k in _READ if k is not Pooled]
    if type(what) not in known:
        words = ", ".join(k.__name__ for k in known)
        raise TypeError(
            f"spiking: a rule of {name!r} senses {type(what).__name__}, which spikes do not give. Known: {words}."
        )
    neuron = network.circuit.node(name).neuron  # type: ignore[union-attr]
    if isinstance(neuron, ConductanceLIF) and not isinstance(what, Rate):
        raise TypeError(
            f"spiking: a rule of {name!r} senses {type(what).__name__}, an input of currents; its synapses are "
            "conductances. Give a rule that senses rates or calcium."
        )
    if isinstance(what, InputFrom):
        network.circuit.projection(what.source, what.target)
    where = what.target if isinstance(what, InputFrom) else what.population
    if where not in network.layout.names or (where != name and not isinstance(what, Rate)):
        raise ValueError(
            f"spiking: a rule of {name!r} senses {what!r}; of other populations it can sense the mean rate, "
            "Pooled(Rate(...)), only."
        )


def _synaptic_time(circuit: Circuit, name: str, what: list[Plain]) -> float:
    """The time constant of all synapses onto a population, of which the required input depends."""
    times = sorted({p.synapse.time_constant for p in circuit.projections if p.target == name})
    if any(isinstance(w, RequiredInput) for w in what) and len(times) > 1:
        words = ", ".join(f"{1e3 * t:g} ms" for t in times)
        raise TypeError(f"spiking: a required input needs one synaptic time constant; {name!r} has {words}.")
    return times[0] if times else 0.0
