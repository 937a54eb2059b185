"""Excitatory-inhibitory balance and its homeostasis. Public names only; the subpackages say what they do."""

from equipoise import dynamics as dynamics
from equipoise import inference as inference
from equipoise import measures as measures
from equipoise import recordings as recordings
from equipoise import renewal as renewal
from equipoise import theory as theory
from equipoise import units as units
from equipoise.model.calcium import Calcium as Calcium
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
from equipoise.model.kinetics import ProteinKinetics as ProteinKinetics
from equipoise.model.neurons import EIF as EIF
from equipoise.model.neurons import LIF as LIF
from equipoise.model.neurons import PIF as PIF
from equipoise.model.neurons import IntegrateAndFire as IntegrateAndFire
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
from equipoise.results import SpikeTrains as SpikeTrains
from equipoise.results import Status as Status

__version__ = "0.1.0"
