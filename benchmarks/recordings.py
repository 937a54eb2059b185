"""Memory and time of loading and measuring a large NWB file, and of loading a million spikes from each format.

    python benchmarks/recordings.py [--spikes 1e8] [--directory /tmp]

The file is written with h5py in the layout of NWB (1000 units, gamma intervals); loading and measuring (rate, C_v, CV2
and LV, each with its interval) run in a process of their own, whose peak resident memory (Linux) is compared with the
spikes alone.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np

UNITS = 1000
DURATION = 3600.0


def write_nwb(path: Path, n: int) -> None:
    """Units of n spikes together, written unit by unit."""
    rng = np.random.default_rng(1)
    counts = np.full(UNITS, n // UNITS)
    with h5py.File(path, "w") as file:
        units = file.create_group("units")
        times = units.create_dataset("spike_times", (counts.sum(),), dtype=np.float64)
        begin = 0
        for count in counts:
            steps = rng.standard_gamma(2.0, size=count).cumsum()
            times[begin : begin + count] = steps * (0.999 * DURATION / steps[-1])
            begin += count
        units["spike_times_index"] = counts.cumsum()
        units["id"] = np.arange(UNITS)
        units["obs_intervals"] = np.tile([0.0, DURATION], (UNITS, 1))
        units["obs_intervals_index"] = np.arange(1, UNITS + 1)


def child(path: str) -> None:
    """Load and measure; print seconds and peak memory."""
    from equipoise import measures, recordings

    began = time.perf_counter()
    recording = recordings.load(path)
    loaded = time.perf_counter()
    for measure in (measures.rate, measures.cv, measures.cv2, measures.lv):
        measure(recording)
    done = time.perf_counter()
    print(loaded - began, done - loaded, peak_memory(), recording.spikes.n_spikes)


def peak_memory() -> int:
    """Peak resident memory [bytes]; that of getrusage would include the process which started this one."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def large(directory: Path, n: int) -> None:
    path = directory / "large.nwb"
    write_nwb(path, n)
    said = subprocess.run([sys.executable, __file__, "--child", str(path)], capture_output=True, text=True, check=True)
    load, measure, peak, spikes = map(float, said.stdout.split())
    print(f"{spikes:.3g} spikes of {UNITS} units in NWB: load {load:.2f} s, rate, C_v, CV2 and LV {measure:.2f} s")
    print(f"peak memory {peak / 1e6:.0f} MB = {peak / (8 * spikes):.2f} times the spikes ({8 * spikes / 1e6:.0f} MB)")


def million(directory: Path) -> None:
    from equipoise import recordings

    write_nwb(directory / "million.nwb", 10**6)
    recording = recordings.load(directory / "million.nwb")
    for suffix in (".nwb", ".nc", ".parquet", ".csv"):
        path = directory / f"saved{suffix}"
        began = time.perf_counter()
        recordings.save(recording, path)
        saved = time.perf_counter()
        recordings.load(path)
        print(f"10^6 spikes {suffix}: save {saved - began:.2f} s, load {time.perf_counter() - saved:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spikes", type=float, default=1e8)
    parser.add_argument("--directory", default=None)
    parser.add_argument("--child")
    given = parser.parse_args()
    if given.child:
        child(given.child)
        return
    with tempfile.TemporaryDirectory(dir=given.directory) as directory:
        million(Path(directory))
        large(Path(directory), int(given.spikes))


if __name__ == "__main__":
    main()
