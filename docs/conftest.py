"""Pages whose examples need an extra are left out where it is missing."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("nest") else ["nest.md"]
