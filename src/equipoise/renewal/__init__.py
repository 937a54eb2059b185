"""One cell, exactly: interval laws, rate, C_v and Laplace transform of each neuron, calcium moments, the inverse."""

from equipoise.renewal import lif as _lif  # noqa: F401  registers its statistics
from equipoise.renewal import pif as pif
from equipoise.renewal.calcium import CalciumMoments as CalciumMoments
from equipoise.renewal.calcium import calcium_average as calcium_average
from equipoise.renewal.calcium import calcium_gradient as calcium_gradient
from equipoise.renewal.calcium import calcium_moments as calcium_moments
from equipoise.renewal.calcium import calcium_raw_moments as calcium_raw_moments
from equipoise.renewal.encoding import balanced_buffering as balanced_buffering
from equipoise.renewal.encoding import calcium_sensitivities as calcium_sensitivities
from equipoise.renewal.encoding import critical_retention as critical_retention
from equipoise.renewal.encoding import divergent_rate_limit as divergent_rate_limit
from equipoise.renewal.laws import DeadTimeISI as DeadTimeISI
from equipoise.renewal.laws import EmpiricalISI as EmpiricalISI
from equipoise.renewal.laws import ExponentialISI as ExponentialISI
from equipoise.renewal.laws import GammaISI as GammaISI
from equipoise.renewal.laws import InverseGaussianISI as InverseGaussianISI
from equipoise.renewal.laws import ISILaw as ISILaw
from equipoise.renewal.laws import LogNormalISI as LogNormalISI
from equipoise.renewal.laws import NeuronISI as NeuronISI
from equipoise.renewal.laws import WeibullISI as WeibullISI
from equipoise.renewal.laws import sample as sample
from equipoise.renewal.statistics import cv as cv
from equipoise.renewal.statistics import cv_gradient as cv_gradient
from equipoise.renewal.statistics import isi_density as isi_density
from equipoise.renewal.statistics import isi_laplace as isi_laplace
from equipoise.renewal.statistics import isi_laplace_complement as isi_laplace_complement
from equipoise.renewal.statistics import log_isi_laplace as log_isi_laplace
from equipoise.renewal.statistics import log_isi_laplace_gradient as log_isi_laplace_gradient
from equipoise.renewal.statistics import log_rate as log_rate
from equipoise.renewal.statistics import log_rate_gradient as log_rate_gradient
from equipoise.renewal.statistics import rate as rate
from equipoise.renewal.traces import calcium_moments_of as calcium_moments_of
from equipoise.renewal.traces import calcium_trace as calcium_trace
from equipoise.renewal.traces import saturated_averages_of as saturated_averages_of
