"""The family of two-term rules: cross-homeostasis with a homeostatic term beside it, from one to the other.

With shares c and 1 - c of the two terms the slow matrix is -(E^2 + I^2) alpha [[1 - c, c], [-c, 1 - c]] R. Its
determinant is positive throughout; its trace, -(1 - c) (R_EE + R_II) - c (R_IE - R_EI) in units of (E^2 + I^2) alpha,
is linear in c.
"""

from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting, rate
from equipoise.papers.cross_homeostasis.spectra import ALPHA, Case, E, I, rules_of
from equipoise.papers.framework import Claim
from equipoise.papers.layout import panels
from equipoise.papers.pairs import PUBLISHED, Pair
from equipoise.units import second

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure as Canvas

SHARE = np.linspace(0.0, 1.0, 33)
PATHS = (0.1, 0.3, 0.6, 1.0)
SPAN = 8 * second
DISTURBED = Pair(weights=(4.6, PUBLISHED.weights[1], 10.4, PUBLISHED.weights[3]))


def compute() -> "xr.Dataset":
    """Spectra over the share of the cross term, and paths of the rates from disturbed weights."""
    import xarray as xr

    values = np.array([_spectrum(c) for c in SHARE])
    times = np.linspace(0.0, SPAN, 241)
    return xr.Dataset(
        {
            "real": (("share", "mode"), np.real(values), {"units": "1/s"}),
            "imaginary": (("share", "mode"), np.imag(values), {"units": "1/s"}),
            "path": (("shown", "time", "population"), [_path(c, times) for c in PATHS], {"units": "Hz"}),
        },
        coords={
            "share": SHARE, "shown": list(PATHS), "time": ("time", times, {"units": "s"}), "population": ["E", "I"],
        },
    )  # fmt: skip


def _rules(share: float) -> list:
    """Two-term rules; a term without a share is left out."""
    own, crossed = (1.0 - share) * ALPHA, share * ALPHA
    if share == 0.0:
        return rules_of(Case(kind="homeostatic", speeds=(own, own)))
    return rules_of(Case(kind="cross", speeds=(crossed, crossed), also=(own, own) if own > 0.0 else None))


def _spectrum(share: float) -> np.ndarray:
    """The two eigenvalues that are not zero [1/s], the larger real part first."""
    slow = rate.equilibrium(PUBLISHED.circuit(), _rules(share), start=[E, I]).slow.eigenvalues
    return np.sort_complex(slow[np.argsort(np.abs(slow))[2:]])[::-1]


def _path(share: float, times: np.ndarray) -> np.ndarray:
    """Rates (time, population) from disturbed weights, both time scales together."""
    circuit = DISTURBED.circuit()
    path = rate.evolve(circuit, rules=_rules(share), duration=SPAN, start=DISTURBED.rates, times=times, full=True)
    return path["rate"].values


def _traces() -> tuple[float, float]:
    """Trace without and with the cross term alone [1/s]."""
    W_EE, W_EI, W_IE, W_II = PUBLISHED.weights
    g_E, g_I = PUBLISHED.gains
    det = (1 / g_E - W_EE) * (1 / g_I + W_II) + W_EI * W_IE
    unit = ALPHA * (E**2 + I**2) / det
    return -unit * (1 / g_E - W_EE + 1 / g_I + W_II), -unit * (W_IE + W_EI)


def claims(data: "xr.Dataset") -> list[Claim]:
    """How much of the cross term is needed, and how the rates come back."""
    trace, (alone, crossed) = data["real"].sum("mode").values, _traces()
    border = alone / (alone - crossed)
    error = float(np.abs(trace - (alone + SHARE * (crossed - alone))).max())
    stable = data["real"].max("mode").values < 0.0
    fastest = float(SHARE[int(data["real"].max("mode").values.argmin())])
    late = np.abs(data["path"].values[:, -40:] - [E, I]).max(axis=(1, 2))
    return [
        Claim("A homeostatic term does no harm while the cross term is strong enough", "Soldado-Magraner et al. 2022",
              f"stable from a share of {border:.4f} on, that is a ratio of cross to homeostatic of "
              f"{border / (1 - border):.3f}", bool((stable == (border < SHARE)).all())),
        Claim("The trace is linear in the share", "derived", f"within {error:.1e}/s", error < 1e-6),
        Claim("The fastest return needs both terms", "derived",
              f"the largest real part is smallest at a share of {fastest:.3f}: "
              f"{data['real'].max('mode').min():.2f} against {data['real'].max('mode')[-1]:.2f}/s for cross alone",
              0.0 < fastest < 1.0),
        Claim("Rates return above the border and leave below it", "derived",
              ", ".join(f"share {c:g}: {x:.1e} Hz" for c, x in zip(PATHS, late, strict=True)) + " off at the end",
              bool(((late < 0.05) == (np.array(PATHS) > border)).all())),
    ]  # fmt: skip


def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """The spectrum over the share, and the return of both rates."""
    spectrum, excitation, inhibition = panels(canvas, "From homeostatic to cross", "Rate of E", "Rate of I")
    alone, crossed = _traces()
    spectrum.plot(data["share"], data["real"], color=plotting.INK)
    spectrum.axhline(0.0, color=plotting.QUIET, lw=0.8)
    spectrum.axvline(alone / (alone - crossed), color=plotting.INK, lw=0.8, ls=":")
    spectrum.set(xlabel="share of the cross term", ylabel=r"Re(eigenvalues) (1/s), $\alpha$ = 0.02")
    spectrum.set_yscale("symlog", linthresh=2.0)
    spectrum.set_yticks([-10, -5, -2, -1, 0, 1], ["−10", "−5", "−2", "−1", "0", "1"])
    for ax, name, target in ((excitation, "E", E), (inhibition, "I", I)):
        for k, share in enumerate(PATHS):
            values = data["path"].sel(shown=share, population=name)
            ax.plot(data["time"], values, color=plotting.EPOCHS[k], ls=("-", "--", "-.", "-")[k], label=f"{share:g}")
        ax.axhline(target, color=plotting.QUIET, lw=0.8, ls=":", zorder=0)
        ax.set(xlabel=r"time (s), $\alpha$ = 0.02", ylabel=f"rate of {name} (Hz)", ylim=(0, 1.6 * target))
    excitation.legend(title="share of cross", loc="lower right", ncol=2)
