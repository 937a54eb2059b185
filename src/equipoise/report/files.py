"""Files of a report: written beside their place and moved there whole, so that none is ever half written."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xarray as xr


def write_whole(path: str | Path, write: Callable[[Path], object]) -> Path:
    """Call `write` on a temporary file in the same directory and move the result to `path`."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        # A temporary file is private; the result gets the permissions of any new file.
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def write_netcdf(dataset: "xr.Dataset", path: str | Path) -> Path:
    """Write a dataset as netCDF-4; statuses and reasons are text, provenance is in the attributes."""
    return write_whole(path, lambda place: dataset.to_netcdf(place, engine="h5netcdf"))


def read_netcdf(path: str | Path) -> "xr.Dataset":
    """Read an analysis back, fully loaded."""
    import xarray as xr

    with xr.open_dataset(path, engine="h5netcdf") as dataset:
        return dataset.load()
