"""The ruler: spike trains or recordings in, labelled estimates with intervals out."""

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
from equipoise.measures.trains import GroupedTrains as GroupedTrains
from equipoise.measures.trains import group as group
