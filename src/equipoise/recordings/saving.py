"""`save`: a recording to a file that other programs read, and that `load` gives back bit by bit."""

from collections.abc import Callable
from pathlib import Path

from equipoise.recordings.datasets import to_xarray
from equipoise.recordings.nwb_writer import write_nwb
from equipoise.recordings.tables import write_csv, write_parquet
from equipoise.results import Recording, save_dataset

_WRITERS: dict[str, Callable[[Recording, Path], object]] = {
    ".nwb": write_nwb, ".nc": lambda recording, path: save_dataset(to_xarray(recording), path), ".csv": write_csv,
    ".tsv": write_csv, ".parquet": write_parquet,
}  # fmt: skip


def save(recording: Recording, path: str | Path) -> Path:
    """Write a recording, whole or not at all, in the format of the suffix: .nwb, .nc, .csv, .tsv or .parquet.

    Tables hold no signals. A CSV file gets a second one beside it, `name.recording.json`, for window, silent units and
    epochs. Raises ValueError for other suffixes, ImportError that names the extra for NWB and Parquet.
    """
    path = Path(path)
    if not isinstance(recording, Recording):
        raise TypeError(f"recordings.save: recording must be a Recording, got {type(recording).__name__}.")
    writer = _WRITERS.get(path.suffix.lower())
    if writer is None:
        got = path.suffix or "no suffix"
        raise ValueError(f"recordings.save: {path.name} must end in {', '.join(_WRITERS)}, got {got!r}.")
    writer(recording, path)
    return path
