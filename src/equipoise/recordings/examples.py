"""The recordings that come with the package."""

from importlib import resources
from typing import Any

from equipoise.quantities import suggest
from equipoise.recordings.loading import load
from equipoise.results import Recording

EXAMPLES: dict[str, tuple[str, dict[str, Any]]] = {
    "a2929": ("a2929_spikes.npz", {"t_stop": 1200.0}),
    "eeg": ("eeg_eyes.npz", {}),
    "grasshopper": ("grasshopper_spikes.npz", {}),
}


def example(name: str = "a2929", **options: Any) -> Recording:
    """A recording shipped with the package (see data/README.md); options as for `load`.

    "a2929": 15 units of a mouse, 600 s asleep and 600 s awake. "eeg": one channel of a human EEG, eyes closed and open
    in turns, 242 s. "grasshopper": two auditory receptor neurons, 10 s each, not recorded together.

    >>> from equipoise import recordings
    >>> recordings.example()
    Recording(a2929_spikes.npz: SpikeTrains(15 units, 98794 spikes, 0 to 1200 s); epochs: sleep 600 s, wake 600 s)
    >>> recordings.example("grasshopper")
    Recording(grasshopper_spikes.npz: SpikeTrains(2 units, 1797 spikes, 0 to 10 s); epochs: all 10 s)
    """
    if name not in EXAMPLES:
        raise ValueError(f"recordings.example: no example {name!r}.{suggest(name, EXAMPLES)}")
    file, window = EXAMPLES[name]
    with resources.as_file(resources.files("equipoise") / "data" / file) as path:
        return load(path, **(window | options))
