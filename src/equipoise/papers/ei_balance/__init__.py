"""The excitation-inhibition balance article: one figure for each of its sections, with checked claims."""

from equipoise.papers.ei_balance import loss, membrane, readouts
from equipoise.papers.framework import Figure, Paper, SimulatedFigure

PAPER = Paper(
    "ei-balance",
    "Excitation-inhibition balance: cells, motifs, networks, and their loss of balance",
    (
        Figure("membrane", "The tug-of-war inside a neuron", membrane, (11.5, 3.0)),
        SimulatedFigure("loss", "Loss of balance, and what homeostasis does about it", loss, (12.0, 3.2)),
        SimulatedFigure("readouts", "What shows from outside", readouts, (12.0, 3.2)),
    ),
)
