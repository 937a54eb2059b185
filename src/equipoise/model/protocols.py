"""Experiments over days: what a drug, a ligand or light does to a circuit of excitation and inhibition, and when.

A protocol is a frozen description of mechanisms and times: `onset` [s] of undisturbed baseline, `duration` [s] of the
perturbation, whose beginning is the acute and whose end the chronic phase, and `washout` [s] after it.
``protocol.schedule(circuit)`` is what the slow verbs of all levels take. How strong a mechanism is depends on the
preparation and on the unit of the circuit: drives and shifts have no default, blocks have one that is an assumption and
no measurement. One of your own subclasses `Protocol` and gives ``manipulations(circuit)``.
"""

from dataclasses import dataclass

from equipoise.model.circuit import Circuit
from equipoise.model.manipulations import (
    During,
    GainChange,
    Manipulation,
    Silencing,
    ThresholdShift,
    TonicDrive,
    WeightBlock,
)
from equipoise.quantities import check_fields, quantity
from equipoise.units import day, kHz, second


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """When a perturbation acts: from `onset` for `duration`, with `washout` after it [s]."""

    onset: float = quantity("undisturbed baseline", default=1 * day, unit="day", low=0.0, open_low=True)
    duration: float = quantity("length of the perturbation", default=4 * day, unit="day", low=0.0, open_low=True)
    washout: float = quantity("time followed after it", default=4 * day, unit="day", low=0.0)

    def __post_init__(self):
        check_fields(self)

    @property
    def stop(self) -> float:
        """When the perturbation ends [s]."""
        return self.onset + self.duration

    @property
    def span(self) -> float:
        """From the beginning of the baseline to the end of the washout [s]."""
        return self.stop + self.washout

    def manipulations(self, circuit: Circuit) -> tuple[Manipulation, ...]:
        """What acts on the circuit together."""
        raise NotImplementedError(f"{type(self).__name__} must define manipulations(self, circuit).")

    def schedule(self, circuit: Circuit) -> list[During]:
        """The manipulations and when they act; KeyError, TypeError or ValueError where the circuit does not fit."""
        acting = self.manipulations(circuit)
        for one in acting:
            one.apply(circuit)
        return [During(one, self.onset, self.stop) for one in acting]

    def perturbed(self, circuit: Circuit) -> Circuit:
        """The circuit while the perturbation acts."""
        for one in self.manipulations(circuit):
            circuit = one.apply(circuit)
        return circuit


@dataclass(frozen=True, kw_only=True)
class Baclofen(Protocol):
    """Agonist of GABA_B receptors: less release from all terminals, and an outward current.

    Every projection of `excitation` loses the part `excitatory_block` of its weight, every one of `inhibition`
    `inhibitory_block`; `current` and `interneuron_current`, both at least 0, are taken from the drive of the two [unit
    of their input]. Receptors do so through calcium channels of terminals and through potassium channels of dendrites
    (Bettler, Kaupmann, Mosbacher & Gassmann 2004, Physiol. Rev. 84:835). Blocks of 0.1 are an assumption.
    """

    current: float = quantity("outward current of excitatory neurons", low=0.0)
    interneuron_current: float = quantity("outward current of interneurons", default=0.0, low=0.0)
    excitatory_block: float = quantity("loss of excitatory release", default=0.1, low=0.0, high=0.99)
    inhibitory_block: float = quantity("loss of inhibitory release", default=0.1, low=0.0, high=0.99)
    excitation: str = "E"
    inhibition: str = "I"

    def manipulations(self, circuit: Circuit) -> tuple[Manipulation, ...]:
        """Blocks of all projections between populations, and the currents."""
        blocks = {self.excitation: self.excitatory_block, self.inhibition: self.inhibitory_block}
        currents = {self.excitation: self.current, self.inhibition: self.interneuron_current}
        released = [
            WeightBlock(source=p.source, target=p.target, fraction=blocks[p.source])
            for p in circuit.projections
            if blocks.get(p.source, 0.0) > 0.0
        ]
        drives = [TonicDrive(name, -current) for name, current in currents.items() if current > 0.0]
        return (*released, *drives)


@dataclass(frozen=True, kw_only=True)
class ChemogeneticDrive(Protocol):
    """A ligand of engineered receptors depolarises `population`, by default the interneurons (Dlx-Gq).

    `drive` [unit of its input] is tonic; < 0 for receptors that hyperpolarise (Gi).
    """

    drive: float = quantity("tonic drive")
    population: str = "I"

    def manipulations(self, circuit: Circuit) -> tuple[Manipulation, ...]:  # noqa: ARG002
        """The drive."""
        return (TonicDrive(self.population, self.drive),)


@dataclass(frozen=True, kw_only=True)
class NMDARBlock(Protocol):
    """Ketamine, APV or MK-801: interneurons lose a part of their excitation, and become more excitable.

    `block` is the share of the weight from `excitation` onto `interneurons` that NMDA receptors carry and that is
    lost (0.1 is an assumption). The rise of excitability that is seen with it is *imposed*, from the onset on: as a
    `threshold_shift` of at most 0 [unit of the input], or as a `gain_factor` of at least 1. It is no consequence of the
    block here; where a rule of the interneurons is to bring it about, leave both at their defaults.
    """

    block: float = quantity("lost part of the excitation of interneurons", default=0.1, low=0.0, high=0.99)
    threshold_shift: float = quantity("shift of the interneurons' threshold", default=0.0, high=0.0)
    gain_factor: float = quantity("factor of the interneurons' gain", default=1.0, low=1.0)
    excitation: str = "E"
    interneurons: str = "I"

    def manipulations(self, circuit: Circuit) -> tuple[Manipulation, ...]:  # noqa: ARG002
        """The block, and the excitability that is imposed."""
        found: list[Manipulation] = []
        if self.block > 0.0:
            found.append(WeightBlock(source=self.excitation, target=self.interneurons, fraction=self.block))
        if self.threshold_shift < 0.0:
            found.append(ThresholdShift(self.interneurons, self.threshold_shift))
        if self.gain_factor > 1.0:
            found.append(GainChange(self.interneurons, self.gain_factor))
        return tuple(found)


@dataclass(frozen=True, kw_only=True)
class TTX(Protocol):
    """Block of sodium channels: a `fraction` of the neurons of `populations` (all by default) cannot spike."""

    fraction: float = quantity("fraction of neurons silenced", default=1.0, low=0.0, high=1.0)
    populations: tuple[str, ...] = ()

    def manipulations(self, circuit: Circuit) -> tuple[Manipulation, ...]:
        """Silencing of each population."""
        names = self.populations or tuple(p.name for p in circuit.populations)
        return tuple(Silencing(name, self.fraction) for name in names)


@dataclass(frozen=True, kw_only=True)
class OpticalDrive(Protocol):
    """Light on `population`: a tonic `drive` [unit of its input], or pulses of it.

    With `frequency` [Hz] and `width` [s] of pulses the schedule over days holds their mean, drive x frequency x width:
    exact for a circuit that stays linear, an approximation beyond. `pulses` gives them one by one, for seconds.
    """

    drive: float = quantity("drive during light")
    population: str = "E"
    frequency: float | None = quantity("pulses per second", default=None, unit="Hz", low=0.0, high=1 * kHz)
    width: float | None = quantity("width of a pulse", default=None, unit="ms", low=0.0, open_low=True)

    def __post_init__(self):
        super().__post_init__()
        if (self.frequency is None) != (self.width is None):
            raise ValueError("OpticalDrive: give frequency and width together, or neither for tonic light.")
        if self.share > 1.0:
            raise ValueError(f"OpticalDrive: pulses must not overlap, frequency * width is {self.share:g}, above 1.")

    @property
    def share(self) -> float:
        """The part of the time in which there is light."""
        return 1.0 if self.frequency is None or self.width is None else self.frequency * self.width

    def manipulations(self, circuit: Circuit) -> tuple[Manipulation, ...]:  # noqa: ARG002
        """The mean drive."""
        return (TonicDrive(self.population, self.share * self.drive),)

    def pulses(self, *, start: float = 0.0, duration: float = 1 * second) -> list[During]:
        """The pulses that begin in `duration` [s] from `start` [s]; tonic light is one."""
        light = TonicDrive(self.population, self.drive)
        if self.frequency is None or self.width is None:
            return [During(light, start, start + duration)]
        begins = (start + k / self.frequency for k in range(round(duration * self.frequency)))
        return [During(light, begin, begin + self.width) for begin in begins]
