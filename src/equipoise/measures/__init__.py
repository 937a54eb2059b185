"""The ruler: spike trains or recordings in, labelled estimates with intervals out."""

from equipoise.measures.avalanches import activity as activity
from equipoise.measures.avalanches import avalanches as avalanches
from equipoise.measures.avalanches import crackling as crackling
from equipoise.measures.avalanches import naive_exponent as naive_exponent
from equipoise.measures.avalanches import poisson_null as poisson_null
from equipoise.measures.avalanches import power_law as power_law
from equipoise.measures.avalanches import size_of_duration as size_of_duration
from equipoise.measures.branching import branching_ratio as branching_ratio
from equipoise.measures.balance import balance as balance
from equipoise.measures.balance import cotuning as cotuning
from equipoise.measures.irregularity import cv as cv
from equipoise.measures.irregularity import cv2 as cv2
from equipoise.measures.irregularity import cv_local as cv_local
from equipoise.measures.irregularity import lv as lv
from equipoise.measures.irregularity import lvr as lvr
from equipoise.measures.irregularity import rate as rate
from equipoise.measures.irregularity import refractory_violations as refractory_violations
from equipoise.measures.irregularity import summary as summary
from equipoise.measures.recovery import recovery as recovery
from equipoise.measures.response import dynamic_range as dynamic_range
from equipoise.measures.response import susceptibility as susceptibility
from equipoise.measures.trains import GroupedTrains as GroupedTrains
from equipoise.measures.trains import group as group
