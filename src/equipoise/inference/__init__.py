"""From recordings to the parameters of homeostasis."""

from equipoise.inference.analysis import Analysis as Analysis
from equipoise.inference.analysis import analyze as analyze
from equipoise.inference.cells import cells as cells
from equipoise.inference.fit import FitSettings as FitSettings
from equipoise.inference.fit import fit as fit
from equipoise.inference.fit_network import NetworkFit as NetworkFit
from equipoise.inference.fit_result import Agreement as Agreement
from equipoise.inference.fit_result import Estimate as Estimate
from equipoise.inference.fit_result import Fit as Fit
from equipoise.inference.fit_result import PopulationFit as PopulationFit
from equipoise.inference.maps import operating_map as operating_map
from equipoise.inference.settings import AnalysisSettings as AnalysisSettings
