"""Closed loops in theory: one cell, and networks by mean field with quenched disorder."""

from equipoise.theory.balanced import BalancedLimit as BalancedLimit
from equipoise.theory.closed_loop import ClosedLoop as ClosedLoop
from equipoise.theory.closed_loop import resolve as resolve
from equipoise.theory.equilibrium import Equilibrium as Equilibrium
from equipoise.theory.equilibrium import equilibrium as equilibrium
from equipoise.theory.evolution import evolve as evolve
from equipoise.theory.feasibility import Feasibility as Feasibility
from equipoise.theory.feasibility import feasibility as feasibility
from equipoise.theory.network import balanced_limit as balanced_limit
from equipoise.theory.network import fixed_points as fixed_points
from equipoise.theory.network import mean_field as mean_field
from equipoise.theory.network import network_equilibrium as network_equilibrium
from equipoise.theory.network import network_evolve as network_evolve
from equipoise.theory.network import network_set_points as network_set_points
from equipoise.theory.network import neuron_sample as neuron_sample
from equipoise.theory.network import rate_distribution as rate_distribution
from equipoise.theory.network import regulated as regulated
from equipoise.theory.network_homeostasis import NetworkEquilibrium as NetworkEquilibrium
from equipoise.theory.network_state import NetworkState as NetworkState
from equipoise.theory.optical import drive_branch as drive_branch
from equipoise.theory.simulation import resume as resume
from equipoise.theory.simulation import simulate as simulate
from equipoise.theory.stability import Stability as Stability
from equipoise.theory.stability import stability as stability
