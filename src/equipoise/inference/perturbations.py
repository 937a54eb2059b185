"""What was done to the animal or the dish, with its strength unknown: a manipulation and the range of its strength.

Strengths x are log-uniform between `low` and `high`. Drives are in units of sigma/sqrt(tau_m) of the population's input
(`Operating.unit`): 1 moves the mean of the membrane by sqrt(2) of its standard deviation.
"""

from collections.abc import Callable
from dataclasses import dataclass

from equipoise.inference.operating import POPULATIONS, Operating
from equipoise.model.circuit import Circuit
from equipoise.model.manipulations import Deafferentation, Irregularity, SourceRate
from equipoise.model.populations import Source
from equipoise.model.protocols import Baclofen, ChemogeneticDrive, NMDARBlock, OpticalDrive, Protocol
from equipoise.quantities import check_fields, quantity, suggest

Apply = Callable[[Circuit, Operating, float], Circuit]
Vary = Callable[[float, float], float]


def _times(x: float, factor: float) -> float:
    """A strength that is nothing at 0, and its factor."""
    return x * factor


def _power(x: float, factor: float) -> float:
    """A strength that is nothing at 1: its logarithm is multiplied."""
    return x**factor


def _part(x: float, factor: float) -> float:
    """A part that is lost, at most all: the logarithm of what is left is multiplied."""
    return 1.0 - (1.0 - x) ** factor


@dataclass(frozen=True, kw_only=True)
class Perturbation:
    """A manipulation of unknown strength: ``apply(circuit, operating, x)`` is the circuit under strength x.

    ``vary(x, factor)`` is the strength that does a factor more than x.
    """

    name: str
    apply: Apply
    vary: Vary = _times
    low: float = quantity("least strength", default=0.1, low=0.0, open_low=True)
    high: float = quantity("largest strength", default=1.0, low=0.0, open_low=True)

    def __post_init__(self):
        check_fields(self)
        if self.low > self.high:
            raise ValueError(f"Perturbation.low must not exceed high = {self.high:g}, got {self.low:g}.")


def _optical(circuit: Circuit, at: Operating, x: float) -> Circuit:
    return OpticalDrive(drive=x * float(at.unit[0])).perturbed(circuit)


def _silencing_light(circuit: Circuit, at: Operating, x: float) -> Circuit:
    return OpticalDrive(drive=-x * float(at.unit[0])).perturbed(circuit)


def _chemogenetic(circuit: Circuit, at: Operating, x: float) -> Circuit:
    return ChemogeneticDrive(drive=x * float(at.unit[1])).perturbed(circuit)


def _baclofen(circuit: Circuit, at: Operating, x: float) -> Circuit:
    return Baclofen(current=x * float(at.unit[0])).perturbed(circuit)


def _nmdar(circuit: Circuit, at: Operating, x: float) -> Circuit:  # noqa: ARG001
    return NMDARBlock(block=x).perturbed(circuit)


def _lit_interneurons(circuit: Circuit, at: Operating, x: float) -> Circuit:
    return OpticalDrive(drive=x * float(at.unit[1]), population="I").perturbed(circuit)


def _chemogenetic_e(circuit: Circuit, at: Operating, x: float) -> Circuit:
    return ChemogeneticDrive(drive=x * float(at.unit[0]), population="E").perturbed(circuit)


def _irregular(circuit: Circuit, at: Operating, x: float) -> Circuit:  # noqa: ARG001
    for source in circuit.sources:
        circuit = Irregularity(source.name, fano=x).apply(circuit)
    return circuit


def _deprived(circuit: Circuit, at: Operating, x: float) -> Circuit:  # noqa: ARG001
    for source in circuit.sources:
        if isinstance(source, Source):
            circuit = SourceRate(source.name, rate=x * source.rate).apply(circuit)
    return circuit


def _deafferented(circuit: Circuit, at: Operating, x: float) -> Circuit:  # noqa: ARG001
    for p in circuit.projections:
        if p.target == POPULATIONS[0] and isinstance(circuit.node(p.source), Source):
            circuit = Deafferentation(source=p.source, target=p.target, fraction=x).apply(circuit)
    return circuit


PERTURBATIONS = {
    p.name: p
    for p in (
        Perturbation(name="optical", apply=_optical),
        Perturbation(name="optical silencing", apply=_silencing_light),
        Perturbation(name="optical I", apply=_lit_interneurons),
        Perturbation(name="chemogenetic", apply=_chemogenetic),
        Perturbation(name="chemogenetic E", apply=_chemogenetic_e),
        Perturbation(name="baclofen", apply=_baclofen),
        Perturbation(name="NMDAR block", apply=_nmdar, vary=_part, low=0.01, high=0.2),
        Perturbation(name="input irregularity", apply=_irregular, vary=_power, low=1.5, high=6.0),
        Perturbation(name="deprivation", apply=_deprived, vary=_power, low=0.7, high=0.98),
        Perturbation(name="deafferentation", apply=_deafferented, vary=_part, low=0.02, high=0.3),
    )
}
"""Those known by name: light on E, light that silences E, light on I, a ligand on interneurons (Dlx-Gq) or on E,
baclofen, a block of NMDA receptors of interneurons, more irregular external input (its Fano factor), less of it (the
part of its rate that is left), a part of the external inputs of E cut. Ranges are assumptions."""


def perturbation_of(manipulation: "str | Perturbation | Protocol") -> Perturbation:
    """A perturbation by name, one of your own, or a protocol whose strength is known."""
    if isinstance(manipulation, Perturbation):
        return manipulation
    if isinstance(manipulation, Protocol):
        name = type(manipulation).__name__
        return Perturbation(name=name, apply=lambda circuit, _, __: manipulation.perturbed(circuit), low=1.0, high=1.0)
    if isinstance(manipulation, str) and manipulation in PERTURBATIONS:
        return PERTURBATIONS[manipulation]
    raise ValueError(
        f"manipulation must be a known name, an inference.Perturbation or a protocol, got {manipulation!r}."
        + suggest(str(manipulation), PERTURBATIONS)
    )
