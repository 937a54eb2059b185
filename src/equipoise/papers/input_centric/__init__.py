"""A research note on input-centric firing-rate homeostasis: its derivation, its open questions and its constraints."""

from equipoise.papers.framework import Figure, Paper
from equipoise.papers.input_centric import (
    derivation,
    isn_and_homeostasis,
    modes,
    readings,
    silence,
    simple_rules,
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
        Figure("silence", "Silence, and sensing excitation alone", silence, (10.5, 3.2)),
    ),
)
