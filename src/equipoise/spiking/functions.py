"""Homeostatic rules that are Python functions on arrays over neurons."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from equipoise.model.attached_rules import Scope
from equipoise.quantities import Array, suggest
from equipoise.spiking.meter import Gathered, Meter
from equipoise.spiking.network import Network
from equipoise.spiking.slow import Gain, Slot, Threshold, Values

INSTANT = 1e-3
"""Time over which the speed of a rule that is a function is taken [s]."""


class SensedByNeurons(NamedTuple):
    """What every neuron fired and sensed over a slow window (n,): rate [Hz], moments of calcium [µM, µM^2]."""

    rate: Array
    calcium_mean: Array
    calcium_second_moment: Array


Function = Callable[[dict[str, Array], SensedByNeurons, float], Mapping[str, Array]]


@dataclass(frozen=True, kw_only=True, eq=False)
class FunctionGroup:
    """A population under a rule that is a Python function on arrays over neurons."""

    name: str
    function: Function
    meter: Meter
    slots: tuple[Slot, ...]
    scope: Scope = "neuron"
    relative: bool = False
    width: int = 3
    nothing: float = 1e-12

    @property
    def memory(self) -> float:
        """How long what is sensed takes to follow [s]: tau of calcium."""
        return self.meter.sensor.tau

    def begin(self, network: Network) -> dict[str, Array]:
        """All slow arrays of the population."""
        return {slot.name: slot.read(network) for slot in self.slots}

    def sensed(self, now: Gathered, steps: int) -> SensedByNeurons:
        """Rates and calcium moments."""
        averages = self.meter.averages(now, steps)
        return SensedByNeurons(self.meter.rates(now, steps), averages[0].copy(), averages[1].copy())

    def settled(self, values: Values, sensed: SensedByNeurons) -> dict[str, NDArray]:  # noqa: ARG002
        """The variables: none are found in the first window."""
        return dict(values)

    def step(self, values: Values, sensed: SensedByNeurons, h: float) -> dict[str, Array]:
        """What the function makes of the variables; ValueError where that cannot be."""
        return {**values, **self.changed(values, sensed, h)}

    def changed(self, values: Values, sensed: SensedByNeurons, h: float) -> dict[str, Array]:
        """The variables that the function moves in h seconds."""
        changed = self.function({k: v.copy() for k, v in values.items()}, sensed, h)
        if not isinstance(changed, Mapping):
            raise TypeError(f"{self._who}: must return a dict of arrays, got {type(changed).__name__}.")
        return {k: self._checked(k, v, len(sensed.rate)) for k, v in changed.items()}

    def rate(self, name: str, values: Values, sensed: NDArray) -> NDArray:
        """dx/dt of one variable, all neurons alike, from a short step.

        Small imaginary parts come along as they would in an analytic function, by differences.
        """
        both = np.concatenate([np.ravel([values[k][0] for k in values]), np.ravel(sensed)])
        return by_differences(lambda x: self._speed(name, tuple(values), x), both)

    def _speed(self, name: str, names: tuple[str, ...], x: Array) -> float:
        n, sensed = self.meter.size, x[len(names) :]
        values = {k: np.full(n, v) for k, v in zip(names, x, strict=False)}
        after = self.changed(values, SensedByNeurons(*(np.full(n, v) for v in sensed)), INSTANT)
        return float(np.mean(after.get(name, values[name]) - values[name])) / INSTANT

    @property
    def _who(self) -> str:
        return f"Homeostasis.functions[{self.name!r}]"

    def _checked(self, name: str, value: object, n: int) -> Array:
        array = np.asarray(value, dtype=np.float64)
        if array.shape not in ((), (1,), (n,)):
            raise ValueError(f"{self._who}: {name} must have shape ({n},), got {array.shape}.")
        low, wanted = self._limit(name)
        if not (np.isfinite(array) & (array >= low)).all():
            raise ValueError(f"{self._who}: {name} must be {wanted}, got {array.min():g} to {array.max():g}.")
        if name.startswith("J_") and name not in (known := [s.name for s in self.slots]):
            raise ValueError(f"{self._who}: no weights are named {name!r}.{suggest(name, known)}")
        return np.broadcast_to(array, n).copy()

    def _limit(self, name: str) -> tuple[Array, str]:
        """The least value of a variable, and what to say of it."""
        slot = next((s for s in self.slots if s.name == name), None)
        if isinstance(slot, Threshold):
            return np.nextafter(slot.reset, np.inf), "finite and above the reset"
        if name == "threshold":
            raise ValueError(
                f"{self._who}: the threshold of EIF neurons is a cut-off, which does not set their rate. "
                "Move gain or drive."
            )
        if isinstance(slot, Gain) or name.startswith("J_"):
            return np.zeros(()), "finite and at least 0"
        return np.asarray(-np.inf), "finite"


def by_differences(speed: Callable[[Array], float], z: NDArray) -> NDArray:
    """A function of reals at z (k,), whose small imaginary part in one place comes along as in an analytic function."""
    x, y = np.real(z).astype(np.float64), np.imag(z)
    if not y.any():
        return np.array([speed(x)])
    k = int(np.argmax(np.abs(y)))
    nudge = np.eye(x.size)[k] * 1e-4 * (abs(x[k]) + 1e-3)
    slope = speed(x + nudge) - speed(x - nudge)
    return np.array([speed(x) + 1j * y[k] * slope / (2.0 * nudge[k])])
