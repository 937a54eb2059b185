"""Level 2, rates: circuits of rate neurons and of spiking neurons by their f-I curves, fast and slow."""

from equipoise.rate.branch import branch as branch
from equipoise.rate.conditions import Condition as Condition
from equipoise.rate.fixed_points import fixed_points as fixed_points
from equipoise.rate.fixed_points import settle as settle
from equipoise.rate.modes import Modes as Modes
from equipoise.rate.modes import modes as modes
from equipoise.rate.network import RateNetwork as RateNetwork
from equipoise.rate.network import network as network
from equipoise.rate.protocol import Outcome as Outcome
from equipoise.rate.protocol import perform as perform
from equipoise.rate.set_point import RateSetPoint as RateSetPoint
from equipoise.rate.set_point import set_point as set_point
from equipoise.rate.simulate import simulate as simulate
from equipoise.rate.slow import evolve as evolve
from equipoise.rate.slow_point import SlowPoint as SlowPoint
from equipoise.rate.slow_point import equilibrium as equilibrium
from equipoise.rate.stability import SlowStability as SlowStability
from equipoise.rate.stability import stability as stability
from equipoise.rate.stability_map import stability_map as stability_map
from equipoise.rate.state import RateState as RateState
from equipoise.rate.study import study as study
from equipoise.rate.units import units as units
