"""Rates over time: few units without noise by SciPy's LSODA, others in fixed steps (`step`)."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from equipoise import dynamics
from equipoise.model.circuit import Circuit
from equipoise.model.manipulations import During, edges, manipulated
from equipoise.quantities import Array, Quantity, check, steps_of
from equipoise.rate.fixed_points import MOST_UNITS
from equipoise.rate.network import ENDLESS, RateNetwork, as_network, rates_from
from equipoise.rate.step import Fluctuation, Noise, Stepper
from equipoise.results import Status
from equipoise.units import day, ms

if TYPE_CHECKING:
    import xarray as xr

_TIME = Quantity("simulated time", unit="second", low=0.0, high=30 * day, open_low=True)
_DT = Quantity("time step", unit="ms", low=0.0, open_low=True)
REPORTS = 1000


def simulate(
    circuit: Circuit | RateNetwork,
    *,
    duration: float,
    start: ArrayLike | None = None,
    noise: Noise | None = None,
    seed: int | np.random.SeedSequence | None = None,
    dt: float = 0.1 * ms,
    schedule: Sequence[During] = (),
) -> "xr.Dataset":
    """Rates of a circuit, or of a network of units, over `duration` [s] from `start` [Hz] (default: silence).

    `noise` is added to the input, one law for all or one a population, and needs a `seed`; with noise, or more than 40
    units, time goes in steps `dt` [s]. `schedule` holds manipulations and when they act. Rules do not: see `evolve`.
    Returns a Dataset over `time` with `rate` of each population, for units their mean with its `rate_sd` and the last
    rates of all in `end`; attrs hold the status: RUNAWAY where rates exceed 1e6 Hz, INTERRUPTED by Ctrl-C, with all
    that was done before.
    """
    net = as_network(circuit)
    span = check("rate.simulate: duration", duration, _TIME)
    r = np.zeros(net.n) if start is None else rates_from("rate.simulate", net, start)
    tape = _Tape(net)
    if noise is None and net.n <= MOST_UNITS:
        status = _smooth(net, _plan(net, schedule, span), r, span, tape)
        return tape.dataset(status, {})
    step = check("rate.simulate: dt", dt, _DT)
    if step > 0.5 * net.tau.min():
        raise ValueError(
            f"rate.simulate: dt must be at most half of the shortest time constant, {net.tau.min() / ms:g} ms, got "
            f"{step / ms:g} ms."
        )
    if noise is not None and seed is None:
        raise TypeError("rate.simulate: noise needs a seed. Use seed=1, for example.")
    fluctuation = Fluctuation.of(net, noise, seed, step)
    status = _stepped(_plan(net, schedule, span), r, (span, step), fluctuation, tape)
    return tape.dataset(status, {"dt": step, "seed": " ".join(repr(seed).split())})


def _plan(net: RateNetwork, schedule: Sequence[During], span: float):
    """(begin, end, network) of each stretch without changes."""
    for i, during in enumerate(schedule):
        if not isinstance(during, During):
            raise TypeError(f"rate: schedule[{i}] must be an eq.During(manipulation, start), got {during!r}.")
    for begin, end in pairwise(edges(list(schedule), span)):
        yield begin, end, net.remake(manipulated(net.circuit, schedule, begin)) if schedule else net


def _smooth(net: RateNetwork, plan, r: Array, span: float, tape: "_Tape") -> Status:
    """Without noise, by an adaptive solver, in pieces that Ctrl-C cannot spoil."""
    tape.write(0.0, r)
    try:
        for begin, end, here in plan:
            reports = max(2, round(REPORTS * (end - begin) / span)) + 1
            for times in np.array_split(np.linspace(begin, end, reports), min(20, reports // 2)):
                grid = np.unique(np.append(tape.time, times))
                path = dynamics.evolve(
                    here.rhs, r, grid, names=net.unit_names, jacobian=here.jacobian,
                    stop=lambda x: ENDLESS - float(x.max()), tolerance=1e-8,
                )  # fmt: skip
                for t, x in zip(path.t[1:], path.x.T[1:], strict=True):
                    tape.write(t, np.maximum(x, 0.0))
                if path.status is not Status.OK:
                    return path.status
                r = np.maximum(path.x[:, -1], 0.0)
    except KeyboardInterrupt:
        return Status.INTERRUPTED
    return Status.OK


def _stepped(plan, r: Array, clock: tuple[float, float], noise: Fluctuation, tape: "_Tape") -> Status:
    """In fixed steps."""
    span, dt = clock
    done, every = 0, max(1, steps_of("rate.simulate", "duration", span, dt) // REPORTS)
    tape.write(0.0, r)
    try:
        for _, end, here in plan:
            stepper = Stepper.of(here, dt)
            for _ in range(done, steps_of("rate.simulate", "schedule", end, dt)):
                r, noise = stepper.step(r, noise)
                done += 1
                if done % every == 0:
                    tape.write(done * dt, r)
                    if not r.max() < ENDLESS:
                        return Status.RUNAWAY
    except KeyboardInterrupt:
        return Status.INTERRUPTED
    return Status.OK


class _Tape:
    """What is reported, and the last rates."""

    def __init__(self, net: RateNetwork):
        self.net, self.time, self.last = net, 0.0, np.zeros(net.n)
        self.times: list[float] = []
        self.rates: list[Array] = []
        self.spreads: list[Array] = []

    def write(self, time: float, r: Array) -> None:
        """One report."""
        self.time, self.last = time, r
        self.times.append(time)
        self.rates.append(self.net.mean(r))
        if not self.net.whole:
            self.spreads.append(np.array([r[here].std() for here in self.net.places]))

    def dataset(self, status: Status, attrs: dict) -> "xr.Dataset":
        """All reports."""
        import xarray as xr

        dims, data = ("time", "population"), {}
        data["rate"] = (dims, np.array(self.rates), {"units": "Hz"})
        if not self.net.whole:
            data["rate_sd"] = (dims, np.array(self.spreads), {"units": "Hz"})
            data["end"] = ("unit", self.last, {"units": "Hz"})
        coords = {"time": ("time", self.times, {"units": "s"}), "population": list(self.net.names)}
        told = {"circuit": self.net.circuit.digest, "status": status.name, "message": _WORDS[status]}
        return xr.Dataset(data, coords, attrs | told)


_WORDS = {
    Status.OK: "the end was reached.",
    Status.INTERRUPTED: Status.INTERRUPTED.advice,
    Status.NOT_CONVERGED: "the solver could go no further.",
    Status.RUNAWAY: "the rates grow without end: weaken excitation, or give the neurons a max_rate.",
}
