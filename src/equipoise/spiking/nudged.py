"""A change of slow variables from outside: a channel that opens, a drug, a lesion."""

from dataclasses import replace

from numpy.typing import ArrayLike

from equipoise.quantities import finite, suggest
from equipoise.spiking.kernel import State


def nudged(state: State, population: str, **changes: ArrayLike) -> State:
    """The state with slow variables of one population moved by `changes`, one number or one a neuron (n,), by name.

    Names are those of `run.slow_variables[population]`, such as ``theta=5.0`` [V/s]. What is added stays until rules
    move it away. ValueError for what a run has not moved.
    """
    slow = state.slow
    values = {} if slow is None else slow.values.get(population, {})
    new = dict(values)
    for name, change in changes.items():
        if name not in values:
            known = ", ".join(values) or "nothing"
            raise ValueError(
                f"nudged: {population!r} has no slow variable {name!r}; rules move {known}.{suggest(name, values)}"
            )
        step = finite("nudged", name, change)
        if step.shape not in ((), values[name].shape):
            raise ValueError(f"nudged: {name} must have shape () or {values[name].shape}, got {step.shape}.")
        new[name] = values[name] + step
    if slow is None:
        return state
    return replace(state, slow=replace(slow, values={**slow.values, population: new}))
