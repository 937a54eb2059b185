"""Folders of Phy and Kilosort: sorted spikes with a verdict on each cluster.

`spike_times.npy` (samples), `spike_clusters.npy`, the sampling rate from `params.py`, which is parsed and never run,
and the verdicts ("good", "mua", "noise") from `cluster_info.tsv`, `cluster_group.tsv` or `cluster_KSLabel.tsv`.
"""

import ast
import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from equipoise.quantities import Array
from equipoise.recordings.raw import Raw, numbers, reading, refuse

_VERDICTS = (
    ("cluster_info.tsv", "group"), ("cluster_group.tsv", "group"), ("cluster_info.tsv", "KSLabel"),
    ("cluster_KSLabel.tsv", "KSLabel"),
)  # fmt: skip
_MORE = {"region": "region", "location": "region", "cell_type": "type"}


@dataclass(frozen=True)
class Phy:
    """A Phy folder of which only the clusters of these `groups` are loaded; `groups=None` takes all."""

    folder: str | Path
    groups: Sequence[str] | None = ("good",)


def read_phy(wanted: Phy) -> Raw:
    """What a Phy folder says about the clusters that are wanted; good clusters without spikes are units too."""
    folder = Path(wanted.folder)
    for name in ("spike_times.npy", "spike_clusters.npy", "params.py"):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"recordings.load: the Phy folder {folder} has no file {name!r}.")
    samples, clusters = _column(folder, "spike_times.npy"), _column(folder, "spike_clusters.npy")
    if samples.shape != clusters.shape:
        got = f"{samples.size} times and {clusters.size} clusters"
        raise refuse(folder.name, f": every spike needs a cluster, got {got}.")
    verdicts = _verdicts(folder)
    names, labels = _units(folder, clusters, verdicts, wanted.groups)
    mine = np.isin(clusters, names)
    # A sampling rate is needed before any spike is believed; the raw signal is not read.
    return Raw(
        source=folder.name, times=samples[mine].astype(np.float64), unit=clusters[mine].astype(np.int64), names=names,
        labels=labels, fs=_sampling_rate(folder),
    )  # fmt: skip


def _column(folder: Path, name: str) -> NDArray:
    with reading(f"{folder.name}/{name}", ".npy file (damaged or cut short)"):
        array = np.load(folder / name, allow_pickle=False)
    array = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    values: Array = numbers(f"{folder.name}/{name}", "the array", array)
    if name == "spike_clusters.npy" and array.dtype.kind == "f" and (values != np.round(values)).any():
        raise refuse(f"{folder.name}/{name}", ": clusters must be integers.")
    return array


def _sampling_rate(folder: Path) -> float:
    """`sample_rate` from params.py, read as text."""
    where = f"{folder.name}/params.py"
    with reading(where, "list of parameters"):
        tree = ast.parse((folder / "params.py").read_text(encoding="utf-8"))
        values = {
            target.id: ast.literal_eval(line.value)
            for line in tree.body
            if isinstance(line, ast.Assign) and isinstance(line.value, ast.Constant)
            for target in line.targets
            if isinstance(target, ast.Name)
        }
    rate = values.get("sample_rate")
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not (np.isfinite(rate) and rate > 0):
        raise refuse(where, f": needs a line such as 'sample_rate = 30000.0' (Hz), got {rate!r}.")
    return float(rate)


def _verdicts(folder: Path) -> dict[int, dict[str, str]]:
    """The known labels of each cluster, from the first table that holds a verdict on any."""
    for name, column in _VERDICTS:
        rows = _table(folder / name) if (folder / name).is_file() else []
        if any(row.get(column, "").strip() for row in rows):
            ids = [_cluster(folder, name, row) for row in rows]
            if len(set(ids)) != len(ids):
                twice = next(c for c in ids if ids.count(c) > 1)
                raise refuse(f"{folder.name}/{name}", f": cluster {twice} stands there more than once.")
            # Only this column judges: a table may hold the sorter's opinion beside that of whoever curated.
            texts = ({"group": row[column]} | {_MORE[k]: v for k, v in row.items() if k in _MORE} for row in rows)
            return dict(zip(ids, texts, strict=True))
    return {}


def _table(path: Path) -> list[dict[str, str]]:
    where = f"{path.parent.name}/{path.name}"
    with reading(where, "table"), path.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    for line, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise refuse(where, f", line {line}: needs {len(rows[0])} fields.")
    return rows


def _cluster(folder: Path, name: str, row: dict[str, str]) -> int:
    text = row.get("cluster_id", row.get("id", ""))
    if not text.strip().isdecimal():
        raise refuse(f"{folder.name}/{name}", f": cluster_id must be a whole number, got {text!r}.")
    return int(text)


def _units(
    folder: Path, clusters: NDArray, verdicts: dict[int, dict[str, str]], groups: Sequence[str] | None
) -> tuple[NDArray, dict[str, tuple[str, ...]]]:
    """The clusters of the wanted groups, in order, and their labels."""
    every = sorted({int(c) for c in np.unique(clusters)} | set(verdicts))
    if groups is not None and not verdicts:
        raise refuse(
            folder.name,
            "has no verdict on its clusters (cluster_info.tsv, cluster_group.tsv or cluster_KSLabel.tsv). "
            "Take all with recordings.load(recordings.Phy(folder, groups=None)).",
        )
    group = {c: verdicts.get(c, {}).get("group", "").strip() or "unsorted" for c in every}
    names = every if groups is None else [c for c in every if group[c] in groups]
    if not names:
        known = ", ".join(f"{sum(g == kind for g in group.values())} {kind}" for kind in sorted(set(group.values())))
        raise refuse(folder.name, f"has no clusters of the groups {', '.join(groups or ())}; it has {known}.")
    keys = {key for c in names for key in verdicts.get(c, {})}
    labels = {key: tuple(verdicts.get(c, {}).get(key, "").strip() for c in names) for key in sorted(keys)}
    labels["group"] = tuple(group[c] for c in names)
    return np.array(names, dtype=np.int64), labels
