"""From recordings to the parameters of homeostasis."""

from equipoise.inference.analysis import Analysis as Analysis
from equipoise.inference.analysis import analyze as analyze
from equipoise.inference.cells import cells as cells
from equipoise.inference.maps import operating_map as operating_map
from equipoise.inference.settings import AnalysisSettings as AnalysisSettings
