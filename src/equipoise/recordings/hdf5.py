"""Datasets of HDF5 files, read only if all of their values were written."""

import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.recordings.raw import reading, refuse

HEAPS_CHECKED = 2**26  # bytes; larger files are not searched for broken heaps
_HEAP = b"GCOL\x01\0\0\0"


@contextmanager
def opened(path: Path, what: str) -> Iterator[Any]:
    """An HDF5 file for reading; whatever goes wrong inside is a refusal that says `what` is broken."""
    import h5py

    with reading(path.name, what):
        if path.stat().st_size <= HEAPS_CHECKED:
            _check_heaps(path)
        with h5py.File(path, "r") as file:
            yield file


def _check_heaps(path: Path) -> None:
    """Refuse a broken heap of texts, whose objects HDF5 would follow in a circle for ever.

    A collection: "GCOL", version 1, its size, then objects of index (2 bytes), count (2), 4 unused, size (8), contents
    padded to 8 bytes; index 0 is the free rest, its size with this header.
    """
    data = path.read_bytes()
    at = data.find(_HEAP)
    while at >= 0:
        place, end = at + 16, at + int.from_bytes(data[at + 8 : at + 16], "little")
        while place + 16 <= end <= len(data):
            index, size = struct.unpack_from("<HxxxxxxQ", data, place)
            place += 16 + (size + 7) // 8 * 8 if index else (size if place + size == end else len(data))
        if not place <= end <= len(data):
            raise refuse(path.name, f"is damaged: its heap of texts at byte {at} is broken.")
        at = data.find(_HEAP, at + 8)


def dataset(source: str, group: Any, name: str) -> Any:
    """A dataset all of whose values were written: HDF5 fills the rest with zeros."""
    import h5py

    if name not in group or not isinstance(found := group[name], h5py.Dataset):
        place = f"{group.name.rstrip('/')}/{name}"
        raise refuse(source, f"has no dataset {place}; there are {', '.join(group) or 'none'}.")
    if found.chunks is None:
        written = found.size == 0 or found.id.get_storage_size() > 0
    else:
        chunks = [-(-size // chunk) for size, chunk in zip(found.shape, found.chunks, strict=True)]
        written = found.id.get_num_chunks() >= np.prod(chunks)
    if not written:
        raise refuse(source, f": {found.name} was never written to its end; the writing of the file broke off.")
    return found


def values(source: str, group: Any, name: str) -> NDArray:
    """The values of a dataset, texts as str."""
    found = dataset(source, group, name)
    return found.asstr()[...] if is_text(found) else found[...]


def is_text(item: Any) -> bool:
    """Whether a member of a group is a dataset of texts."""
    import h5py

    return isinstance(item, h5py.Dataset) and h5py.check_string_dtype(item.dtype) is not None


def text(value: Any) -> str:
    """An attribute as str."""
    return value.decode() if isinstance(value, bytes) else str(value)


def number(value: Any) -> float:
    """An attribute as a number: netCDF keeps one as an array of one."""
    return float(np.asarray(value).item())


class Arrays:
    """The datasets of a group in the manner of an xarray Dataset: `arrays[name].values` and `.attrs`.

    xarray reads the links between arrays and their dimensions too; HDF5 counts damaged ones for hours.
    """

    def __init__(self, source: str, group: Any):
        self.source, self.group, self.attrs = source, group, group.attrs

    @property
    def variables(self) -> Iterable[str]:
        """The names of all arrays."""
        return tuple(self.group)

    def __contains__(self, name: str) -> bool:
        return name in self.group

    def __getitem__(self, name: str) -> "Array":
        return Array(self.source, self.group, name)


class Array:
    """One dataset."""

    def __init__(self, source: str, group: Any, name: str):
        self.source, self.group, self.name = source, group, name

    @property
    def values(self) -> NDArray:
        """All values."""
        return values(self.source, self.group, self.name)

    @property
    def attrs(self) -> Any:
        """Attributes by name."""
        return self.group[self.name].attrs
