"""A function of named axes on every point of their grid, on all cores or on a cluster, resumable."""

from equipoise.sweeps.sweep import failures as failures
from equipoise.sweeps.sweep import sweep as sweep
