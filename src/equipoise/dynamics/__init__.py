"""A small engine on plain functions: fixed points, spectra, conserved quantities, continuation, slow evolution.

Every function takes ``f(x) -> dx/dt`` on 1-D arrays, and where it needs one ``jacobian(x)``. Nothing here knows about
neurons; names of variables are passed in so that results can speak.
"""

from equipoise.dynamics.arnoldi import leading as leading
from equipoise.dynamics.bounded import held as held
from equipoise.dynamics.bounded import nearest_point as nearest_point
from equipoise.dynamics.continuation import Branch as Branch
from equipoise.dynamics.continuation import Domain as Domain
from equipoise.dynamics.continuation import SpecialPoint as SpecialPoint
from equipoise.dynamics.continuation import continuation as continuation
from equipoise.dynamics.derivatives import complex_step as complex_step
from equipoise.dynamics.derivatives import differences as differences
from equipoise.dynamics.derivatives import together as together
from equipoise.dynamics.evolution import Trajectory as Trajectory
from equipoise.dynamics.evolution import evolve as evolve
from equipoise.dynamics.fixed_points import FixedPoint as FixedPoint
from equipoise.dynamics.fixed_points import bracketed_root as bracketed_root
from equipoise.dynamics.fixed_points import fixed_point as fixed_point
from equipoise.dynamics.fixed_points import lowest_point as lowest_point
from equipoise.dynamics.invariants import Invariant as Invariant
from equipoise.dynamics.invariants import invariants as invariants
from equipoise.dynamics.phases import Phases as Phases
from equipoise.dynamics.phases import phases as phases
from equipoise.dynamics.relaxation import phi_1 as phi_1
from equipoise.dynamics.relaxation import relaxation as relaxation
from equipoise.dynamics.spectra import ComplexArray as ComplexArray
from equipoise.dynamics.spectra import Spectrum as Spectrum
from equipoise.dynamics.spectra import duration_text as duration_text
from equipoise.dynamics.spectra import spectrum as spectrum
