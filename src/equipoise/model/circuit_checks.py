"""What makes a circuit sound; each check raises a message that begins with the place of the error."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from equipoise.model.adaptation import MCurrent
from equipoise.model.attached_rules import AttachedRule
from equipoise.model.connectivity import AllToAll
from equipoise.model.neurons import ConductanceLIF, IntegrateAndFire
from equipoise.model.populations import Population
from equipoise.model.projections import Projection
from equipoise.model.rate_neurons import FICurve
from equipoise.model.slow_variables import InputFrom, Pooled, SlowRule, Weight
from equipoise.model.synapses import ConductanceSynapse
from equipoise.quantities import suggest
from equipoise.units import mV

if TYPE_CHECKING:
    from equipoise.model.circuit import Circuit

# A weight of several threshold distances is a forgotten unit; weights in use stay below 3, even of few, strong inputs.
LARGEST_WEIGHT = 4.0
# A drive that alone crosses the distance to threshold more often than this [Hz] is a forgotten unit as well.
LARGEST_DRIVE = 1e4
# No potential of a neuron is farther from its threshold, in units of v_threshold - v_reset.
FARTHEST_POTENTIAL = 100.0
# No membrane spans more, and no potential counted in thresholds is so small.
LARGEST_SPAN_IN_VOLTS = 200 * mV


def check_circuit(circuit: "Circuit") -> None:
    """Raise TypeError or ValueError for the first thing that is wrong."""
    _types(circuit)
    _names(circuit)
    _ends(circuit)
    _one_unit(circuit)
    for i, population in enumerate(circuit.populations):
        _drive(i, population)
        _adaptation(i, population)
    for i, p in enumerate(circuit.projections):
        _in_degree(circuit, i, p)
        _all_to_all(circuit, i, p)
        _synapse(circuit, i, p)
        _weight(circuit, i, p)
        _plasticity(circuit, i, p)
    _dale(circuit)
    _rules(circuit)
    for i, rule in enumerate(circuit.slow_rules):
        _slow_rule(circuit, f"Circuit.slow_rules[{i}]", rule)


def check_rules(given: Sequence[object]) -> None:
    """Raise TypeError for what is no rule."""
    for i, rule in enumerate(given):
        slow = not isinstance(rule, type) and all(hasattr(rule, m) for m in ("moves", "senses", "scope", "rhs"))
        if not (slow or isinstance(rule, AttachedRule)):
            raise TypeError(
                f"Circuit.rules[{i}]: must be an eq.AttachedRule(...), or a rule on slow variables such as "
                f"eq.InputCentricThreshold(...), got {rule!r}."
            )


def _types(circuit: "Circuit") -> None:
    wanted = {"populations": Population, "projections": Projection}
    for name, kind in wanted.items():
        for i, item in enumerate(getattr(circuit, name)):
            if not isinstance(item, kind):
                raise TypeError(f"Circuit.{name}[{i}]: must be an eq.{kind.__name__}(...), got {item!r}.")
    for name in ("name", "description"):
        if not isinstance(getattr(circuit, name), str):
            raise TypeError(f"Circuit.{name}: must be text, got {getattr(circuit, name)!r}.")
    if not circuit.populations:
        raise ValueError("Circuit.populations: must hold at least one population, got none.")


def _names(circuit: "Circuit") -> None:
    name, count = Counter(circuit.names).most_common(1)[0]
    if count > 1:
        raise ValueError(f"Circuit.populations: names must be unique, got {name!r} {count} times.")


def _ends(circuit: "Circuit") -> None:
    receivers = [n.name for n in circuit.populations]
    first: dict[tuple[str, str], int] = {}
    for i, p in enumerate(circuit.projections):
        place = f"Circuit.projections[{i}]"
        if p.source not in circuit.names:
            raise ValueError(f"{place}.source: unknown name {p.source!r}.{suggest(p.source, circuit.names)}")
        if p.target not in circuit.names:
            raise ValueError(f"{place}.target: unknown name {p.target!r}.{suggest(p.target, receivers)}")
        if p.target not in receivers:
            raise ValueError(
                f"{place}.target: must be a population, got the source {p.target!r}, which receives nothing."
            )
        other = first.setdefault((p.source, p.target), i)
        if other != i:
            raise ValueError(f"{place}: {p} is given already by projections[{other}]. Merge the two.")


def _in_degree(circuit: "Circuit", i: int, p: Projection) -> None:
    pre = circuit.node(p.source)
    mean = p.connectivity.mean(pre.size)
    if math.isinf(mean):
        raise ValueError(
            f"Circuit.projections[{i}].probability: needs the size of {p.source!r}, which has none. "
            "Give in_degree instead."
        )
    if mean > pre.size:
        raise ValueError(
            f"Circuit.projections[{i}].in_degree: must not exceed the {pre.size:,} neurons of {p.source!r}, "
            f"got {mean:g}. Enlarge {p.source!r}, or leave its size out for the infinite limit (circuit.infinite())."
        )


def _all_to_all(circuit: "Circuit", i: int, p: Projection) -> None:
    """A total coupling says nothing of the noise that single spikes make."""
    neuron = circuit.node(p.target).neuron  # type: ignore[union-attr]
    noisy = isinstance(neuron, IntegrateAndFire) or (isinstance(neuron, FICurve) and neuron.sigma is None)
    if isinstance(p.connectivity, AllToAll) and noisy:
        raise ValueError(
            f"Circuit.projections[{i}].connectivity: AllToAll() has no single inputs, whose noise {p.target!r} "
            f"({type(neuron).__name__}) needs. Give in_degree=, or a neuron such as eq.FICurve(..., sigma=5.0)."
        )


def _weight(circuit: "Circuit", i: int, p: Projection) -> None:
    neuron = next(n.neuron for n in circuit.populations if n.name == p.target)
    if not isinstance(neuron, IntegrateAndFire) or isinstance(neuron, ConductanceLIF):
        return  # the unit is the neuron's own; conductances have been checked
    distance = neuron.v_threshold - neuron.v_reset
    if abs(p.weight) <= LARGEST_WEIGHT * distance:
        return
    hint = f" Did you mean weight={p.weight:g} * mV?" if abs(p.weight) * mV <= LARGEST_WEIGHT * distance else ""
    raise ValueError(
        f"Circuit.projections[{i}].weight: must not exceed {LARGEST_WEIGHT:g} times v_threshold - v_reset = "
        f"{distance:g} of {p.target!r}, got {p.weight:g}.{hint}"
    )


def _plasticity(circuit: "Circuit", i: int, p: Projection) -> None:
    """Both kinds need the spikes of single neurons; InhibitoryPlasticity lowers rates by stronger synapses."""
    if p.plasticity is None and p.short_term is None:
        return
    place = f"Circuit.projections[{i}].{'short_term' if p.plasticity is None else 'plasticity'}"
    if circuit.node(p.source) in circuit.sources:
        raise ValueError(
            f"{place}: needs presynaptic neurons, and {p.source!r} is a source, whose trains are not told apart. "
            "Give a population instead."
        )
    if p.plasticity is not None and circuit.sign_of(p) > 0.0:
        raise ValueError(
            f"{place}: InhibitoryPlasticity strengthens synapses of targets that fire too much; {p} excites, so that "
            "rates would run away. Give it to an inhibitory projection."
        )


def _one_unit(circuit: "Circuit") -> None:
    """Beside neurons that are always in volts all others are."""
    physical = next((p for p in circuit.populations if isinstance(p.neuron, ConductanceLIF)), None)
    for i, p in enumerate(circuit.populations):
        if physical and isinstance(p.neuron, IntegrateAndFire) and span_of(p.neuron) >= LARGEST_SPAN_IN_VOLTS:
            raise ValueError(
                f"Circuit.populations[{i}].neuron: must be in volts, as {physical.name!r} (ConductanceLIF) is, got "
                f"{p.name!r} with v_threshold - v_reset = {span_of(p.neuron):g}. Did you mean v_threshold="
                f"{p.neuron.v_threshold:g} * mV?"
            )


def _synapse(circuit: "Circuit", i: int, p: Projection) -> None:
    """Conductances act on neurons that have a capacitance, and nothing else does."""
    neuron = circuit.node(p.target).neuron  # type: ignore[union-attr]
    kind, place = type(neuron).__name__, f"Circuit.projections[{i}].synapse"
    if isinstance(neuron, ConductanceLIF) and not isinstance(p.synapse, ConductanceSynapse):
        raise TypeError(
            f"{place}: must be a conductance, since {p.target!r} has ConductanceLIF neurons, got {p.synapse!r}. "
            "Give eq.ConductanceSynapse(tau, reversal) and the weight in nS, or eq.LIF neurons."
        )
    if isinstance(p.synapse, ConductanceSynapse) and not isinstance(neuron, ConductanceLIF):
        raise TypeError(
            f"{place}: must be a current, since {p.target!r} has {kind} neurons, which have no capacitance, got "
            f"{p.synapse!r}. Give eq.ConductanceLIF neurons, or eq.ExponentialSynapse(tau) and a signed weight."
        )


def span_of(neuron: IntegrateAndFire) -> float:
    """From reset to threshold."""
    return neuron.v_threshold - neuron.v_reset


def _drive(i: int, p: Population) -> None:
    if not isinstance(p.neuron, IntegrateAndFire):
        return
    distance = p.neuron.v_threshold - p.neuron.v_reset
    if abs(p.drive) <= LARGEST_DRIVE * distance:
        return
    hint = f" Did you mean drive={p.drive:g} * mV?" if abs(p.drive) * mV <= LARGEST_DRIVE * distance else ""
    raise ValueError(
        f"Circuit.populations[{i}].drive: must not exceed {LARGEST_DRIVE:g} per second times v_threshold - v_reset = "
        f"{distance:g} of {p.name!r}, got {p.drive:g}.{hint}"
    )


def _adaptation(i: int, p: Population) -> None:
    own = p.adaptation
    if not isinstance(own, MCurrent):
        return
    near = FARTHEST_POTENTIAL * span_of(p.neuron)
    for name in ("v_half", "reversal", "slope"):
        value, middle = getattr(own, name), 0.0 if name == "slope" else p.neuron.v_threshold
        if abs(value - middle) <= near:
            continue
        hint = f" Did you mean {name}={value:g} * mV?" if abs(value * mV - middle) <= near else ""
        raise ValueError(
            f"Circuit.populations[{i}].adaptation: {name} of the MCurrent must be in the unit of the potentials of "
            f"{p.name!r}, whose v_threshold is {p.neuron.v_threshold:g}, got {value:g}.{hint}"
        )


def _dale(circuit: "Circuit") -> None:
    first: dict[str, int] = {}
    for i, p in enumerate(circuit.projections):
        other = circuit.projections[first.setdefault(p.source, i)]
        if circuit.sign_of(p) != circuit.sign_of(other):
            (where, got), (_, beside) = _effect(p), _effect(other)
            raise ValueError(
                f"Circuit.projections[{i}].{where}: must have the sign of projections[{first[p.source]}] (Dale's law: "
                f"one sign for all outputs of {p.source!r}), got {got} for {p} beside {beside} for {other}."
            )


def _effect(p: Projection) -> tuple[str, str]:
    """What decides whether a projection excites: where it stands, and its value in words."""
    if isinstance(p.synapse, ConductanceSynapse):
        return "synapse.reversal", f"{p.synapse.reversal / mV:g} mV"
    return "weight", f"{p.weight:g}"


def _rules(circuit: "Circuit") -> None:
    receivers = [n.name for n in circuit.populations]
    first: dict[str, int] = {}
    for i, r in enumerate(circuit.rules):
        if r.population in circuit.names and r.population not in receivers:
            raise ValueError(
                f"Circuit.rules[{i}].population: must be a population, got the source {r.population!r}, "
                "which receives nothing."
            )
        if r.population not in receivers:
            raise ValueError(
                f"Circuit.rules[{i}].population: unknown name {r.population!r}.{suggest(r.population, receivers)}"
            )
        other = first.setdefault(r.population, i)
        if other != i:
            raise ValueError(f"Circuit.rules[{i}].population: {r.population!r} has rules[{other}] already.")


def _slow_rule(circuit: "Circuit", place: str, rule: SlowRule) -> None:
    """Everything that a rule moves and senses is there."""
    for noun in (*rule.moves, *(s.of if isinstance(s, Pooled) else s for s in rule.senses)):
        if isinstance(noun, Weight | InputFrom):
            wired = [f"{p.source} -> {p.target}" for p in circuit.projections]
            wanted = f"{noun.source} -> {noun.target}"
            if wanted not in wired:
                raise ValueError(f"{place}: no projection {wanted}.{suggest(wanted, wired)}")
            continue
        receivers = [n.name for n in circuit.populations]
        name = getattr(noun, "population", None)
        if name is not None and name not in receivers:
            raise ValueError(f"{place}.population: unknown name {name!r}.{suggest(str(name), receivers)}")
