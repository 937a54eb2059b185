"""From recordings to the parameters and the rules of homeostasis."""

from equipoise.inference.analysis import Analysis as Analysis
from equipoise.inference.analysis import analyze as analyze
from equipoise.inference.candidates import CANDIDATES as CANDIDATES
from equipoise.inference.candidates import Candidate as Candidate
from equipoise.inference.cells import cells as cells
from equipoise.inference.fit import FitSettings as FitSettings
from equipoise.inference.fit import fit as fit
from equipoise.inference.fit_network import NetworkFit as NetworkFit
from equipoise.inference.fit_result import Agreement as Agreement
from equipoise.inference.fit_result import Fit as Fit
from equipoise.inference.fit_result import Fitted as Fitted
from equipoise.inference.fit_result import PopulationFit as PopulationFit
from equipoise.inference.implied import implied as implied
from equipoise.inference.maps import operating_map as operating_map
from equipoise.inference.observations import Observations as Observations
from equipoise.inference.observations import observe as observe
from equipoise.inference.operating import Operating as Operating
from equipoise.inference.perturbations import PERTURBATIONS as PERTURBATIONS
from equipoise.inference.perturbations import Perturbation as Perturbation
from equipoise.inference.predictions import Predictions as Predictions
from equipoise.inference.predictions import predictions as predictions
from equipoise.inference.settings import AnalysisSettings as AnalysisSettings
from equipoise.inference.verdict import Verdict as Verdict
from equipoise.inference.verdict import VerdictSettings as VerdictSettings
from equipoise.inference.verdict import verdict as verdict
