"""The network of Fig. 4 over days: more input, loss of input, chronic light; what recovers, and when."""

from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting
from equipoise.dynamics import duration_text
from equipoise.model.attached_rules import AttachedRule
from equipoise.model.circuit import Circuit
from equipoise.model.homeostasis import CalciumHomeostasis
from equipoise.model.manipulations import Deafferentation, During, SourceRate, TonicDrive
from equipoise.papers.calcium_homeostasis.common import SENSOR
from equipoise.papers.framework import Claim
from equipoise.theory import branch, network_equilibrium, network_evolve, network_set_points, recovery, regulated
from equipoise.units import Hz, day, hour

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

K = 1000
SPAN = 8 * day
SHOWN = 3 * hour
MANIPULATIONS = {
    "rate": ("input rate 10 to 14 Hz", SourceRate("X", rate=14 * Hz)),
    "loss": ("20 % of the input to E lost", Deafferentation(source="X", target="E", fraction=0.2)),
    "light": ("chronic drive of E, 50 /s", TonicDrive("E", 50.0)),
}


def compute() -> "xr.Dataset":
    """Eight days under each manipulation and eight after it, and the drive at which excitation onto E vanishes."""
    import xarray as xr

    network = Circuit.example("balanced_network").infinite().scaled(K)
    targets = network_set_points(network, SENSOR)
    rules = [AttachedRule(n, CalciumHomeostasis(SENSOR, t, tau_e=2 * hour, tau_i=1 * hour)) for n, t in targets.items()]
    ruled = network.with_rules(rules)
    circuit = regulated(ruled, network_equilibrium(ruled))
    paths = []
    for _, manipulation in MANIPULATIONS.values():
        path = network_evolve(circuit, duration=2 * SPAN, schedule=[During(manipulation, 0.0, SPAN)])
        facts = recovery(path)
        for name, field in (
            ("until", "time"),
            ("restored", "completeness"),
            ("last", "last_time"),
            ("slow", "slow_time"),
        ):
            values = np.array([getattr(f, field) for f in facts]).reshape(path.sizes["epoch"], -1)
            path[name] = (("epoch", "population"), values)
        moment = np.arange(path.sizes["time"])
        paths.append(path.assign_coords(moment=("time", moment)).swap_dims(time="moment").reset_coords("time"))
    data = xr.concat(paths, "manipulation", data_vars="all", join="exact", combine_attrs="drop")
    light = branch(lambda drive: circuit.with_node("E", drive=drive), 0.0, 3000.0, step=0.1)
    data["vanishing_drive"] = float(light["special_parameter"][-1])
    data["vanishing_rate"] = ("population", light["special_rate"].values[-1], {"units": "Hz"})
    data.attrs["drive_status"] = light.attrs["status"]
    return data.assign_coords(manipulation=list(MANIPULATIONS))


def claims(data: "xr.Dataset") -> list[Claim]:
    """Recovery, its speed, and the limit of compensation."""
    left = np.abs(1.0 - data["restored"].values)
    until, slow = data["until"].values, data["slow"].values
    match = np.abs(data["last"].values / slow - 1.0)
    acute = {m: data["rate"].sel(manipulation=m, moment=0, population="E").item() for m in MANIPULATIONS}
    drive, held = float(data["vanishing_drive"]), data["vanishing_rate"].values
    return [
        Claim("Rates return to their set points while the manipulation lasts, and after it", "Sec. 2.4.2",
              f"at most {100 * left.max():.1f} % of the acute change is left after eight days",
              bool(left.max() < 0.01)),
        Claim("The acute changes differ, the recovery is of the same order", "derived",
              ", ".join(f"{m} {a:.1f} Hz" for m, a in acute.items())
              + f"; within a tenth in {duration_text(until.min())} to {duration_text(until.max())}",
              bool(np.isfinite(until).all())),
        Claim("The last stretch is governed by the slowest mode of the spectrum", "derived",
              f"{duration_text(slow.min())} to {duration_text(slow.max())}, the path within {100 * match.max():.0f} %",
              bool(match.max() < 0.05)),
        Claim("Chronic drive of E ends by driving its excitatory weights to zero", "Discussion",
              f"J_EE and J_EX reach zero at {drive:.0f} thresholds/s, rates there {held[0]:.2f} and {held[1]:.2f} Hz",
              data.attrs["drive_status"] == "WEIGHT_AT_ZERO" and bool((np.abs(held / 10.0 - 1.0) < 0.01).all())),
    ]  # fmt: skip


def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """Rates in the first hours after each change, and weights over the days."""
    axes = canvas.subplots(2, len(MANIPULATIONS), sharex="row", sharey="row")
    for column, (letter, (name, (title, _))) in enumerate(zip("ABC", MANIPULATIONS.items(), strict=True)):
        path, (rates, weights) = data.sel(manipulation=name), axes[:, column]
        rates.set_title(f"{letter}  {title}")
        _draw_rates(rates, path)
        _draw_weights(weights, path)
    axes[0, 0].set(ylabel="rate (Hz)", yscale="log", ylim=(0.8, 60), yticks=[1, 3, 10, 30], yticklabels=[1, 3, 10, 30])
    axes[0, 0].set(xlim=(-0.2, SHOWN / hour), xticks=range(4))
    axes[0, 0].legend(loc="upper right")
    axes[1, 0].set(ylabel="weight (before = 1)", xlim=(-0.5, 2 * SPAN / day), xticks=range(0, 17, 4))
    axes[0, 2].text(0.97, 0.97, "pale: after its end", transform=axes[0, 2].transAxes, ha="right", va="top")
    axes[1, 2].text(0.97, 0.97, "pale: onto I", transform=axes[1, 2].transAxes, ha="right", va="top")


def _draw_rates(ax: "Axes", path: "xr.Dataset") -> None:
    before = path["baseline_rate"].values
    for epoch, start in enumerate(path["start"].values):
        part = path.isel(moment=path["epoch_of_time"].values == epoch)
        hours = (part["time"].values - start) / hour
        for a, population in enumerate(path["population"].values):
            y, look = part["rate"].values[:, a], plotting.LOOK[population.lower()]
            label = str(population) if epoch == 0 else None
            x = np.concatenate([[-0.2, 0.0], hours])
            ax.plot(x, np.concatenate([[before[a]] * 2, y]), **look, alpha=0.4 if epoch else 1.0, label=label)
        before = part["rate"].values[-1]
    ax.set_xlabel("time since the change (h)")


def _draw_weights(ax: "Axes", path: "xr.Dataset") -> None:
    ax.axvspan(0.0, SPAN / day, color=plotting.GRID, alpha=0.6, lw=0)
    x = np.concatenate([[-0.5, 0.0], path["time"].values / day])
    for weight in path["weight_name"].values:
        y = path["weight"].sel(weight_name=weight).values
        look = plotting.LOOK["i" if weight.endswith("I") else "e"]
        ax.plot(x, np.concatenate([[1.0, 1.0], y / y[0]]), **look, alpha=1.0 if weight.startswith("J_E") else 0.4)
    ax.set_xlabel("time (days)")
