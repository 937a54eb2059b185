"""Level 3: the same circuit spike by spike, on a compiled kernel that counts spikes or sums weights."""

from equipoise.spiking.cost import evolve_cost as evolve_cost
from equipoise.spiking.estimates import Estimate as Estimate
from equipoise.spiking.estimates import estimate as estimate
from equipoise.spiking.evolve import evolve as evolve
from equipoise.spiking.files import load as load
from equipoise.spiking.files import save as save
from equipoise.spiking.given import with_neurons as with_neurons
from equipoise.spiking.homeostasis import Homeostasis as Homeostasis
from equipoise.spiking.network import Network as Network
from equipoise.spiking.network import build as build
from equipoise.spiking.nudged import nudged as nudged
from equipoise.spiking.pace import Pace as Pace
from equipoise.spiking.paired_pulses import PairedPulses as PairedPulses
from equipoise.spiking.paired_pulses import paired_pulses as paired_pulses
from equipoise.spiking.record import Record as Record
from equipoise.spiking.run import Run as Run
from equipoise.spiking.simulate import run as run
from equipoise.spiking.simulate import simulate as simulate
from equipoise.spiking.study import checkpoints_of as checkpoints_of
from equipoise.spiking.study import simulated_time as simulated_time
from equipoise.spiking.study import study as study
from equipoise.spiking.wiring import Wiring as Wiring
