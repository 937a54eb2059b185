"""Excitatory-inhibitory balance and its homeostasis. Public names only; the subpackages say what they do.

Subpackages load on first use, so that importing the package stays fast.
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from equipoise import sweeps as sweeps
from equipoise import units as units
from equipoise.model.adaptation import Adaptation as Adaptation
from equipoise.model.adaptation import MCurrent as MCurrent
from equipoise.model.attached_rules import AttachedRule as AttachedRule
from equipoise.model.bursts import PoissonBursts as PoissonBursts
from equipoise.model.calcium import Calcium as Calcium
from equipoise.model.circuit import Circuit as Circuit
from equipoise.model.conductances import IN_VIVO as IN_VIVO
from equipoise.model.conductances import Membrane as Membrane
from equipoise.model.conductances import PointConductance as PointConductance
from equipoise.model.conductances import ShotConductance as ShotConductance
from equipoise.model.conductances import SteadyConductance as SteadyConductance
from equipoise.model.conductances import balance_ratio as balance_ratio
from equipoise.model.conductances import currents as currents
from equipoise.model.conductances import membrane as membrane
from equipoise.model.connectivity import AllToAll as AllToAll
from equipoise.model.connectivity import ErdosRenyi as ErdosRenyi
from equipoise.model.connectivity import FixedInDegree as FixedInDegree
from equipoise.model.delays import NormalDelay as NormalDelay
from equipoise.model.delays import UniformDelay as UniformDelay
from equipoise.model.homeostasis import AdaptiveCalciumHomeostasis as AdaptiveCalciumHomeostasis
from equipoise.model.homeostasis import CalciumHomeostasis as CalciumHomeostasis
from equipoise.model.homeostasis import CalciumSetPoint as CalciumSetPoint
from equipoise.model.homeostasis import KineticHomeostasis as KineticHomeostasis
from equipoise.model.homeostasis import RateHomeostasis as RateHomeostasis
from equipoise.model.homeostasis import SetPoint as SetPoint
from equipoise.model.inputs import DrivenNeuron as DrivenNeuron
from equipoise.model.inputs import PoissonInputs as PoissonInputs
from equipoise.model.inputs import RenewalInputs as RenewalInputs
from equipoise.model.inputs import Weights as Weights
from equipoise.model.intrinsic_rules import DriveCentricThreshold as DriveCentricThreshold
from equipoise.model.intrinsic_rules import DualControl as DualControl
from equipoise.model.intrinsic_rules import InputCentricGain as InputCentricGain
from equipoise.model.intrinsic_rules import InputCentricThreshold as InputCentricThreshold
from equipoise.model.intrinsic_rules import NMDARThreshold as NMDARThreshold
from equipoise.model.intrinsic_rules import OutputCentricThreshold as OutputCentricThreshold
from equipoise.model.kinetics import ProteinKinetics as ProteinKinetics
from equipoise.model.manipulations import Deafferentation as Deafferentation
from equipoise.model.manipulations import During as During
from equipoise.model.manipulations import GainChange as GainChange
from equipoise.model.manipulations import Irregularity as Irregularity
from equipoise.model.manipulations import Ramp as Ramp
from equipoise.model.manipulations import Silencing as Silencing
from equipoise.model.manipulations import SourceRate as SourceRate
from equipoise.model.manipulations import ThresholdShift as ThresholdShift
from equipoise.model.manipulations import TonicDrive as TonicDrive
from equipoise.model.manipulations import WeightBlock as WeightBlock
from equipoise.model.mitochondria import EnergyCost as EnergyCost
from equipoise.model.mitochondria import Mitochondrion as Mitochondrion
from equipoise.model.mitochondrial_rule import MitochondrialThreshold as MitochondrialThreshold
from equipoise.model.neurons import EIF as EIF
from equipoise.model.neurons import LIF as LIF
from equipoise.model.neurons import PIF as PIF
from equipoise.model.neurons import ConductanceLIF as ConductanceLIF
from equipoise.model.neurons import IntegrateAndFire as IntegrateAndFire
from equipoise.model.noise import OrnsteinUhlenbeck as OrnsteinUhlenbeck
from equipoise.model.plasticity import InhibitoryPlasticity as InhibitoryPlasticity
from equipoise.model.plasticity import ShortTermPlasticity as ShortTermPlasticity
from equipoise.model.populations import Population as Population
from equipoise.model.populations import Source as Source
from equipoise.model.populations import Volleys as Volleys
from equipoise.model.projections import Projection as Projection
from equipoise.model.protocols import TTX as TTX
from equipoise.model.protocols import Baclofen as Baclofen
from equipoise.model.protocols import ChemogeneticDrive as ChemogeneticDrive
from equipoise.model.protocols import NMDARBlock as NMDARBlock
from equipoise.model.protocols import OpticalDrive as OpticalDrive
from equipoise.model.protocols import Protocol as Protocol
from equipoise.model.rate_neurons import AbbottChance as AbbottChance
from equipoise.model.rate_neurons import FICurve as FICurve
from equipoise.model.rate_neurons import PowerLaw as PowerLaw
from equipoise.model.rate_neurons import RateNeuron as RateNeuron
from equipoise.model.rate_neurons import Softplus as Softplus
from equipoise.model.rate_neurons import ThresholdLinear as ThresholdLinear
from equipoise.model.receptors import AlphaConductance as AlphaConductance
from equipoise.model.receptors import DoubleExponentialConductance as DoubleExponentialConductance
from equipoise.model.receptors import NMDAConductance as NMDAConductance
from equipoise.model.remedies import Bounds as Bounds
from equipoise.model.remedies import Leak as Leak
from equipoise.model.remedies import NoisySensing as NoisySensing
from equipoise.model.remedies import Paced as Paced
from equipoise.model.remedies import PartlyPooled as PartlyPooled
from equipoise.model.spread import Spread as Spread
from equipoise.model.synapses import AMPA as AMPA
from equipoise.model.synapses import GABA_A as GABA_A
from equipoise.model.synapses import GABA_B as GABA_B
from equipoise.model.synapses import NMDA as NMDA
from equipoise.model.synapses import ConductanceSynapse as ConductanceSynapse
from equipoise.model.synapses import DeltaSynapse as DeltaSynapse
from equipoise.model.synapses import ExponentialSynapse as ExponentialSynapse
from equipoise.model.synaptic_manipulations import LaterSynapse as LaterSynapse
from equipoise.model.synaptic_manipulations import ReversalShift as ReversalShift
from equipoise.model.synaptic_manipulations import SlowerSynapse as SlowerSynapse
from equipoise.model.synaptic_rules import CrossHomeostasis as CrossHomeostasis
from equipoise.model.synaptic_rules import HomeostaticWeights as HomeostaticWeights
from equipoise.model.synaptic_rules import InhibitoryScaling as InhibitoryScaling
from equipoise.model.synaptic_rules import SynapticScaling as SynapticScaling
from equipoise.model.weight_spread import LogNormalSpread as LogNormalSpread
from equipoise.model.weight_spread import NormalSpread as NormalSpread
from equipoise.renewal.laws import DeadTimeISI as DeadTimeISI
from equipoise.renewal.laws import EmpiricalISI as EmpiricalISI
from equipoise.renewal.laws import ExponentialISI as ExponentialISI
from equipoise.renewal.laws import GammaISI as GammaISI
from equipoise.renewal.laws import InverseGaussianISI as InverseGaussianISI
from equipoise.renewal.laws import LogNormalISI as LogNormalISI
from equipoise.renewal.laws import NeuronISI as NeuronISI
from equipoise.renewal.laws import WeibullISI as WeibullISI
from equipoise.results import Epoch as Epoch
from equipoise.results import NumericalFailure as NumericalFailure
from equipoise.results import Recording as Recording
from equipoise.results import Signals as Signals
from equipoise.results import SpikeTrains as SpikeTrains
from equipoise.results import Status as Status
from equipoise.sweeps import sweep as sweep

if TYPE_CHECKING:
    from equipoise import backends as backends
    from equipoise import branching as branching
    from equipoise import compare as compare
    from equipoise import dynamics as dynamics
    from equipoise import inference as inference
    from equipoise import measures as measures
    from equipoise import motifs as motifs
    from equipoise import rate as rate
    from equipoise import recordings as recordings
    from equipoise import renewal as renewal
    from equipoise import spiking as spiking
    from equipoise import theory as theory

__version__ = "0.1.0"

_LATER = frozenset(
    {
        "backends",
        "branching",
        "compare",
        "dynamics",
        "inference",
        "measures",
        "motifs",
        "rate",
        "recordings",
        "renewal",
        "spiking",
        "theory",
    }
)


def __getattr__(name: str) -> ModuleType:
    if name in _LATER:
        return import_module(f"equipoise.{name}")
    raise AttributeError(f"module 'equipoise' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
