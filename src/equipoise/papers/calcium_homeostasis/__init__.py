"""van Vreeswijk & Farkhooi 2025, bioRxiv 2025.09.04.674182: balance that emerges from calcium-regulated homeostasis.

Figs. 1, 2A-B, 3A-B and 4A-D of the paper, and what its text claims about one cell: the failure of single-loop feedback,
the reduction of the kinetics, the reach of Theorems 2 and 3, optical drive, and changed input irregularity. Figures
that begin with `spikes` say what of it holds spike by spike.
"""

from equipoise.papers.calcium_homeostasis import (
    encoding,
    irregularity,
    kinetics,
    network_perturbations,
    network_rates,
    network_scaling,
    network_scopes,
    network_spectrum,
    nullclines,
    optical,
    scaling,
    single_loop,
    spikes_asynchrony,
    spikes_emergence,
    spikes_finite_size,
    spikes_irregularity,
    spikes_perturbations,
    spikes_scaling,
    spikes_scopes,
    theorem3,
    trace_condition,
)
from equipoise.papers.framework import Figure, Paper, SimulatedFigure

PAPER = Paper(
    "calcium-homeostasis",
    "Emergence of balanced cortical activity via calcium-regulated synaptic homeostasis",
    (
        Figure("fig1_encoding", "Calcium moments diverge with irregularity", encoding, (9.0, 3.0)),
        Figure("fig2_nullclines", "Nullclines of the closed loop", nullclines, (7.2, 3.2)),
        Figure("fig3_scaling", "Weights scale with the number of inputs", scaling, (7.2, 3.2)),
        Figure("fig4_network", "A network finds its balance", network_scaling, (11.5, 3.0)),
        Figure("network_rates", "Rates over the neurons of a network", network_rates, (10.5, 3.2)),
        Figure("network_spectrum", "The slow dynamics of a network over K", network_spectrum, (7.6, 3.2)),
        Figure("network_perturbations", "A network over days of manipulation", network_perturbations, (10.0, 4.6)),
        Figure("network_scopes", "Whose calcium? The two scopes compared", network_scopes, (10.5, 3.2)),
        Figure("single_loop", "The failure of single-loop feedback", single_loop, (9.0, 3.0)),
        Figure("kinetics", "From protein kinetics to the calcium rules", kinetics, (9.0, 3.0)),
        Figure("theorem3", "Where the conditions of Theorem 3 hold", theorem3, (9.0, 3.4)),
        Figure("trace_condition", "Stability is not automatic", trace_condition, (7.6, 3.2)),
        Figure("optical_drive", "Chronic optical drive, to its fold", optical, (9.0, 3.0)),
        Figure("irregularity", "Input irregularity at fixed mean rate", irregularity, (9.0, 3.0)),
        SimulatedFigure("spikes_scaling", "Fig. 4 in spikes: a network finds its balance", spikes_scaling, (11.5, 3.0)),
        SimulatedFigure("spikes_emergence", "Balance emerges in spikes", spikes_emergence, (10.0, 4.6)),
        SimulatedFigure("spikes_asynchrony", "Irregular and asynchronous firing", spikes_asynchrony, (12.0, 3.0)),
        SimulatedFigure("spikes_scopes", "Whose calcium? The two scopes in spikes", spikes_scopes, (10.5, 3.2)),
        SimulatedFigure("spikes_perturbations", "Days of manipulation in spikes", spikes_perturbations, (8.2, 4.6)),
        SimulatedFigure("spikes_irregularity", "Input irregularity in spikes", spikes_irregularity, (11.5, 3.0)),
        SimulatedFigure("spikes_finite_size", "Few and many neurons", spikes_finite_size, (9.5, 3.2)),
    ),
)
