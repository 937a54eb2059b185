"""The two motifs: who excites the interneurons is all that tells them apart.

    feedforward   X -> E,  X -> I,  I -> E        inhibition follows the input
    feedback      X -> E,  E -> I,  I -> E        inhibition follows the output

Principal cells E do not excite each other unless `recurrence` says so; then every one of them is a trial of its own of
the same experiment.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from equipoise.model.circuit import Circuit
from equipoise.model.connectivity import FixedInDegree
from equipoise.model.neurons import EIF, LIF, ConductanceLIF
from equipoise.model.populations import Population, Source, Volleys
from equipoise.model.projections import Projection
from equipoise.model.synapses import ConductanceSynapse, Synapse
from equipoise.quantities import check_fields, quantity
from equipoise.units import Hz, kHz, ms, mV, nS, pF, second

Cell = LIF | EIF | ConductanceLIF
PRINCIPAL = ConductanceLIF(
    capacitance=200 * pF, g_leak=10 * nS, v_leak=-65 * mV, v_reset=-65 * mV, v_threshold=-50 * mV, tau_ref=2 * ms
)
"""A pyramidal cell, tau_m 20 ms."""
INTERNEURON = ConductanceLIF(
    capacitance=80 * pF, g_leak=10 * nS, v_leak=-65 * mV, v_reset=-65 * mV, v_threshold=-50 * mV, tau_ref=1 * ms
)
"""A fast-spiking basket cell, tau_m 8 ms."""
AMPA, GABA = ConductanceSynapse(2 * ms, 0.0), ConductanceSynapse(6 * ms, -75 * mV)
TRAIN = 10 * Hz
"""Rate of one train of the background."""
VOLLEY_DISPERSION = 0.5 * ms
"""SD of the spike times of a synchronous volley."""


@dataclass(frozen=True, kw_only=True)
class Motif:
    """What both motifs have: cells, synapses, and the weights of whole projections.

    Weights are sums over all inputs of a cell, peak conductances [S], or jumps [V, or thresholds] where the synapses
    are currents: `volley` X -> E, `recruitment` of the interneurons, `strength` I -> E (positive; it inhibits),
    `recurrence` E -> E. `delay` [s] is that of the inhibition, `conduction` [s] that of everything else. A cell has
    `afferents` from X, `contacts` from each population, and a Poisson background of `excitatory` and `inhibitory`
    events per second [Hz], in tens, of weight `quantum`; interneurons have the excitatory one only. There are `size`
    principal cells and `interneurons`. The defaults are those of conductances.
    """

    principal: Cell = PRINCIPAL
    interneuron: Cell = INTERNEURON
    excitation: Synapse = AMPA
    inhibition: Synapse = GABA
    volley: float = quantity("weight of a volley onto a principal cell", default=23 * nS, low=0.0, open_low=True)
    recruitment: float = quantity("weight of what drives an interneuron", default=18 * nS, low=0.0)
    strength: float = quantity("weight of all inhibition of a principal cell", default=40 * nS, low=0.0)
    recurrence: float = quantity("weight of all excitation among principal cells", default=0.0, low=0.0)
    delay: float = quantity("delay of the inhibition", default=1.5 * ms, unit="ms", low=0.0, high=1 * second)
    conduction: float = quantity("delay of the excitation", default=1 * ms, unit="ms", low=0.0, high=1 * second)
    afferents: int = 50
    contacts: int = 20
    excitatory: float = quantity(
        "excitatory background", default=400 * Hz, unit="Hz", low=0.0, high=100 * kHz, symbol="nu_E"
    )
    inhibitory: float = quantity(
        "inhibitory background", default=200 * Hz, unit="Hz", low=0.0, high=100 * kHz, symbol="nu_I"
    )
    quantum: float = quantity("weight of an event of the background", default=1 * nS, low=0.0, open_low=True)
    size: int = 400
    interneurons: int = 100

    recruiter: ClassVar[str]
    """Who excites the interneurons: "X" or "E"."""

    def __post_init__(self):
        check_fields(self)
        name = type(self).__name__
        for field in ("principal", "interneuron"):
            if not isinstance(neuron := getattr(self, field), Cell):
                raise TypeError(f"{name}.{field} must be an eq.LIF, EIF or ConductanceLIF, got {neuron!r}.")
        for field in ("afferents", "contacts", "size", "interneurons"):
            value = getattr(self, field)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{name}.{field} must be a whole number of at least 1, got {value!r}.")
        if self.contacts >= min(self.size, self.interneurons):
            raise ValueError(
                f"{name}.contacts must be fewer than the {min(self.size, self.interneurons)} cells of the smaller "
                f"population, got {self.contacts}."
            )

    def circuit(
        self, volleys: Iterable[Volleys] = (), *, sizes: Iterable[float] = (), drive: float | None = None
    ) -> Circuit:
        """The circuit under these volleys, each of as many afferents as `sizes` say, 1 being `afferents` of them.

        `drive` [Hz] is an excitatory background of the principal cells in place of `excitatory`.
        """
        given = tuple(volleys)
        relative = tuple(sizes) or (1.0,) * len(given)
        background = self._background(self.excitatory if drive is None else drive)
        return Circuit(
            name=type(self).__name__,
            populations=[
                Population("E", size=self.size, neuron=self.principal),
                Population("I", size=self.interneurons, neuron=self.interneuron),
                *given,
                *(Source(name, rate=TRAIN) for name in dict.fromkeys(p.source for p in background)),
            ],
            projections=[
                *(p for v, s in zip(given, relative, strict=True) for p in self._from_volleys(v.name, s)),
                *self._among_cells(),
                *background,
            ],
        )

    def _from_volleys(self, name: str, size: float) -> list[Projection]:
        fed = {"E": self.volley, "I": self.recruitment} if self.recruiter == "X" else {"E": self.volley}
        number = max(1, round(size * self.afferents))
        return [
            self._projection(name, target, weight / self.afferents, number) for target, weight in fed.items() if weight
        ]

    def _among_cells(self) -> list[Projection]:
        weights = {("E", "E"): self.recurrence, ("E", "I"): self.recruitment * (self.recruiter == "E")}
        excitation = [self._projection(s, t, w / self.contacts, self.contacts) for (s, t), w in weights.items() if w]
        if not self.strength:
            return excitation
        return [*excitation, self._projection("I", "E", self.strength / self.contacts, self.contacts, inhibits=True)]

    def _background(self, drive: float) -> list[Projection]:
        """Excitation of all cells, and inhibition of the principal ones."""
        wanted = [
            ("excitatory", "E", drive),
            ("excitatory", "I", self.excitatory),
            ("inhibitory", "E", self.inhibitory),
        ]
        numbers = [(source, target, round(rate / TRAIN)) for source, target, rate in wanted]
        return [self._projection(s, t, self.quantum, n, inhibits=s == "inhibitory") for s, t, n in numbers if n]

    def _projection(
        self, source: str, target: str, weight: float, number: int, *, inhibits: bool = False
    ) -> Projection:
        synapse = self.inhibition if inhibits else self.excitation
        sign = -1.0 if inhibits and not isinstance(synapse, ConductanceSynapse) else 1.0
        return Projection(
            source=source, target=target, weight=sign * weight, connectivity=FixedInDegree(number), synapse=synapse,
            delay=self.delay if inhibits else self.conduction,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class FeedforwardInhibition(Motif):
    """A volley excites principal cells and interneurons, which inhibit the principal cells a synapse later."""

    recruiter: ClassVar[str] = "X"


@dataclass(frozen=True, kw_only=True)
class FeedbackInhibition(Motif):
    """Principal cells excite interneurons, which inhibit them in turn."""

    recruiter: ClassVar[str] = "E"

    @property
    def loop_delay(self) -> float:
        """Delay once around the loop [s]."""
        return self.delay + self.conduction

    @property
    def synaptic_times(self) -> tuple[float, float]:
        """Time constants of excitation and inhibition [s]."""
        return self.excitation.time_constant, self.inhibition.time_constant
