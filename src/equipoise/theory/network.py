"""The verbs on a circuit: its state, all its states, its balanced limit, and where homeostasis takes it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from equipoise import renewal
from equipoise.model.circuit import Circuit
from equipoise.model.homeostasis import AdaptiveCalciumHomeostasis, CalciumHomeostasis, CalciumSetPoint
from equipoise.model.neurons import LIF, PIF
from equipoise.model.populations import (
    Population,
    refuse_adaptation,
    refuse_conductances,
    refuse_volleys,
    spiking_neuron,
)
from equipoise.model.projections import refuse_plasticity
from equipoise.quantities import Array, finite
from equipoise.theory import balanced, distributions, network_homeostasis, neuron_scope, spectral
from equipoise.theory import network_state as states
from equipoise.theory.network_homeostasis import NetworkEquilibrium
from equipoise.theory.network_loop import NetworkLoop
from equipoise.theory.network_state import NetworkState
from equipoise.theory.wiring import Wiring
from equipoise.units import ms

if TYPE_CHECKING:
    import xarray as xr


def wiring_of(circuit: Circuit) -> Wiring:
    """The circuit as arrays (post, pre); TypeError for what mean field cannot represent."""
    refuse_plasticity("mean_field", circuit.projections)
    refuse_adaptation("mean_field", circuit.populations)
    sources, times = refuse_volleys("mean_field", circuit.sources), circuit.synaptic_times()
    inner = [np.unique(row[connected]) for row, connected in zip(times, circuit.connected(), strict=True)]
    for population, kinds in zip(circuit.populations, inner, strict=True):
        refuse_conductances("mean_field", population)
        _check_spread(population)
        if kinds.size > 1:
            raise TypeError(
                f"mean_field: all synapses of one population must share a time constant, {population.name!r} has "
                f"{', '.join(f'{1e3 * t:g} ms' for t in kinds)}."
            )
    return Wiring(
        tuple(renewal.tabulated(spiking_neuron("theory", p)) for p in circuit.populations),
        tuple(p.name for p in circuit.populations),
        circuit.weights(),
        circuit.in_degrees(),
        circuit.in_degree_variances(),
        1.0 - circuit.finite_p(),
        np.array([s.rate for s in sources]),
        np.array([s.fano for s in sources]),
        np.array([p.drive for p in circuit.populations]),
        np.array([kinds[0] if kinds.size else 0.0 for kinds in inner]),
        circuit.weight_moments(),
        tuple(p.spread for p in circuit.populations),
    )


def _check_spread(population: Population) -> None:
    """TypeError for neurons that differ in more ways than averages are taken over."""
    varying = population.spread.varying
    if len(varying) > 2 or (varying and not isinstance(population.neuron, LIF | PIF)):
        kind = type(population.neuron).__name__
        raise TypeError(
            f"mean_field: the {kind} neurons of {population.name!r} differ in {', '.join(varying)}; averages are taken "
            "over one or two parameters of LIF and PIF neurons. Use eq.spiking."
        )


def _check_equal(function: str, circuit: Circuit) -> None:
    """TypeError where neurons differ, for what treats equal ones alone."""
    for p in circuit.populations:
        if p.spread.varying:
            raise TypeError(
                f"{function}: the neurons of {p.name!r} differ in {', '.join(p.spread.varying)}; here all neurons of a "
                "population must be equal. mean_field and eq.spiking take a spread."
            )


def mean_field(circuit: Circuit, *, start: ArrayLike | None = None, throw: bool = True) -> NetworkState:
    """The self-consistent state of a circuit (Sec. 4.5.3).

    `start` (n,) rates [Hz] choose among several states; by default it is the balanced state where there is one, and
    otherwise the one that the rates settle in from silence. The status and its message say what is wrong with a state
    (UNSTABLE, SILENT, SATURATED, no balance); raises NumericalFailure where none is found.
    """
    wiring = wiring_of(circuit)
    if start is not None:
        return states.solve(wiring, [_rates("mean_field", circuit, start)], throw=throw)
    return states.solve(wiring, balanced.starts(wiring), throw=throw)


def fixed_points(circuit: Circuit, *, starts: Sequence[ArrayLike] = ()) -> list[NetworkState]:
    """All states found, each with its stability: from many starts, and along the branches of those found.

    Every state is followed as all sources slow down to a fifth and speed up to three times their rates; a branch that
    turns at folds comes back to the circuit in another state. `starts` adds rates of your own. A circuit may still have
    states that neither meets.
    """
    from equipoise.theory import network_branch  # which is made of what stands here

    found = states.fixed_points(wiring_of(circuit), starts=[_rates("fixed_points", circuit, s) for s in starts])
    return network_branch.and_their_relatives(circuit, found)


def balanced_limit(circuit: Circuit, *, throw: bool = True) -> balanced.BalancedLimit:
    """The limit of many inputs with weights J ~ K^-1/2 (Sec. 4.5.4); NumericalFailure where balance is impossible."""
    return balanced.limit(wiring_of(circuit), throw=throw)


def rate_distribution(
    circuit: Circuit, state: NetworkState, population: str, *, levels: ArrayLike | None = None
) -> "xr.Dataset":
    """Density and quantiles of the rates over the neurons of a population at a state of the circuit."""
    quantiles = None if levels is None else finite("rate_distribution", "levels", levels, low=0.0, open_low=True)
    return distributions.rate_distribution(wiring_of(circuit), state, population, levels=quantiles)


def neuron_sample(circuit: Circuit, state: NetworkState, population: str, n: int, *, seed: int) -> "xr.Dataset":
    """Inputs, rates and C_v of `n` neurons of a population: the joint law of rate and irregularity."""
    return distributions.neurons(wiring_of(circuit), state, population, n, seed=seed)


def spectral_mean_field(
    circuit: Circuit,
    *,
    seed: int,
    dt: float = 0.1 * ms,
    cells: int = 256,
    window: float = 3.2,
    windows: int = 4,
    throw: bool = True,
) -> spectral.SpectralState:
    """The state of a circuit whose recurrent input has the spectrum of its own spikes instead of white noise.

    Every population is a sample of `cells` cells, a power of two, simulated in steps dt [s] over a `window` [s] of
    noise at each iteration, and over `windows` of them in the end. Stops where the next step would change no rate by
    more than 1 % and no spectrum by more than 2 % of the rate; NumericalFailure where 30 iterations do not get there.
    LIF and PIF only. Sources: Lerchner et al. 2006, Neural Comput. 18:634; Dummer, Wieland & Lindner 2014, Front.
    Comput. Neurosci. 8:104.
    """
    wiring, name = wiring_of(circuit), "spectral_mean_field"
    _check_equal(name, circuit)
    for population in circuit.populations:
        if not isinstance(population.neuron, LIF | PIF):
            kind = type(population.neuron).__name__
            raise TypeError(f"{name}: neurons must be LIF or PIF, {population.name!r} has {kind}.")
    step = float(finite(name, "dt", dt, low=0.0, open_low=True))
    span = float(finite(name, "window", window, low=0.0, open_low=True))
    if span < 1000 * step:
        raise ValueError(f"{name}: window must be at least 1000 steps dt, {1000 * step:g} s, got {span:g} s.")
    if cells < 32 or cells & (cells - 1):
        raise ValueError(f"{name}: cells must be a power of two of at least 32, got {cells!r}. Try 256.")
    grid = spectral.Grid(step, 2 * round(span / step / 2))
    return spectral.solve(
        spectral.Sampler(wiring, grid, cells, seed), mean_field(circuit), windows=windows, throw=throw
    )  # fmt: skip


def network_set_points(circuit: Circuit, sensor) -> dict[str, CalciumSetPoint]:
    """Set point of each population: the mean calcium moments of the circuit's balanced limit (Eq. 34)."""
    _check_equal("network_set_points", circuit)
    wiring = wiring_of(circuit)
    found = network_homeostasis.set_points(wiring, balanced.limit(wiring), sensor)
    return dict(zip(wiring.names, found, strict=True))


def network_equilibrium(
    circuit: Circuit, *, near: NetworkEquilibrium | None = None, throw: bool = True
) -> NetworkEquilibrium:
    """Where the rules attached to a circuit take its weights, with the spectrum of the slow dynamics.

    The circuit's own weights decide what is conserved, and start the search; so does `near`, the result for a similar
    circuit, at population scope. With rules at neuron scope the result is a NeuronScopeEquilibrium, in closed form cell
    by cell. Raises NumericalFailure where no fixed point is found.
    """
    loop, own = loop_of(circuit), scopes_of(circuit)
    before = states.solve(loop.wiring, balanced.starts(loop.wiring), throw=False)
    start = before.x if before.status.usable else None
    if any(own):
        return neuron_scope.fixed_point(loop, own, start=start, throw=throw)
    start = next(balanced.starts(loop.wiring)) if start is None else start
    return network_homeostasis.fixed_point(loop, start=start, near=near, throw=throw)


def regulated(circuit: Circuit, found: NetworkEquilibrium) -> Circuit:
    """The circuit with the weights of its homeostatic fixed point, which `network_equilibrium` gave.

    Projections whose weight ended at zero are left out. At neuron scope the weights are the means over cells, in a
    circuit whose weights do not vary between them.
    """
    J = loop_of(circuit).with_weights(found.weights).J
    names = {name: i for i, name in enumerate(circuit.names)}
    left = [p for p in circuit.projections if J[names[p.target], names[p.source]] != 0.0]
    return replace(circuit, projections=left).with_weights(J)


def scopes_of(circuit: Circuit) -> tuple[bool, ...]:
    """Which populations have a rule at neuron scope."""
    rules = [circuit.rule_of(population.name) for population in circuit.populations]
    return tuple(rule is not None and rule.scope == "neuron" for rule in rules)


def loop_of(circuit: Circuit) -> NetworkLoop:
    """The circuit's closed loop; TypeError for rules that this level does not treat."""
    if not circuit.rules:
        other = " Its rules on slow variables belong to rates: eq.rate.evolve." if circuit.slow_rules else ""
        raise ValueError(
            "network homeostasis: the circuit has no rules on calcium; attach some with Circuit(..., rules=[...])."
            + other
        )
    _check_equal("network homeostasis", circuit)
    attached = [(circuit.rule_of(population.name), population) for population in circuit.populations]
    rules = [None if one is None else _calcium_rule(one.rule, population) for one, population in attached]
    loop = NetworkLoop(wiring_of(circuit), tuple(rules), tuple(s.name for s in circuit.sources))
    _check_equal_weights(circuit)
    if loop.adapting and any(scopes_of(circuit)):
        name = loop.wiring.names[loop.adapting[0]]
        raise TypeError(
            f"network homeostasis: population {name!r} has adaptive set points, and the circuit has rules at neuron "
            "scope; the two are not treated together. Use CalciumHomeostasis, or scope='population' throughout."
        )
    return loop


def _check_equal_weights(circuit: Circuit) -> None:
    """Cells that regulate themselves are described by the summed rates of their inputs, which unequal weights mix."""
    own = [p.name for p, neuron in zip(circuit.populations, scopes_of(circuit), strict=True) if neuron]
    for p in circuit.projections:
        if own and p.weight_spread is not None:
            raise TypeError(
                f"network homeostasis: {p} has weights that differ between synapses, which theory does not treat "
                f"beside rules at neuron scope (population {own[0]!r}). Use scope='population', or eq.spiking."
            )


def _calcium_rule(rule, population) -> CalciumHomeostasis:
    if type(rule) not in (CalciumHomeostasis, AdaptiveCalciumHomeostasis):
        raise TypeError(
            f"network homeostasis: population {population.name!r} has a {type(rule).__name__}; only CalciumHomeostasis "
            "and AdaptiveCalciumHomeostasis are treated for networks."
        )
    return renewal.resolved(rule, population.neuron)


def _rates(function: str, circuit: Circuit, start: ArrayLike) -> Array:
    rates = finite(function, "start", start, low=0.0, open_low=True)
    if rates.shape != (len(circuit.populations),):
        names = ", ".join(p.name for p in circuit.populations)
        raise ValueError(f"{function}: start must give one rate each for {names}, got shape {rates.shape}.")
    return rates
