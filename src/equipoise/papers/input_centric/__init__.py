"""A research note on input-centric firing-rate homeostasis: its derivation, its open questions and its constraints."""

from equipoise.papers.framework import Figure, Paper, SimulatedFigure
from equipoise.papers.input_centric import (
    derivation,
    isn_and_homeostasis,
    modes,
    observations,
    protocols,
    readings,
    silence,
    simple_rules,
    spikes_both_rules,
    spikes_rule,
    two_rules,
)

PAPER = Paper(
    "input-centric",
    "Input-centric firing-rate homeostasis in an excitatory-inhibitory network",
    (
        Figure("derivation", "The set point, formula against simulation", derivation, (11.5, 3.2)),
        Figure("isn_and_homeostasis", "A fixed point is no set point", isn_and_homeostasis, (12.5, 3.0)),
        Figure("readings", "Two readings of one rule", readings, (12.5, 3.0)),
        Figure("two_rules", "A second rule on PV cells", two_rules, (12.5, 3.4)),
        Figure("simple_rules", "Simple rate rules in an ISN", simple_rules, (10.5, 3.2)),
        Figure("modes", "Single cells under rules of their own", modes, (12.5, 3.0)),
        Figure("protocols", "Days of protocols under three rules", protocols, (9.5, 7.6)),
        Figure("observations", "Which rule explains what was observed", observations, (12.5, 5.6)),
        Figure("silence", "Silence, and sensing excitation alone", silence, (10.5, 3.2)),
        SimulatedFigure("spikes_rule", "The input-centric rule in spikes", spikes_rule, (12.5, 3.3)),
        SimulatedFigure("spikes_both_rules", "Intrinsic and synaptic rules together", spikes_both_rules, (12.5, 3.2)),
    ),
)
