"""Circuits on NEST, homeostasis included by slow windows (extra `[nest]`); NEST itself loads on first use."""

from equipoise.backends.nest.run import Run as Run
from equipoise.backends.nest.simulation import simulate as simulate
