"""Garbage is looked for among what tests leave, not among modules and tests, which last."""

import gc

gc.disable()  # while tests are collected


def pytest_collection_finish():
    gc.freeze()
    gc.enable()
