"""The TOML form of a circuit: which classes stand where, and which fields carry which kind of quantity.

Meanings, units and ranges come from the dataclasses themselves (`quantities.quantity`); only what they do not know is
written here.
"""

from collections.abc import Iterable
from dataclasses import MISSING, Field, dataclass, field, fields

from equipoise.model.adaptation import Adaptation, MCurrent
from equipoise.model.bursts import PoissonBursts
from equipoise.model.calcium import Calcium
from equipoise.model.delays import NormalDelay, UniformDelay
from equipoise.model.homeostasis import (
    AdaptiveCalciumHomeostasis,
    CalciumHomeostasis,
    CalciumSetPoint,
    KineticHomeostasis,
    RateHomeostasis,
    SetPoint,
)
from equipoise.model.intrinsic_rules import (
    DriveCentricThreshold,
    DualControl,
    InputCentricGain,
    InputCentricThreshold,
    NMDARThreshold,
    OutputCentricThreshold,
)
from equipoise.model.kinetics import Pathway, ProteinKinetics
from equipoise.model.mitochondria import Mitochondrion
from equipoise.model.mitochondrial_rule import MitochondrialThreshold
from equipoise.model.neurons import EIF, LIF, PIF, ConductanceLIF
from equipoise.model.plasticity import InhibitoryPlasticity, ShortTermPlasticity
from equipoise.model.populations import Population
from equipoise.model.projections import PEAK_CONDUCTANCE, Projection
from equipoise.model.rate_neurons import AbbottChance, FICurve, PowerLaw, Softplus, ThresholdLinear
from equipoise.model.remedies import Bounds, Leak
from equipoise.model.spread import Spread
from equipoise.model.synapses import ConductanceSynapse, DeltaSynapse, ExponentialSynapse
from equipoise.model.synaptic_rules import CrossHomeostasis, HomeostaticWeights, InhibitoryScaling, SynapticScaling
from equipoise.model.weight_spread import LogNormalSpread, NormalSpread
from equipoise.quantities import Quantity


@dataclass(frozen=True)
class Slot:
    """A place for one of several classes; `section` holds named ones that may be referred to by name."""

    classes: tuple[type, ...]
    section: str = ""

    @property
    def models(self) -> dict[str, type]:
        """Classes by name."""
        return {c.__name__: c for c in self.classes}

    def fitting(self, keys: Iterable[str]) -> list[type]:
        """The classes that have most of these fields: one where they tell it."""
        given = set(keys)
        common = {c: len(given & {f.name for f in fields(c)}) for c in self.classes}
        return [c for c, n in common.items() if n == max(common.values())]


SLOTS = {
    "neuron": Slot(
        (PIF, LIF, EIF, ConductanceLIF, ThresholdLinear, PowerLaw, Softplus, AbbottChance, FICurve), "neurons"
    ),
    "synapse": Slot((DeltaSynapse, ExponentialSynapse, ConductanceSynapse), "synapses"),
    "delay": Slot((UniformDelay, NormalDelay)),
    "weight_spread": Slot((LogNormalSpread, NormalSpread)),
    "plasticity": Slot((InhibitoryPlasticity,)),
    "short_term": Slot((ShortTermPlasticity,)),
    "adaptation": Slot((Adaptation, MCurrent)),
    "sensor": Slot((Calcium,), "sensors"),
    "rule": Slot((RateHomeostasis, CalciumHomeostasis, AdaptiveCalciumHomeostasis, KineticHomeostasis), "homeostasis"),
    "target": Slot((SetPoint, CalciumSetPoint)),
    "proteins": Slot((ProteinKinetics,)),
    "inhibitory": Slot((Pathway,)),
    "excitatory": Slot((Pathway,)),
    "spread": Slot((Spread,)),
    "firing": Slot((PoissonBursts,)),
    "mitochondrion": Slot((Mitochondrion,)),
}
SLOW_RULES = Slot(
    (
        InputCentricThreshold, InputCentricGain, DriveCentricThreshold, OutputCentricThreshold, NMDARThreshold,
        DualControl, InhibitoryScaling, HomeostaticWeights, CrossHomeostasis, SynapticScaling, MitochondrialThreshold,
        Leak, Bounds,
    )
)  # fmt: skip
"""Rules on slow variables, each a row of [[rules]] that names its `model`."""
_WEIGHT = next(f for f in fields(Projection) if f.name == "weight")
DRIVE = next(f for f in fields(Population) if f.name == "drive")
VOLLEY_TIME = Quantity("time of a volley", unit="ms", low=0.0)
SECTIONS = {slot.section: slot for slot in SLOTS.values() if slot.section}

_POTENTIALS = ("weight", "v_threshold", "v_reset", "v_leak", "v_bound", "v_onset", "v_half", "slope", "reversal")
IN_POTENTIALS = ("potential", "potential per second")
"""Kinds that are in volts or in thresholds, as the circuit chooses."""
IN_VOLTS = ("voltage", "conductance")
"""Kinds that say that the circuit is in volts."""
_KIND_OF_UNIT = {
    "ms": "time", "hour": "time", "Hz": "rate", "uM": "concentration",
    "mV": "voltage", "nS": "conductance", "pF": "capacitance",
}  # fmt: skip
_PEAK_CONDUCTANCE: Field = field(metadata={"quantity": PEAK_CONDUCTANCE})


def kind_of(f: Field) -> str:
    """The kind of quantity a field holds: a key of `quantity_text.KINDS`, "number" (no unit) or "plain" (no number)."""
    about = f.metadata.get("quantity")
    if about is None:
        return "plain"
    if about.unit in _KIND_OF_UNIT:
        return _KIND_OF_UNIT[about.unit]
    if f.name in _POTENTIALS:
        return "potential"
    if f.name in ("drive", "increment"):
        return "potential per second"
    if f.name == "second_moment":
        return "squared concentration"
    return "number"


def weight_of(synapse: type | None) -> Field:
    """The weight of a projection with synapses of this class: a potential, or a peak conductance."""
    return _PEAK_CONDUCTANCE if synapse is ConductanceSynapse else _WEIGHT


def slot_of(f: Field) -> Slot | None:
    """The slot a field is; the target of a projection is a name, that of a rule is a slot, a delay may be one."""
    return None if f.type is str else SLOTS.get(f.name)


def is_variable(f: Field) -> bool:
    """Whether a field is a slow variable, which files put into words such as "weight I -> E"."""
    return f.name == "variable"


def required(f: Field) -> bool:
    """Whether a field has no default."""
    return f.default is MISSING and f.default_factory is MISSING


def potentials_with_default(cls: type) -> list[str]:
    """Potentials whose default is a number of thresholds other than 0, which means nothing in a circuit in volts."""
    return [f.name for f in fields(cls) if kind_of(f) == "potential" and f.default not in (MISSING, 0.0)]
