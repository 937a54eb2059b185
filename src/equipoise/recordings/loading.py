"""`load`: from a path or an object of another package to a Recording."""

import difflib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from equipoise.recordings.checks import Wishes, checked
from equipoise.recordings.datasets import read_dataset, read_netcdf
from equipoise.recordings.edf import read_edf
from equipoise.recordings.mne_objects import read_mne
from equipoise.recordings.neo_objects import read_neo
from equipoise.recordings.npz import read_npz
from equipoise.recordings.nwb import NWB, read_nwb
from equipoise.recordings.phy import Phy, read_phy
from equipoise.recordings.pynapple_objects import epochs_from, read_pynapple
from equipoise.recordings.raw import Raw
from equipoise.recordings.runs import from_run, is_run, read_store
from equipoise.recordings.tables import read_csv, read_parquet
from equipoise.results import Epoch, Recording

_FILES: dict[str, Callable[[Path], Raw]] = {
    ".npz": read_npz, ".csv": read_csv, ".tsv": read_csv, ".txt": read_csv, ".parquet": read_parquet,
    ".nwb": lambda path: read_nwb(NWB(path)), ".nc": read_netcdf, ".edf": read_edf, ".bdf": read_edf,
}  # fmt: skip
_OBJECTS: dict[str, Callable[[Any], Raw]] = {
    "neo": read_neo, "pynapple": read_pynapple, "mne": read_mne, "xarray": read_dataset,
}  # fmt: skip


def load(
    source: Any,
    *,
    time_unit: str | float = "s",
    t_start: float | None = None,
    t_stop: float | None = None,
    units: Sequence[str] | None = None,
    epochs: Any = None,
    check_units: bool = True,
) -> Recording:
    """Read a recording from a file, a folder or an object.

    Files: `.npz`, `.csv`, `.tsv`, `.parquet`, `.nwb`, `.nc`, `.edf`, `.bdf`; folders: Phy or Kilosort, runs on disk.
    Objects: Neo blocks, segments and spike trains, pynapple groups and series, MNE raws, xarray Datasets and
    DataArrays, results of `spiking.simulate`. `Phy(folder, groups=...)` and `NWB(path, ...)` choose parts.

    `time_unit` is "s", "ms", "us", "minute", "hour", or the seconds per tick, such as 1/20000 for samples at 20 kHz,
    where the format leaves it open. The window defaults to the source's, else to [0, last spike] s, wider if epochs or
    signals reach further; give `t_stop` if the recording went on. `units` names all units, silent ones included, where
    the source does not. `epochs` (Epochs, or a pynapple IntervalSet) replace the source's.
    Raises FileNotFoundError or ValueError that says what is wrong and what to do, ImportError that names the extra to
    install; `check_units=False` accepts rates that look like a forgotten unit.
    """
    wishes = Wishes(
        time_unit=time_unit, t_start=t_start, t_stop=t_stop, units=units, epochs=_epochs(epochs),
        check_units=check_units,
    )  # fmt: skip
    return checked(_read(source), wishes)


def _epochs(given: Any) -> tuple[Epoch, ...] | None:
    if given is None:
        return None
    if _package(given) == "pynapple":
        return epochs_from(given)
    given = tuple(given)
    for epoch in given:
        if not isinstance(epoch, Epoch):
            raise TypeError(
                f"recordings.load: epochs must be Epochs such as Epoch('sleep', 0.0, 600.0), got {epoch!r}."
            )
    return given


def _read(source: Any) -> Raw:
    if isinstance(source, str | Path):
        return _read_path(Path(source))
    if isinstance(source, Phy):
        return read_phy(source)
    if isinstance(source, NWB):
        return read_nwb(source)
    if is_run(source):
        return from_run(source)
    reader = _OBJECTS.get(_package(source))
    if reader is None:
        raise TypeError(
            f"recordings.load: no recording is made of {type(source).__module__}.{type(source).__qualname__}. Give a "
            f"path, a run, or an object of {', '.join(_OBJECTS)}."
        )
    return reader(source)


def _package(source: Any) -> str:
    """The package that an object's type, or one of the types it derives from, comes from."""
    tops = [kind.__module__.partition(".")[0] for kind in type(source).__mro__]
    return next((top for top in tops if top in _OBJECTS), "")


def _read_path(path: Path) -> Raw:
    if path.is_dir():
        return _read_folder(path)
    if not path.is_file():
        raise FileNotFoundError(_missing(path))
    reader = _FILES.get(path.suffix.lower())
    if reader is None:
        got = path.suffix or "no suffix"
        raise ValueError(f"recordings.load: {path.name} must end in {', '.join(_FILES)}, got {got!r}.")
    return reader(path)


def _read_folder(path: Path) -> Raw:
    if (path / "zarr.json").is_file():
        return read_store(path)
    if any((path / name).exists() for name in ("spike_times.npy", "spike_clusters.npy", "params.py")):
        return read_phy(Phy(path))
    raise FileNotFoundError(
        f"recordings.load: {path} is a directory, but neither a Phy folder nor a run on disk; give the recording in it."
    )


def _missing(path: Path) -> str:
    if not path.parent.is_dir():
        return f"recordings.load: {path} does not exist, and neither does its directory."
    near = difflib.get_close_matches(path.name, [p.name for p in path.parent.iterdir() if p.is_file()], n=1)
    return f"recordings.load: {path} does not exist." + (f" Did you mean {near[0]!r}?" if near else "")
