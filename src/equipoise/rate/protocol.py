"""A protocol on a circuit of rates under its rules: what recovers, where the set point goes, and who compensates."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from equipoise.dynamics.phases import SILENCE, Phases, phases, rows_of
from equipoise.model.circuit import Circuit
from equipoise.model.protocols import Protocol
from equipoise.model.slow_variables import SlowRule, Weight
from equipoise.quantities import Array
from equipoise.rate.fixed_points import MOST_UNITS, settled
from equipoise.rate.network import RateNetwork, as_network
from equipoise.rate.slow import dataset, followed
from equipoise.rate.slow_path import Path
from equipoise.rate.slow_point import SlowPoint, equilibrium
from equipoise.rate.slow_state import SlowSystem, slow_system
from equipoise.results import Status

if TYPE_CHECKING:
    import xarray as xr

MOVED = 1e-3
"""A rate that rules move by less than this part of its baseline has no share to speak of."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Outcome:
    """What a protocol did, in rates [Hz] of populations (P,).

    `days` is the path, `phases` its rates before, in and after the perturbation. `before` and `during` are the joint
    equilibria of rates and rules without and with it, None where none was looked for or found. `intrinsic_alone` holds
    the rates at the end of the chronic phase with weights put back to what they were before the onset, `synaptic_alone`
    those with thresholds and gains put back; NaN where the rates do not come to rest then.
    """

    protocol: Protocol
    days: "xr.Dataset"
    phases: Phases
    before: SlowPoint | None
    during: SlowPoint | None
    intrinsic_alone: Array
    synaptic_alone: Array
    status: Status
    message: str

    @property
    def set_points(self) -> Array:
        """Rates that the rules hold before and during the perturbation (2, P) [Hz]; NaN where they hold none."""
        nothing = np.full(len(self.phases.populations), np.nan)

        def held(point: SlowPoint | None) -> Array:
            if point is None or point.status is Status.UNSTABLE:
                return nothing
            return point.system.net.mean(point.rates)

        return np.array([held(self.before), held(self.during)])

    @property
    def intrinsic_share(self) -> Array:
        """What of the compensation is lost when thresholds and gains are put back, (chronic - r)/(chronic - acute)."""
        return self._share(self.phases.chronic - self.synaptic_alone)

    @property
    def synaptic_share(self) -> Array:
        """What of the compensation is lost when weights are put back (P,).

        The two shares add up to 1 where they do not interact. The other definition, what each does when it moves alone,
        is 1 - the share of the other one.
        """
        return self._share(self.phases.chronic - self.intrinsic_alone)

    def _share(self, lost: Array) -> Array:
        """A part of chronic - acute (P,); NaN where rules have moved a rate by less than 0.1 % of its baseline."""
        whole = self.phases.chronic - self.phases.acute
        moved = np.abs(whole) > MOVED * np.maximum(self.phases.baseline, SILENCE)
        return np.where(moved, lost / np.where(moved, whole, 1.0), np.nan)

    def __repr__(self) -> str:
        head = f"Outcome({type(self.protocol).__name__}; {self.status.name}: {self.message})"
        rows = [
            f"  {name}: set point {a:.4g} -> {b:.4g} Hz, intrinsic share {x:.2f}, synaptic {y:.2f}"
            for name, a, b, x, y in zip(
                self.phases.populations, *self.set_points, self.intrinsic_share, self.synaptic_share, strict=True
            )
        ]
        return "\n".join([head, repr(self.phases), *rows])


def perform(
    circuit: Circuit | RateNetwork,
    protocol: Protocol,
    *,
    rules: Sequence[SlowRule] = (),
    start: ArrayLike | None = None,
    times: ArrayLike | None = None,
) -> Outcome:
    """Follow a circuit and its rules through baseline, perturbation and washout of a protocol.

    Without `rules` those of the circuit act; `start` [Hz] and `times` [s] are those of `rate.evolve`. A path that ends
    early has its status and reason in the outcome, and NaN for what it does not reach. Raises what `rate.evolve` does.
    """
    net = as_network(circuit)
    schedule = protocol.schedule(net.circuit)
    end, path = followed(net, rules, protocol.span, start=start, schedule=schedule, times=times)
    days = dataset(end, path)
    alone = _alone(net, protocol, rules, path)
    return Outcome(
        protocol=protocol, days=days, phases=phases(days, protocol), before=alone.before, during=alone.during,
        intrinsic_alone=alone.intrinsic, synaptic_alone=alone.synaptic, status=path.status,
        message=days.attrs["message"],
    )  # fmt: skip


@dataclass
class _Alone:
    """Equilibria, and the rates with one kind of slow variable put back."""

    intrinsic: Array
    synaptic: Array
    before: SlowPoint | None = None
    during: SlowPoint | None = None


def _alone(net: RateNetwork, protocol: Protocol, rules: Sequence[SlowRule], path: Path) -> _Alone:
    nothing = np.full(len(net.names), np.nan)
    first = slow_system(net, rules)
    begin, end = rows_of(np.array(path.t), protocol)
    out = _Alone(nothing, nothing)
    if path.t[-1] >= protocol.onset:
        out.before = _held(first, path.z[begin - 1], path.r[begin - 1])
    if path.t[-1] < protocol.stop:
        return out
    here = SlowSystem(net.remake(protocol.perturbed(net.circuit)), first.rules)
    z, r, back = path.z[end - 1], path.r[end - 1], first.moved_to(here, path.z[begin - 1])
    out.during = _held(here, z, r)
    weights = np.concatenate([np.full(p.stop - p.start, isinstance(v, Weight)) for v, p in here.places.items()])
    out.intrinsic = _rates(here, np.where(weights, back, z), r)
    out.synaptic = _rates(here, np.where(weights, z, back), r)
    return out


def _rates(system: SlowSystem, z: Array, r: Array) -> Array:
    """Mean rates (P,) that settle at slow state z; NaN where none do."""
    net = system.at(z)
    rates, status, _ = settled(net, r)
    return net.mean(rates) if status is Status.OK else np.full(len(net.names), np.nan)


def _held(system: SlowSystem, z: Array, r: Array) -> SlowPoint | None:
    """The joint equilibrium near slow state z and rates r, of few units."""
    if system.net.n + z.size > 2 * MOST_UNITS:
        return None
    point = equilibrium(system.at(z), system.rules, start=r, throw=False)
    return None if point.status is Status.NOT_CONVERGED else point
