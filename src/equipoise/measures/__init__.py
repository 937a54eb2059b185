"""The ruler: spike trains or recordings in, labelled estimates with intervals out."""

from equipoise.measures.fields import Tone as Tone
from equipoise.measures.fields import eeg as eeg
from equipoise.measures.fields import lfp as lfp
from equipoise.measures.fields import tone as tone
from equipoise.measures.irregularity import cv as cv
from equipoise.measures.irregularity import cv2 as cv2
from equipoise.measures.irregularity import cv_local as cv_local
from equipoise.measures.irregularity import lv as lv
from equipoise.measures.irregularity import lvr as lvr
from equipoise.measures.irregularity import rate as rate
from equipoise.measures.irregularity import refractory_violations as refractory_violations
from equipoise.measures.irregularity import summary as summary
from equipoise.measures.recovery import recovery as recovery
from equipoise.measures.spectra import Aperiodic as Aperiodic
from equipoise.measures.spectra import Rhythm as Rhythm
from equipoise.measures.spectra import aperiodic as aperiodic
from equipoise.measures.spectra import power_spectrum as power_spectrum
from equipoise.measures.spectra import rhythms as rhythms
from equipoise.measures.synchrony import bursts as bursts
from equipoise.measures.synchrony import synchrony as synchrony
from equipoise.measures.trains import GroupedTrains as GroupedTrains
from equipoise.measures.trains import group as group
