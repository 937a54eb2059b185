"""Discussion: chronic optical drive, with the end of the branch that the paper does not mention."""

from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting
from equipoise.papers.calcium_homeostasis.common import driven, rule
from equipoise.papers.framework import Claim
from equipoise.papers.layout import panels
from equipoise.theory import drive_branch, equilibrium, stability

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure as Canvas

K = 200
FOLDS_AT = (50, 200, 1000)


def compute() -> "xr.Dataset":
    """Equilibria from no drive to the fold, and critical and fold drives at three K."""
    import xarray as xr

    limits = [drive_branch(driven(k), rule()) for k in FOLDS_AT]
    here = limits[FOLDS_AT.index(K)]
    drive = np.concatenate([
        np.linspace(0.0, here.critical_drive * (1 - 1e-9), 60),
        here.critical_drive + (here.fold_drive - here.critical_drive) * (1 - np.linspace(1, 1e-4, 60) ** 2),
    ])  # fmt: skip
    points = [equilibrium(driven(K, drive=d), rule()) for d in drive]
    spectra = [stability(driven(K, drive=d), rule(), at=p) for d, p in zip(drive, points, strict=True)]
    beyond = equilibrium(driven(K, drive=1.01 * here.fold_drive), rule(), throw=False)
    return xr.Dataset(
        {
            "j_e": ("drive", [p.j_e for p in points], {"units": "V"}),
            "j_i": ("drive", [p.j_i for p in points], {"units": "V"}),
            "rate": ("drive", [p.rate for p in points], {"units": "Hz"}),
            "cv": ("drive", [p.cv for p in points]),
            "slowest": ("drive", [float(s.recovery_times[0]) for s in spectra], {"units": "s"}),
            "stable": ("drive", [s.stable for s in spectra]),
            "critical": ("K", [b.critical_drive for b in limits], {"units": "V/s"}),
            "fold": ("K", [b.fold_drive for b in limits], {"units": "V/s"}),
            "fold_j_i": ("K", [b.fold_j_i for b in limits], {"units": "V"}),
        },
        coords={"drive": ("drive", drive, {"units": "V/s"}), "K": list(FOLDS_AT)},
        attrs={"beyond": beyond.status.name},
    )


def claims(data: "xr.Dataset") -> list[Claim]:
    """What is held, what rises, and where the branch ends."""
    critical, fold = float(data["critical"].sel(K=K)), float(data["fold"].sel(K=K))
    weak = data.where(data["drive"] < critical, drop=True)
    strong = data.where(data["drive"] > critical, drop=True)
    held = max(float(np.abs(weak["rate"] / 5.0 - 1).max()), float(np.abs(weak["cv"] / 0.8 - 1).max()))
    rate, cv = strong["rate"].values, strong["cv"].values
    folds = ", ".join(f"{float(v):.2f} at K = {int(k)}" for k, v in zip(data["K"], data["fold"], strict=True))
    return [
        Claim("Under weak drive rate and C_v stay unchanged", "Discussion",
              f"largest relative change {held:.1e} up to I = {critical:.2f} V/s", held < 1e-9),
        Claim("J_E reaches zero at I_crit = mu* + sigma* sqrt(K lam_I)", "Discussion, derived",
              f"I_crit = {critical:.2f} V/s at K = 200; J_E there {float(weak['j_e'][-1]):.1e} V",
              abs(critical - 732.17) < 0.01 and float(weak["j_e"][-1]) < 1e-6),
        Claim("Beyond, both rate and C_v increase with the drive", "Discussion",
              f"rate {rate[0]:.3f} to {rate[-1]:.3f} Hz, C_v {cv[0]:.3f} to {cv[-1]:.3f}",
              bool((np.diff(rate) > 0).all() and (np.diff(cv) > 0).all())),
        Claim("C_v is the observable: it changes far more than the rate", "derived",
              f"rate {100 * (rate[-1] / rate[0] - 1):.1f} %, C_v {100 * (cv[-1] / cv[0] - 1):.1f} %",
              cv[-1] / cv[0] - 1 > 5 * (rate[-1] / rate[0] - 1)),
        Claim("The branch ends in a fold, beyond which inhibition runs away", "derived",
              f"I_fold = {folds} V/s; beyond: {data.attrs['beyond']}",
              bool(np.isfinite(fold)) and data.attrs["beyond"] == "PAST_FOLD"),
        Claim("The equilibrium is stable all the way to the fold", "derived",
              f"stable at {int(data['stable'].sum())} of {data['stable'].size} drives", bool(data["stable"].all())),
    ]  # fmt: skip


def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """Weights, rate and C_v against drive, with the critical drive and the fold."""
    weights, firing, irregularity = panels(canvas, "Weights", "Rate", "Irregularity")
    for key, label in (("e", "$J_E$"), ("i", "$J_I$")):
        weights.plot(data["drive"], data[f"j_{key}"], **plotting.LOOK[key], label=label)
    firing.plot(data["drive"], data["rate"], color=plotting.INK)
    irregularity.plot(data["drive"], data["cv"], color=plotting.INK)
    for ax in (weights, firing, irregularity):
        ax.axvline(float(data["critical"].sel(K=K)), color=plotting.QUIET, lw=0.8, ls=":")
        ax.axvline(float(data["fold"].sel(K=K)), color=plotting.QUIET, lw=0.8)
        ax.set(xlabel="tonic drive (V/s)", xlim=(0, 1400))
    weights.set(ylabel="weight (V)")
    weights.legend()
    firing.set(ylabel="rate (Hz)", ylim=(4.5, 5.5))
    irregularity.set(ylabel="$C_v$", ylim=(0.7, 1.0))
    firing.text(float(data["critical"].sel(K=K)) - 15, 5.45, "$J_E = 0$", ha="right", va="top", color=plotting.QUIET)
    firing.text(float(data["fold"].sel(K=K)) - 15, 5.45, "fold", ha="right", va="top", color=plotting.QUIET)
