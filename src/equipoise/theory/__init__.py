"""One cell in its closed loop: equilibrium, spectrum, feasibility, and the slow path there."""

from equipoise.theory.closed_loop import ClosedLoop as ClosedLoop
from equipoise.theory.closed_loop import resolve as resolve
from equipoise.theory.equilibrium import Equilibrium as Equilibrium
from equipoise.theory.equilibrium import equilibrium as equilibrium
from equipoise.theory.evolution import evolve as evolve
from equipoise.theory.feasibility import Feasibility as Feasibility
from equipoise.theory.feasibility import feasibility as feasibility
from equipoise.theory.optical import drive_branch as drive_branch
from equipoise.theory.simulation import resume as resume
from equipoise.theory.simulation import simulate as simulate
from equipoise.theory.stability import Stability as Stability
from equipoise.theory.stability import stability as stability
