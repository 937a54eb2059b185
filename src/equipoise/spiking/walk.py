"""One run of homeostasis at one speed: spikes are simulated in short stretches, slow variables move over long ones.

Where every population shares its weights, a move over h seconds is h phi(h A) g (Hochbruck & Ostermann 2010, Acta
Numer. 19:209), with A the fast modes of the response measured on the network: these settle where they would, and slow
ones are followed by Euler's rule. Where neurons have weights of their own, the fastest mode limits h.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.quantities import Array, steps_of
from equipoise.results import Status
from equipoise.spiking import kernel
from equipoise.spiking.fluctuations import Noise, noticed
from equipoise.spiking.functions import INSTANT, FunctionGroup
from equipoise.spiking.history import row_of
from equipoise.spiking.homeostasis import Homeostasis, Regulator
from equipoise.spiking.kernel import State
from equipoise.spiking.network import Network
from equipoise.spiking.pace import Pace
from equipoise.spiking.response import PROBE, Coordinates, Response, fast_part, propagate
from equipoise.spiking.rule_group import Group
from equipoise.spiking.slow import ChannelWeight, SourceWeight

SEPARATION = 0.05
"""Largest product of the fastest rate of the rules, sped up or not, and tau of calcium."""
FAR = 0.2
"""Move of a coordinate after which the response is measured anew."""
CALCIUM_STRIDE = 5.0
RUNAWAY = 20.0
SLICE_STEPS = 2000
CALM = 0.002
"""Relative error of calcium that an answer not yet given may cause."""
TRUSTED = 0.2
"""Relative error of a measured response."""
SLOWEST = 0.2
"""Slow seconds per simulated second below which a walk is refused: then it is slower than the spikes themselves."""
NOISES = "noise", "aim"
"""What scatters slow variables: fluctuations of the walk, and of the stretch from which set points are taken."""


@dataclass(kw_only=True, eq=False)
class Walk:
    """Where a run stands: slow time `t` [s], the state of the network, the response and what was written down.

    `share` is the part of the pace's stride that it takes; `start` the slow variables at t = 0, `simulated` [s] of
    spikes were played. The response was measured `at` coordinates (k,), with manipulations `acting` in strength, and
    is `stale` where that is long ago. `answer` (m,) is what the last move was to change of what is sensed.
    Where neurons have weights of their own, `limits` (n, 2) are times and the speed of the faster walk from each on.
    """

    network: Network
    pace: Pace
    plan: Homeostasis
    coordinates: Coordinates
    state: State
    speed: float = 1.0
    share: float = 1.0
    until: float = 0.0
    t: float = 0.0
    response: Response | None = None
    noise: Noise | None = None
    at: Array = field(default_factory=lambda: np.zeros(0))
    stale: bool = True
    acting: Array = field(default_factory=lambda: np.zeros(0))
    answer: Array = field(default_factory=lambda: np.zeros(0))
    limits: Array = field(default_factory=lambda: np.zeros((0, 2)))
    rows: list[dict[str, float]] = field(default_factory=list)
    status: Status = Status.OK
    message: str = ""
    start: dict[str, dict[str, Array]] = field(default_factory=dict)
    simulated: float = 0.0

    @classmethod
    def blank(cls, network: Network, pace: Pace, until: float, homeostasis: Homeostasis | None = None) -> "Walk":
        """Before the warm-up, slow variables as the circuit has them."""
        plan = replace(homeostasis or Homeostasis(), window=max(pace.window, pace.settle, pace.warmup))
        state = kernel.begin(network)
        regulator = Regulator(network, plan, state)
        q = Coordinates(regulator.groups)
        start = {k: dict(v) for k, v in regulator.values.items()}
        state = replace(state, slow=regulator.keep())
        return cls(network=network, pace=pace, plan=plan, coordinates=q, state=state, until=until, start=start)

    def warm_up(self) -> None:
        """The time before homeostasis."""
        regulator = self.regulator()
        self.play(regulator, self.pace.warmup)
        self.state = replace(self.state, slow=regulator.keep())

    # --- spikes -------------------------------------------------------------------------------------------------------
    @property
    def shared(self) -> bool:
        """Whether all slow variables are shared by their populations."""
        return all(g.scope == "population" for g in self.coordinates.groups)

    def regulator(self) -> Regulator:
        """The slow side as it stands."""
        return Regulator(self.network, self.plan, self.state)

    def enter(self, network: Network, acting: Array) -> None:
        """Go on in the network of another stage; what was measured is so anew where much has changed."""
        self.network = network
        if self.noise is not None:
            self.noise = replace(self.noise, last=np.full_like(self.noise.last, np.nan))
        if np.max(np.abs(acting - self.acting), initial=0.0) > FAR:
            self.stale, self.acting = True, acting
        self.answer = np.full_like(self.answer, np.nan)

    def play(self, regulator: Regulator, seconds: float) -> None:
        """Simulate without moving anything; a new window begins at the end."""
        self.state = _played(self.network, regulator, self.state, seconds)
        regulator.forget(self.state.step)
        self.simulated += seconds

    def sense(self, regulator: Regulator, seconds: float) -> Mapping[str, Array]:
        """Simulate, and say what was sensed; the window stays open."""
        self.state = _played(self.network, regulator, self.state, seconds)
        self.simulated += seconds
        return regulator.measure(self.state.step)  # pyright: ignore[reportReturnType]

    # --- moves --------------------------------------------------------------------------------------------------------
    def move(self, until: float) -> None:
        """One stretch of spikes and one move, not beyond the time `until` [s]; nothing where that is interrupted."""
        kept = vars(self).copy()
        try:
            self._move(until)
        except BaseException:
            vars(self).update(kept)
            raise

    def _move(self, until: float) -> None:
        regulator = self.regulator()
        if self.share < 1.0 and not self.shared:
            self._follow()
        elif self._measured_elsewhere(regulator):
            self._measure_anew(regulator)
        settled = self._settle(regulator) if self.shared else 0.0
        sensed = self.sense(regulator, self.pace.window)
        regulator.set({g.name: g.settled(regulator.values[g.name], sensed[g.name]) for g in self.coordinates.groups})  # pyright: ignore[reportArgumentType]
        if self.shared:
            h = self._together(regulator, sensed, (settled, until))
        else:
            h = self._apart(regulator, sensed, until)
        self.t = until if h >= until - self.t else self.t + h
        speed = {"speed": h / (settled + self.pace.window)}
        self.rows = [*self.rows, row_of(regulator, self.t) | speed | self._uncertainty()]
        regulator.forget(self.state.step)
        self.state = replace(self.state, slow=regulator.keep())
        self._look_out(regulator)

    def _settle(self, regulator: Regulator) -> float:
        """Let calcium come near its answer to the last move [s]; what is left of it is known from the response."""
        if self.noise is None or np.isnan(self.answer).any():
            seconds = self.pace.settle
        else:
            open_ = TRUSTED * self._left(0.0) * np.max(np.abs(self.answer) / np.maximum(np.abs(self.noise.last), 1e-12))
            wanted = self._calcium * np.log(max(open_, CALM) / CALM)
            seconds = min(self.pace.settle, np.ceil(wanted / self.network.dt) * self.network.dt)
        if seconds > 0.0:
            self.play(regulator, seconds)
        return seconds

    def _left(self, settled: float) -> float:
        """The part of an answer that a window does not see: calcium answers as 1 - e^{-t/tau}."""
        tau, window = self._calcium, self.pace.window
        return float(np.exp(-settled / tau) * tau / window * -np.expm1(-window / tau))

    def _apart(self, regulator: Regulator, sensed: Mapping[str, Array], until: float) -> float:
        h = min(self.speed * self.pace.window, until - self.t)
        regulator.step(sensed, h)
        return h

    def _together(self, regulator: Regulator, sensed: Mapping[str, Array], when: tuple[float, float]) -> float:
        q, response, (settled, until) = self.coordinates, self.response, when
        assert response is not None
        z, s = q.of(regulator.values), q.sensed(sensed)
        if self.answer.shape == s.shape and not np.isnan(self.answer).any():
            s = np.maximum(s + self._left(settled) * self.answer, 0.0)
        A, g = fast_part(response.matrix(z, s)), q.flow(z, s)
        most = min(self.speed * self.pace.window, until - self.t)
        h, dz = self._stride(response, (A, g), (z, s), most)
        if h < min(most, SLOWEST * self.share * self.pace.window):
            self._refuse(h)
        gain, carried = propagate(A, h, response.by_sensed(z, s)), np.eye(z.size) + propagate(A, h, A)
        self.answer = response.S @ dz
        self.noise = noticed(self.noise, s, self.answer, (gain, carried), self._echo(settled))
        regulator.set(regulator.within(q.shifted(regulator.values, dz)))
        return h

    def _echo(self, settled: float) -> float:
        """Correlation of what successive windows sense of noise that calcium has filtered."""
        x = self.pace.window / self._calcium
        return float(np.exp(-settled / self._calcium) * np.expm1(-x) ** 2 / (2.0 * (x + np.expm1(-x))))

    def _stride(
        self, response: Response, linear: tuple[Array, Array], at: tuple[Array, Array], most: float
    ) -> tuple[float, Array]:
        """The longest h up to `most` [s] that keeps to the stride, and the move."""
        (A, g), (z, s), q = linear, at, self.coordinates
        size = np.maximum(q.sizes(z), 1e-12)
        allowed = self.pace.stride * self.share
        h = most
        while True:
            dz = propagate(A, h, g)
            bold = max(
                np.max(np.abs(dz / size), where=q.weights, initial=0.0),
                np.max(np.abs(response.S @ dz) / np.maximum(np.abs(s), q.least)) / CALCIUM_STRIDE,
            )
            if bold <= allowed:
                return h, dz
            h *= max(0.1, 0.9 * allowed / bold)

    def _measured_elsewhere(self, regulator: Regulator) -> bool:
        q = self.coordinates
        z = q.of(regulator.values)
        if self.stale:
            return True
        moved = np.abs(z - self.at) / np.maximum(q.sizes(self.at), 1e-12)
        return bool(np.max(moved, where=q.weights, initial=0.0) > FAR)

    def _measure_anew(self, regulator: Regulator) -> None:
        """The response where weights are shared, and else the speed, which never rises again."""
        self.at, self.stale = self.coordinates.of(regulator.values), False
        if self.shared:
            self.response = self.measured(regulator)
            return
        self.speed = min(self.speed, self.most_speed())
        if self.speed < 1.0:
            self.speed = 1.0
            self._refuse(self.pace.window)
        self.limits = np.vstack([self.limits, [self.t, self.speed]])

    def _follow(self) -> None:
        """The slower walk keeps its part of the speed that the faster one had at this time."""
        begun = np.searchsorted(self.limits[:, 0], self.t, side="right")
        self.speed = max(1.0, self.share * float(self.limits[begun - 1, 1]))

    def measured(self, regulator: Regulator) -> Response:
        """The response of what is sensed to all that moves together, up and down from the present state."""
        q, values = self.coordinates, {k: dict(v) for k, v in regulator.values.items()}
        z, kept = q.of(values), replace(self.state, slow=regulator.keep())
        S, size = np.zeros((q.width, z.size)), q.sizes(z)
        for d in q.directions:
            there = (d != 0.0) & (size > 0.0)
            if there.any():
                dz = PROBE * np.min(size[there] / d[there]) * d
                up, down = (self._probe(kept, values, sign * dz) for sign in (1, -1))
                S = S + np.outer(up - down, dz / (2.0 * float(dz @ dz))).astype(np.float64)
        return Response(q, z, S)

    def most_speed(self) -> float:
        """The speed at which the fastest mode stays slow against calcium; infinite where nothing moves."""
        rate, tau = self.fastest_rate(), max(g.memory for g in self.coordinates.groups)
        return SEPARATION / (rate * tau) if rate > 0.0 else np.inf

    def fastest_rate(self) -> float:
        """Largest rate of the slow dynamics [1/s] as it stands, all neurons of a population moving alike."""
        regulator, here, q = self.regulator(), self.state, self.coordinates
        sensed = self.sense(regulator, self.pace.window)
        values = regulator.values
        regulator.set({g.name: g.settled(values[g.name], sensed[g.name]) for g in q.groups})  # pyright: ignore[reportArgumentType]
        self.coordinates = _with_functions(q, regulator, sensed)
        regulator.forget(self.state.step)
        self.response = self.measured(regulator)
        fastest = float(np.max(np.abs(self._modes(self.coordinates.sensed(sensed)))))
        self.state, self.coordinates, self.at, self.stale = here, q, q.of(values), False
        if self.response.coordinates is not q:  # holds for rules that are functions here and now only
            self.response = None
        return fastest

    def growth(self) -> complex:
        """The eigenvalue [1/s] with the largest real part where the response was measured last, as far as it is real.

        0 where it is smaller than a quarter of the fastest one, which the error of a measured response may explain.
        """
        if self.response is None or self.noise is None:
            return 0.0
        modes = self._modes(self.noise.last)
        worst = modes[np.argmax(modes.real)]
        return complex(worst) if worst.real > 0.25 * np.max(np.abs(modes)) else 0.0

    def _modes(self, sensed: Array) -> NDArray[np.complex128]:
        assert self.response is not None
        return np.linalg.eigvals(self.response.matrix(self.response.z, sensed)).astype(np.complex128)

    def _probe(self, state: State, values: Mapping[str, Mapping[str, NDArray]], dz: Array) -> Array:
        regulator = Regulator(self.network, self.plan, state)
        regulator.set(self.coordinates.shifted(values, dz))
        settle, window = self._probing
        later = _played(self.network, regulator, state, settle)
        regulator.forget(later.step)
        later = _played(self.network, regulator, later, window)
        self.simulated += settle + window
        return self.coordinates.sensed(regulator.measure(later.step))  # pyright: ignore[reportArgumentType]

    @property
    def _probing(self) -> tuple[float, float]:
        """How long a probe settles and how long it looks [s]."""
        return max(self.pace.settle, 2.0 * self._calcium), max(self.pace.window, 4.0 * self._calcium)

    @property
    def cost_of_response(self) -> float:
        """Seconds of spikes that a measurement of the response takes."""
        return 2.0 * len(self.coordinates.directions) * sum(self._probing)

    @property
    def _calcium(self) -> float:
        """The longest tau of calcium, in whole steps [s]."""
        tau = max(g.memory for g in self.coordinates.groups)
        return round(tau / self.network.dt) * self.network.dt

    # --- looking out --------------------------------------------------------------------------------------------------
    def _uncertainty(self) -> dict[str, float]:
        """SD of each weight that fluctuations have caused in the walk and, for a second, in set points."""
        if self.noise is None:
            return {}
        q = self.coordinates
        sd = np.sqrt(np.maximum(np.diag(self.noise.z), 0.0))
        both = zip(q.places, sd, self.noise.of_set_points(self.pace.window), strict=True)
        return {
            f"{name}_{kind}_{g.name}": float(x) for (g, name), *of in both for kind, x in zip(NOISES, of, strict=True)
        }

    def _look_out(self, regulator: Regulator) -> None:
        for g in self.coordinates.groups:
            for slot in weights_in(g):
                grown = float(np.mean(regulator.values[g.name][slot.name]) / np.mean(self.start[g.name][slot.name]))
                if not grown < RUNAWAY:
                    self.status = Status.RUNAWAY
                    self.message = f"{slot.name} has grown {grown:.3g} times in {self.t / 3600:.3g} h."

    def _refuse(self, h: float) -> None:
        self.status = Status.UNSTABLE
        self.message = (
            f"after {self.t:.4g} s weights move by {self.pace.stride * self.share:.2g} of their size, or calcium by "
            f"five times that, in {h:.3g} s: as fast as calcium or as the network's fluctuations. The slow dynamics "
            "cannot be told apart from the fast one. Take slower rules (larger tau), or eq.spiking.simulate."
        )


def weights_in(group: Group) -> list[ChannelWeight | SourceWeight]:
    """The slow variables of a group that are weights."""
    return [slot for slot in group.slots if isinstance(slot, ChannelWeight | SourceWeight)]


def _with_functions(q: Coordinates, regulator: Regulator, sensed: Mapping[str, Any]) -> Coordinates:
    """Coordinates with what functions move now; what these make up begins to exist."""
    moved, still = {}, {}
    for g in q.groups:
        if isinstance(g, FunctionGroup):
            changed = g.changed(regulator.values[g.name], sensed[g.name], INSTANT)
            moved[g.name] = tuple(changed)
            regulator.values[g.name] = changed | regulator.values[g.name]
            rest = {k: v for k, v in regulator.values[g.name].items() if k not in changed}
            still[g.name] = {k: np.array([v.mean()]) for k, v in rest.items()}
    return Coordinates(q.groups, moved, still) if moved else q


def _played(network: Network, regulator: Regulator, state: State, seconds: float) -> State:
    """The state after so many seconds of spikes, which the meters have seen."""
    left = steps_of("spiking", "Pace", seconds, network.dt)
    while left:
        n = min(left, SLICE_STEPS)
        state, raster = kernel.advance(regulator.network, state, n)
        regulator.see(raster, state.step - n)
        left -= n
    return state
