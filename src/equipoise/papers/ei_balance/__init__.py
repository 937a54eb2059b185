"""The excitation-inhibition balance article: one figure for each of its sections, with checked claims."""

from equipoise.papers.ei_balance import (
    adaptation,
    critical_ratio,
    criticality,
    endocannabinoids,
    feedback,
    feedforward,
    gain,
    inhibitory_plasticity,
    loss,
    membrane,
    readouts,
)
from equipoise.papers.framework import Figure, Paper, SimulatedFigure

PAPER = Paper(
    "ei-balance",
    "Excitation-inhibition balance: cells, motifs, networks, and their loss of balance",
    (
        Figure("membrane", "The tug-of-war inside a neuron", membrane, (11.5, 3.0)),
        Figure("feedforward", "Feedforward inhibition", feedforward, (12.0, 3.2)),
        Figure("feedback", "Feedback inhibition", feedback, (12.0, 3.2)),
        Figure("endocannabinoids", "Endocannabinoids spare the feedforward branch", endocannabinoids, (12.0, 3.2)),
        SimulatedFigure("inhibitory_plasticity", "Inhibition learns its balance", inhibitory_plasticity, (12.0, 3.2)),
        SimulatedFigure("adaptation", "Balance through a sustained stimulus", adaptation, (12.0, 3.2)),
        Figure("gain", "Balanced is not safe", gain, (13.0, 3.0)),
        SimulatedFigure("criticality", "Avalanches", criticality, (13.0, 3.2)),
        SimulatedFigure("critical_ratio", "The E/I ratio as the knob", critical_ratio, (9.5, 5.6)),
        SimulatedFigure("loss", "Loss of balance, and what homeostasis does about it", loss, (12.0, 3.2)),
        SimulatedFigure("readouts", "What shows from outside", readouts, (12.0, 3.2)),
    ),
)
