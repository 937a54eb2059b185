"""Branching: exact laws of avalanches, driven processes with homeostasis, and excitable networks of E and I units."""

from equipoise.branching.avalanches import avalanches as avalanches
from equipoise.branching.driven import Activity as Activity
from equipoise.branching.driven import DrivenBranching as DrivenBranching
from equipoise.branching.driven import simulate as simulate
from equipoise.branching.driven import subsampled as subsampled
from equipoise.branching.excitable import BuiltNetwork as BuiltNetwork
from equipoise.branching.excitable import ExcitableNetwork as ExcitableNetwork
from equipoise.branching.excitable import build as build
from equipoise.branching.excitable import run as run
from equipoise.branching.laws import duration_survival as duration_survival
from equipoise.branching.laws import log_size_law as log_size_law
from equipoise.branching.laws import mean_size as mean_size
from equipoise.branching.laws import mean_size_of_duration as mean_size_of_duration
from equipoise.branching.offspring import BinaryOffspring as BinaryOffspring
from equipoise.branching.offspring import BinomialOffspring as BinomialOffspring
from equipoise.branching.offspring import GeometricOffspring as GeometricOffspring
from equipoise.branching.offspring import Offspring as Offspring
from equipoise.branching.offspring import PoissonOffspring as PoissonOffspring
