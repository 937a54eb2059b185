"""What identifies a recording."""

import hashlib

from equipoise.results import Recording


def digest(recording: Recording) -> str:
    """SHA-256 of spikes, units, window, epochs and signals, whatever file they came from and its layout."""
    spikes = recording.spikes
    sha = hashlib.sha256()
    for array in spikes.grouped():
        sha.update(array.data)
    epochs = [(e.name, float(e.start), float(e.stop)) for e in recording.epochs]
    facts = (spikes.n_units, float(spikes.t_start), float(spikes.t_stop), recording.unit_names, epochs)
    sha.update(repr(facts).encode())
    for name, signals in sorted(recording.signals.items()):
        facts = (name, float(signals.sampling_rate), float(signals.t_start), signals.names, signals.unit)
        sha.update(repr(facts).encode())
        sha.update(signals.values.data)
    return sha.hexdigest()
