"""Recordings in and out: files, folders and objects of other packages to a Recording, and back."""

from equipoise.recordings.datasets import to_xarray as to_xarray
from equipoise.recordings.digests import digest as digest
from equipoise.recordings.examples import EXAMPLES as EXAMPLES
from equipoise.recordings.examples import example as example
from equipoise.recordings.loading import load as load
from equipoise.recordings.neo_objects import to_neo as to_neo
from equipoise.recordings.nwb import NWB as NWB
from equipoise.recordings.nwb_writer import to_nwb as to_nwb
from equipoise.recordings.phy import Phy as Phy
from equipoise.recordings.saving import save as save
