"""Sec. 2.1 and 4.1: two rate rules on one cell. Stable alone, a line of equilibria together, no end to drift on it."""

from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting, renewal
from equipoise.model.homeostasis import RateHomeostasis
from equipoise.model.inputs import Weights, weights_for
from equipoise.papers.calcium_homeostasis.common import RATE, driven
from equipoise.papers.framework import Claim
from equipoise.papers.layout import panels
from equipoise.theory import equilibrium, evolve, stability

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure as Canvas

TAU_E, TAU_I = 10.0, 1.0
MISMATCH = 0.2
NOISE = 0.02
WALKERS, STEPS, DT, EVERY, SEED = 300, 10_000, 0.005, 50, 2


def rate_rule(mismatch: float = 0.0) -> RateHomeostasis:
    """Both rules at absolute scale; the excitatory set point is `mismatch` Hz above the inhibitory one."""
    return RateHomeostasis(tau_e=TAU_E, tau_i=TAU_I, target_e=RATE + mismatch, target_i=RATE, scale="absolute")


def compute() -> "xr.Dataset":
    """Spectra of each rule alone and of both, Q along trajectories, and the spread of noisy copies."""
    import xarray as xr

    mu, sigma = renewal.input_for(driven().neuron, rate=RATE, cv=0.8)
    start = weights_for(driven(), mu=float(mu), sigma=float(sigma))
    assert start is not None
    ends = [
        equilibrium(driven(), rate_rule(), start=Weights(a * start.j_e, start.j_i)) for a in np.linspace(0.6, 2, 15)
    ]
    both = stability(driven(), rate_rule(), at=ends[4])
    times = np.linspace(0.0, 25.0, 201)
    # With equal set points the start must lie off the line of equilibria, or nothing would move.
    disturbed = Weights(1.5 * start.j_e, 0.8 * start.j_i)
    starts = {0.0: disturbed, MISMATCH: start}
    paths = {m: evolve(driven(), rate_rule(m), duration=25.0, start=s, times=times) for m, s in starts.items()}
    later = evolve(driven(), rate_rule(MISMATCH), duration=200.0, start=start, times=np.linspace(0, 200, 2001))
    q = np.array([_q(p["j_e"].values, p["j_i"].values) for p in paths.values()])
    return xr.Dataset(
        {
            "line": (("start", "synapse"), [[p.j_e, p.j_i] for p in ends], {"units": "V"}),
            "line_rate": ("start", [p.rate for p in ends], {"units": "Hz"}),
            "eigenvalues": ("mode", both.eigenvalues.real, {"units": "1/s"}),
            "alone": ("synapse", np.diag(both.jacobian), {"units": "1/s"}),
            "zero_modes": ((), len(both.zero_modes)),
            "q": (("mismatch", "time"), q),
            "j": (("mismatch", "synapse", "time"), [[p["j_e"].values, p["j_i"].values] for p in paths.values()]),
            "spread": (("noise_time", "what"), _diffusion(np.array([start.j_e, start.j_i]))),
        },
        coords={
            "synapse": ["e", "i"], "time": ("time", times, {"units": "s"}), "mismatch": [0.0, MISMATCH],
            "noise_time": np.arange(1, STEPS // EVERY + 1) * EVERY * DT, "what": ["sd_q", "sd_rate"],
        },
        attrs={"later": later.attrs["status"], "later_until": float(later["time"][-1])},
    )  # fmt: skip


def _q(j_e: np.ndarray, j_i: np.ndarray) -> np.ndarray:
    return TAU_E * j_e + TAU_I * j_i


def _diffusion(start: np.ndarray) -> np.ndarray:
    """SD of Q and of the rate over copies with independent white noise in both rules (Euler-Maruyama)."""
    cell, rule = driven(), rate_rule()
    rng = np.random.default_rng(SEED)
    tau = np.array([[TAU_E], [TAU_I]])
    j = np.tile(start[:, None], WALKERS)
    rows = []
    for step in range(1, STEPS + 1):
        rate = renewal.rate(cell.neuron, mu=cell.input_mean(*j), sigma=np.sqrt(cell.input_variance(*j)))
        j = j + DT * rule.rhs(j, rate[None]) + NOISE * np.sqrt(DT) * rng.standard_normal(j.shape) / tau
        if step % EVERY == 0:
            rows.append([_q(*j).std(ddof=1), rate.std(ddof=1)])
    return np.array(rows)


def claims(data: "xr.Dataset") -> list[Claim]:
    """Each rule alone is stable; together they fix nothing but the rate."""
    alone, eigenvalues = data["alone"].values, data["eigenvalues"].values
    q = data["q"]
    slope = float((q.sel(mismatch=MISMATCH)[-1] - q.sel(mismatch=MISMATCH)[0]) / data["time"][-1])
    constant = float(np.ptp(q.sel(mismatch=0.0).values) / q.sel(mismatch=0.0)[0])
    weights = data["j"].sel(mismatch=0.0)
    moved, late_move = (
        float(np.abs(weights.sel(time=b) / weights.sel(time=a) - 1).max()) for a, b in ((0.0, 5.0), (20.0, 25.0))
    )
    pushed = float(np.abs(weights.isel(time=0) / data["j"].sel(mismatch=MISMATCH).isel(time=0) - 1).max())
    line = data["line"].values
    spread = float(data["spread"].sel(what="sd_q")[-1])
    expected = NOISE * np.sqrt(2 * float(data["noise_time"][-1]))
    late = data["spread"].sel(what="sd_rate")[-100:].values
    return [
        Claim("Each rule alone is stable", "Sec. 2.1",
              f"eigenvalues {alone[0]:+.3f} (E alone), {alone[1]:+.3f} (I alone) /s", bool((alone < 0).all())),
        Claim("Both together have eigenvalues {0, tr L}", "Sec. 4.1",
              f"{eigenvalues[0]:+.1e}, {eigenvalues[1]:+.3f} /s; {int(data['zero_modes'])} zero mode",
              int(data["zero_modes"]) == 1 and bool(eigenvalues[1] < 0)),
        Claim("Equal set points leave a line of equilibria", "Sec. 2.1",
              f"J_E from {line[0, 0]:.3f} to {line[-1, 0]:.3f} V, all at {float(data['line_rate'].mean()):.6f} Hz",
              bool(np.abs(data["line_rate"] / RATE - 1).max() < 1e-8 and np.ptp(line[:, 0]) > 0.1)),
        Claim("Q = tau_E J_E + tau_I J_I is exactly conserved", "derived",
              f"relative change {constant:.1e} in 25 s, the weights by {100 * moved:.1f} %",
              constant < 1e-7 and moved > 0.01),
        Claim("Unequal set points: no equilibrium, dQ/dt = r_E* - r_I*", "Sec. 4.1",
              f"dQ/dt = {slope:.7f} for a mismatch of {MISMATCH} Hz", abs(slope / MISMATCH - 1) < 1e-5),
        Claim("The drift keeps a constant velocity", "Sec. 4.1",
              f"Q does; the weights end in {data.attrs['later']} after {data.attrs['later_until']:.0f} s, where "
              "inhibition is so strong that its noise raises the rate",
              data.attrs["later"] == "OK", expected=False),
        Claim("Noise diffuses along the line without bound: SD(Q) = noise sqrt(2 t)", "Sec. 4.1",
              f"SD(Q) {spread:.3f} after 50 s, {expected:.3f} expected (sampling error 4.1 %)",
              abs(spread / expected - 1) < 0.13),
        Claim("Noise does not spread the rate: the other direction is regulated", "Sec. 4.1",
              f"SD(rate) {late[:50].mean():.3f} then {late[50:].mean():.3f} Hz",
              abs(late[50:].mean() / late[:50].mean() - 1) < 0.2),
        Claim("Any small perturbation makes the weights diverge rather than converge (noise does, see above)",
              "Sec. 2.1", f"after a disturbance of {100 * pushed:.0f} % the weights rest on the line: they move "
              f"by {100 * moved:.1f} % in the first 5 s, by {late_move:.0e} in the last 5 s", late_move > 1e-4,
              expected=False),
    ]  # fmt: skip


def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """The line of equilibria, the drift of Q, and the diffusion along the line."""
    line, drift, spread = panels(canvas, "Line of equilibria", "Unequal set points", "Noise in both rules")
    line.plot(data["line"].sel(synapse="e"), data["line"].sel(synapse="i"), "o-", ms=3, color=plotting.INK)
    line.set(xlabel="$J_E$ (V)", ylabel="$J_I$ (V)")
    for key, label in (("e", "$J_E$"), ("i", "$J_I$")):
        drift.plot(data["time"], data["j"].sel(mismatch=MISMATCH, synapse=key), **plotting.LOOK[key], label=label)
    drift.set(xlabel="time (s)", ylabel="weight (V)", ylim=(0, None))
    drift.legend()
    t = data["noise_time"]
    spread.plot(t, data["spread"].sel(what="sd_q"), color=plotting.EPOCHS[2], label="SD of $Q$ (V s)")
    spread.plot(t, NOISE * np.sqrt(2 * t), color=plotting.QUIET, ls="--", label=r"its theory, $\propto \sqrt{t}$")
    spread.plot(t, data["spread"].sel(what="sd_rate"), color=plotting.INK, lw=1, label="SD of rate (Hz)")
    spread.set(xlabel="time (s)", ylabel="spread over copies (V s; Hz)", ylim=(0, None))
    spread.legend(loc="upper left")
