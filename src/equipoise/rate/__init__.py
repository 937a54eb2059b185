"""Level 2, rates: circuits of rate neurons and of spiking neurons by their f-I curves, fast and slow."""

from equipoise.rate.amplification import Amplification as Amplification
from equipoise.rate.amplification import amplification as amplification
from equipoise.rate.branch import branch as branch
from equipoise.rate.fixed_points import fixed_points as fixed_points
from equipoise.rate.fixed_points import settle as settle
from equipoise.rate.network import RateNetwork as RateNetwork
from equipoise.rate.network import network as network
from equipoise.rate.simulate import simulate as simulate
from equipoise.rate.slow import SlowPoint as SlowPoint
from equipoise.rate.slow import equilibrium as equilibrium
from equipoise.rate.slow import evolve as evolve
from equipoise.rate.state import RateState as RateState
from equipoise.rate.study import study as study
from equipoise.rate.units import units as units
