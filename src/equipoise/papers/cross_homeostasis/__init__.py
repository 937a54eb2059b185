"""Homeostasis of two targets at once: rules on the weights of an E-I pair, and dual control of mean and variance.

Soldado-Magraner, Seay, Laje & Buonomano 2022, PNAS 119:e2200621119, on weights that learn to stabilise an
inhibition-stabilised network; Cannon & Miller 2017, J. Math. Neurosci. 7:1, and Miller 2018 on dual control.
"""

from equipoise.papers.cross_homeostasis import dual_control, family, multi_unit, spectra, trajectory
from equipoise.papers.framework import Figure, Paper

PAPER = Paper(
    "cross-homeostasis",
    "Paradoxical self-sustained dynamics from orchestrated excitatory and inhibitory homeostatic rules",
    (
        Figure("spectra", "Which weight rules hold an ISN", spectra, (13.0, 3.4)),
        Figure("trajectory", "A network that learns to sustain itself", trajectory, (14.0, 3.0)),
        Figure("family", "From homeostatic to cross-homeostatic", family, (10.5, 3.2)),
        Figure("multi_unit", "A network of units", multi_unit, (12.5, 3.0)),
        Figure("dual_control", "Dual control of mean and variance", dual_control, (13.0, 3.1)),
    ),
)
