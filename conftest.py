"""What all tests and examples share.

Pages whose examples need an extra are left out where it is missing. Garbage is looked for among what tests leave, not
among modules and tests, which last.
"""

import gc
from importlib.util import find_spec

collect_ignore = [] if find_spec("nest") else ["docs/nest.md"]
gc.disable()  # while tests are collected


def pytest_collection_finish():
    """Leave what was imported out of later searches for garbage."""
    gc.freeze()
    gc.enable()
