"""van Vreeswijk & Farkhooi 2025, bioRxiv 2025.09.04.674182: balance that emerges from calcium-regulated homeostasis.

Figs. 1, 2A-B, 3A-B and 4A-D of the paper, and what its text claims about one cell: the failure of single-loop feedback,
the reduction of the kinetics, the reach of Theorems 2 and 3, optical drive, and changed input irregularity.
"""

from equipoise.papers.calcium_homeostasis import (
    encoding,
    irregularity,
    kinetics,
    network_rates,
    network_scaling,
    nullclines,
    optical,
    scaling,
    single_loop,
    theorem3,
    trace_condition,
)
from equipoise.papers.framework import Figure, Paper

PAPER = Paper(
    "calcium-homeostasis",
    "Emergence of balanced cortical activity via calcium-regulated synaptic homeostasis",
    (
        Figure("fig1_encoding", "Calcium moments diverge with irregularity", encoding, (9.0, 3.0)),
        Figure("fig2_nullclines", "Nullclines of the closed loop", nullclines, (7.2, 3.2)),
        Figure("fig3_scaling", "Weights scale with the number of inputs", scaling, (7.2, 3.2)),
        Figure("fig4_network", "A network finds its balance", network_scaling, (11.5, 3.0)),
        Figure("network_rates", "Rates over the neurons of a network", network_rates, (10.5, 3.2)),
        Figure("single_loop", "The failure of single-loop feedback", single_loop, (9.0, 3.0)),
        Figure("kinetics", "From protein kinetics to the calcium rules", kinetics, (9.0, 3.0)),
        Figure("theorem3", "Where the conditions of Theorem 3 hold", theorem3, (9.0, 3.4)),
        Figure("trace_condition", "Stability is not automatic", trace_condition, (7.6, 3.2)),
        Figure("optical_drive", "Chronic optical drive, to its fold", optical, (9.0, 3.0)),
        Figure("irregularity", "Input irregularity at fixed mean rate", irregularity, (9.0, 3.0)),
    ),
)
