"""Stretches of a recording that belong together: epochs of one name, or of names that differ by a number alone."""

import re
from collections.abc import Iterable

from equipoise.results import Epoch

_NUMBER = re.compile(r"[\s_-]*\d+$")


def conditions(epochs: Iterable[Epoch]) -> dict[str, tuple[Epoch, ...]]:
    """The stretches of each condition, in order of time.

    Epochs of one name are one condition. A number at the end of names is left out where what remains are two names or
    more, each of which comes again: "eyes closed 1, eyes open 1, eyes closed 2, eyes open 2" are two conditions of two
    stretches; "day 1, day 2" and "before, day 1, day 2" stay as they are.
    """
    given = sorted(epochs, key=lambda epoch: epoch.start)
    bare = _by_name((_NUMBER.sub("", epoch.name) or epoch.name, epoch) for epoch in given)
    if len(bare) > 1 and all(len(stretches) > 1 for stretches in bare.values()):
        return bare
    return _by_name((epoch.name, epoch) for epoch in given)


def _by_name(named: Iterable[tuple[str, Epoch]]) -> dict[str, tuple[Epoch, ...]]:
    found: dict[str, tuple[Epoch, ...]] = {}
    for name, epoch in named:
        found[name] = (*found.get(name, ()), epoch)
    return found
