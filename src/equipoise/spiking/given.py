"""Neurons given one by one, instead of those of a population's spread."""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.model import spread
from equipoise.model.neurons import IntegrateAndFire
from equipoise.quantities import Array, finite, suggest
from equipoise.spiking import cells
from equipoise.spiking.cells import POTENTIAL, Receptors
from equipoise.spiking.external import GAUSSIAN, External
from equipoise.spiking.network import Network
from equipoise.spiking.neurons import Neurons


def with_neurons(network: Network, population: str, **values: ArrayLike) -> Network:
    """The network with other neurons in one population: a value for each of them, or one for all, by parameter.

    Thresholds and resets [V or thresholds], time constants and refractory periods [s], each (n,) or (): `v_threshold`,
    `v_reset`, `tau_m`, `tau_ref` of a LIF, `v_onset` instead of `v_threshold` of an EIF. Synapses and input stay.
    ValueError where a neuron would be impossible.
    """
    names = network.layout.names
    if population not in names:
        raise ValueError(f"with_neurons: no population is named {population!r}.{suggest(population, names)}")
    k = names.index(population)
    old = network.neurons[k]
    own = {name: _checked(network, k, name, value) for name, value in values.items()}
    new = Neurons(old.neuron, {**old.own, **own})
    _check_possible(population, new)
    neurons = tuple(new if of is old else of for of in network.neurons)
    receptors = [Receptors.of(network.circuit, name) for name in names]
    drive, place = network.drive.copy(), network.layout.neurons(k)
    drive[place] *= cells.gain_of_step(new.leak, network.dt) / cells.gain_of_step(old.leak, network.dt)
    return replace(
        network, neurons=neurons, drive=drive, threshold=cells.thresholds_of(neurons, network.layout),
        cells=cells.steps_of_cells(neurons, receptors, network.layout, network.dt),
        externals=tuple(_driven(x, k, (old, new), network) for x in network.externals),
    )  # fmt: skip


def _checked(network: Network, k: int, name: str, value: ArrayLike) -> Array:
    population, neuron, n = network.layout.names[k], network.neurons[k].neuron, network.layout.sizes[k]
    known = spread.can_vary(neuron)
    if name not in known:
        kind = type(neuron).__name__
        raise ValueError(f"with_neurons: {kind} neurons cannot differ in {name!r}.{suggest(name, known)}")
    array = finite("with_neurons", name, value)
    if array.shape not in ((), (n,)):
        raise ValueError(f"with_neurons: {name} of {population!r} must have shape ({n},), got {array.shape}.")
    return np.broadcast_to(array, n).copy()


def _check_possible(population: str, of: Neurons) -> None:
    """Whether the neurons at the extremes are possible: limits concern one parameter, or the distance of two."""
    low, high = of["v_reset"], of["v_onset"] if hasattr(of.neuron, "v_onset") else of["v_threshold"]
    for quantity in (*of.own.values(), np.atleast_1d(high - low)):
        for i in {int(np.argmin(quantity)), int(np.argmax(quantity))}:
            try:
                _one(of, i)
            except ValueError as error:
                raise ValueError(f"with_neurons: neuron {i} of {population!r}: {error}") from None


def _one(of: Neurons, i: int) -> IntegrateAndFire:
    return replace(of.neuron, **{name: float(array[i]) for name, array in of.own.items()})


def _driven(x: External, k: int, change: tuple[Neurons, Neurons], network: Network) -> External:
    """A source with the noise that other membranes make of it; counts and currents do not know the membrane."""
    if x.population != k or x.noise != GAUSSIAN or x.sink != POTENTIAL:
        return x
    before, after = (cells.noise_of_step(of.leak, network.dt) for of in change)
    amplitude: NDArray[np.float32] = x.amplitude.copy()
    amplitude[: network.layout.sizes[k]] *= after / before
    return replace(x, amplitude=amplitude)
