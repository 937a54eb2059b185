"""Feedforward and feedback inhibition as small circuits of spiking neurons, and what their strength and delay do."""

from equipoise.motifs.circuits import FeedbackInhibition as FeedbackInhibition
from equipoise.motifs.circuits import FeedforwardInhibition as FeedforwardInhibition
from equipoise.motifs.endocannabinoids import Depolarisation as Depolarisation
from equipoise.motifs.endocannabinoids import Endocannabinoids as Endocannabinoids
from equipoise.motifs.endocannabinoids import disinhibition as disinhibition
from equipoise.motifs.regimes import regimes as regimes
from equipoise.motifs.responses import Volley as Volley
from equipoise.motifs.responses import gain as gain
from equipoise.motifs.responses import jitter as jitter
from equipoise.motifs.responses import responses as responses
from equipoise.motifs.responses import window as window
from equipoise.motifs.rhythm import LoopOnset as LoopOnset
from equipoise.motifs.rhythm import loop_onset as loop_onset
from equipoise.motifs.rhythm import rhythm as rhythm
