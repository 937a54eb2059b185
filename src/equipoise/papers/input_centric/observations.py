"""What was observed, scored for each rule: a table of numbers, each with yes or no.

Perturbations last six days and make E fall by a fifth at once, the NMDAR block by 15 %. Of each rule the pair with D =
-1.08 counts where the rule is stable on it, else the one with D = 0.5; a rule that is stable on neither has no scores.
What single units do is asked of rules by which each unit moves by what it senses itself. Two scores say less than they
seem to: the overshoot of a spared cell is as large as the current that its neighbours make up for, so that a stronger
perturbation brings each rule that compensates beyond half; and a rule that moves thresholds or gains alone is intrinsic
by construction, whether or not it compensates.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from equipoise import rate
from equipoise.model.protocols import Baclofen
from equipoise.model.remedies import Bounds
from equipoise.model.slow_variables import SlowRule
from equipoise.papers.framework import Claim
from equipoise.papers.input_centric import search
from equipoise.papers.input_centric.rules_compared import RULES, Compared, E, I, many, pair, protocols
from equipoise.rate.network import RateNetwork
from equipoise.rate.protocol import Outcome
from equipoise.rate.slow_state import slow_system
from equipoise.results import Status
from equipoise.units import day

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure as Canvas

RECURRENCES = (-1.08, 0.5)
PAIRS, SEED = 2000, 1
REPORTS = 60
CHANGED, OVERSHOOT, SHARE, KEPT = 0.05, 0.5, 0.9, 0.5
"""What counts: a relative change of a rate, a unit's overshoot, a share of one kind of plasticity, a spread kept."""
OBSERVATIONS = {
    "recovers": "baclofen:\nE recovers\n(completeness)",
    "overshoot": "(1) baclofen: a cell\nspared overshoots\n> 50 %",
    "rising": "(2) baclofen:\nI rises over days\n(of baseline)",
    "dlx_recovers": "Dlx-Gq:\nE recovers\n(completeness)",
    "dlx_low": "(2) Dlx-Gq:\nI stays low\n(of baseline)",
    "dlx_both": "Dlx-Gq:\nE recovers and\nI stays low",
    "set_point": "(3) NMDAR block:\nset point of E\nfalls (of baseline)",
    "intrinsic": "(4) Dlx-Gq, NMDAR:\nwhat moves is\nintrinsic (share)",
    "drift": "(1) single units\nmay drift\n(spread kept)",
}
CONSTRAINTS = (
    "Constraints of the note: (1) of the network, not of single cells; (2) interneurons exempt; (3) PV cells move the "
    "set point; (4) intrinsic, not synaptic."
)
YES, NO, NONE = 1, 0, -1


def compute() -> "xr.Dataset":
    """All scores with the numbers that decide, and random pairs searched for what no rule does."""
    import xarray as xr

    found = [scored(rule) for rule in RULES]
    counts = search.searched(PAIRS, SEED)
    over = ("rule", "observation")
    return xr.Dataset(
        {
            "number": (over, np.array([[one.numbers[k] for k in OBSERVATIONS] for one in found])),
            "verdict": (over, np.array([[one.verdicts[k] for k in OBSERVATIONS] for one in found])),
            "recurrence": ("rule", np.array([one.recurrence for one in found])),
        }
        | {name: ("family", values) for name, values in counts.items()},
        coords={"rule": [r.name for r in RULES], "observation": list(OBSERVATIONS), "family": list(search.CLASSES)},
    )


# --- scores -----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Scored:
    """Numbers and verdicts of one rule by observation, and the D of its pair, NaN where it is stable on none."""

    recurrence: float
    numbers: dict[str, float]
    verdicts: dict[str, int]


def scored(rule: Compared) -> Scored:
    """All observations of one rule."""
    D = next((D for D in RECURRENCES if stable(rule, D)), np.nan)
    if np.isnan(D):
        return Scored(D, dict.fromkeys(OBSERVATIONS, np.nan), dict.fromkeys(OBSERVATIONS, NONE))
    numbers = numbers_of(rule, D)
    return Scored(D, numbers, verdicts_of(numbers))


def stable(rule: Compared, D: float) -> bool:
    """Whether rates and rules rest at the pair, directions in which nothing happens to the rates aside."""
    point = rate.equilibrium(network(rule, D), rule.rules(D), start=[E, I], throw=False)
    return point.status in (Status.OK, Status.MARGINAL)


def network(rule: Compared, D: float) -> RateNetwork:
    """The pair on which a rule is asked."""
    return many(D) if rule.varied else rate.network(pair(D))


def performed(rule: Compared, D: float) -> dict[str, Outcome]:
    """Each protocol under the rule."""
    net, rules = network(rule, D), rule.rules(D)
    return {
        name: rate.perform(net, p, rules=rules, start=[E, I], times=np.linspace(0.0, p.span, REPORTS))
        for name, p in protocols(D).items()
    }


def numbers_of(rule: Compared, D: float) -> dict[str, float]:
    """The number that decides each observation."""
    outcomes = performed(rule, D)
    baclofen, dlx, nmdar = (o.phases for o in outcomes.values())
    shares = [o.intrinsic_share[0] for o in (outcomes["Dlx-Gq"], outcomes["NMDAR block"])]
    return {
        "recovers": float(baclofen.completeness[0]),
        "overshoot": _spared(network(rule, D), rule, D, outcomes["baclofen"]),
        "rising": float((baclofen.chronic[1] - baclofen.acute[1]) / baclofen.baseline[1]),
        "dlx_recovers": float(dlx.completeness[0]),
        "dlx_low": float(dlx.remaining[1]),
        "dlx_both": np.nan,
        "set_point": float(nmdar.remaining[0]),
        "intrinsic": float(np.min(shares)),
        "drift": _spread_kept(rule, D),
    }  # fmt: skip


def verdicts_of(numbers: dict[str, float]) -> dict[str, int]:
    """Yes, no, or neither where there is no number."""
    low, high = search.RECOVERED
    held = {
        "recovers": low <= numbers["recovers"] <= high,
        "overshoot": numbers["overshoot"] > OVERSHOOT,
        "rising": numbers["rising"] > CHANGED,
        "dlx_recovers": low <= numbers["dlx_recovers"] <= high,
        "dlx_low": numbers["dlx_low"] < -CHANGED,
        "set_point": numbers["set_point"] < -CHANGED,
        "intrinsic": numbers["intrinsic"] > SHARE,
        "drift": numbers["drift"] > KEPT,
    }
    out = {name: int(yes) if np.isfinite(numbers[name]) else NONE for name, yes in held.items()}
    return out | {"dlx_both": int(out["dlx_recovers"] == YES and out["dlx_low"] == YES)}


def _spared(net: RateNetwork, rule: Compared, D: float, outcome: Outcome) -> float:
    """How far a cell without receptors is above its baseline at the end of baclofen (of baseline).

    It takes part in all that the population does, of which it is a negligible part, without the outward current.
    """
    protocol = outcome.protocol
    assert isinstance(protocol, Baclofen)
    days, stop = outcome.days, protocol.stop
    row = int(np.flatnonzero(days["time"].values == stop)[0])
    spared = net.remake(replace(protocol, current=0.0).perturbed(net.circuit))
    system = slow_system(spared, rule.rules(D))
    cell = system.at(days["slow"].values[row])
    r = outcome.phases.chronic
    rates = np.repeat(r, net.sizes)
    return float(net.mean(cell.steady(rates))[0] / outcome.phases.baseline[0] - 1.0)


def _spread_kept(rule: Compared, D: float) -> float:
    """The part of the differences between the rates of units that is left after thirty days of per-unit rules."""
    if rule.varied:
        return np.nan
    net, own = many(D), [one if isinstance(one, Bounds) else _per_unit(one) for one in rule.rules(D)]
    path = rate.evolve(net, rules=own, duration=30 * day, start=[E, I], times=[0.0, 30 * day])
    spread = path["rate_sd"].sel(population="E").values
    return float(spread[-1] / spread[0]) if path.attrs["status"] == "OK" else np.nan


def _per_unit(rule: SlowRule) -> SlowRule:
    return replace(rule, scope="unit")  # pyright: ignore[reportArgumentType, reportReturnType, reportCallIssue]


# --- what it says -----------------------------------------------------------------------------------------------------
def claims(data: "xr.Dataset") -> list[Claim]:
    """No rule so far gives everything, and which observation each excludes."""
    said = data["verdict"]
    both, low = _rules(said, "dlx_both"), _rules(said, "dlx_low")
    falls, intrinsic = _rules(said, "set_point"), _rules(said, "intrinsic")
    recovers = _rules(said, "dlx_recovers")
    drift = _rules(said, "drift")
    asked, found = int(data["pairs"].sum()), int(data["both"].sum())
    named = [r for r in ("input-centric B, threshold", "input-centric B, gain") if r in data["rule"].values]
    together = bool(np.isfinite(data["recurrence"].sel(rule="B + NMDAR on PV").item()))
    return [
        Claim("No rule so far restores E and keeps interneurons low under their chronic drive", "observations",
              f"E recovers under {len(recovers)} rules, I stays low under {len(low)}, both under {len(both)}; in "
              f"{found} of {asked} stable random pairs", not both and found == 0),
        Claim("Rule B holds the set point of E where interneurons are driven", "observations",
              _found(data, named, "dlx_recovers", "completeness"), bool(set(named) & set(recovers)), expected=False),
        Claim("Rule B lets interneurons rise over days of baclofen, and a spared cell overshoot by more than half",
              "observations", f"{_found(data, named, 'rising', 'I, of baseline')}; "
              f"{_found(data, named, 'overshoot', 'overshoot')}",
              set(named) <= {*_rules(said, "rising")} & {*_rules(said, "overshoot")}, expected=False),
        Claim("Rule B lowers the set point of E as PV excitability rises", "observations",
              _found(data, named, "set_point", "change of E"), set(named) <= set(falls)),
        Claim("What rules on thresholds and gains move is intrinsic, what rules on weights move is not",
              "observations", f"intrinsic: {', '.join(intrinsic)}",
              not any("weights" in r or "scaling" in r or "cross" in r or "two-term" in r for r in intrinsic)),
        Claim("Single units may drift under input-centric rules, and not under a rate set point of their own",
              "observations", f"kept: {', '.join(drift)}", set(named) <= set(drift) and "output-centric" not in drift),
        Claim("The rule proposed for PV cells is stable beside rule B", "inhibitory homeostasis (unresolved)",
              "stable on one of the two pairs" if together else "unstable on both pairs", together, expected=False),
    ]  # fmt: skip


def _rules(said: "xr.DataArray", observation: str) -> list[str]:
    """Names of the rules with a yes."""
    return [str(r) for r in said["rule"].values[said.sel(observation=observation).values == YES]]


def _found(data: "xr.Dataset", rules: Sequence[str], observation: str, what: str) -> str:
    values = data["number"].sel(rule=list(rules), observation=observation).values
    return f"{what} " + ", ".join(f"{v:.2f} ({r.split(', ')[1]})" for r, v in zip(rules, values, strict=True))


# --- the table --------------------------------------------------------------------------------------------------------
LOOK = {YES: ("#CFE6DC", "yes"), NO: ("#F6E3D7", "no"), NONE: ("#F1F2F4", "–")}


def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """A row for each rule, a column for each observation: colour and word say whether, the number says why."""
    ax = canvas.subplots()
    numbers, verdicts = data["number"].values, data["verdict"].values
    rows, columns = verdicts.shape
    for i in range(rows):
        for j in range(columns):
            colour, word = LOOK[int(verdicts[i, j])]
            ax.add_patch(_cell(j, i, colour))
            shown = f"{word}  {round(numbers[i, j], 2) + 0.0:.2f}" if np.isfinite(numbers[i, j]) else word
            ax.text(j + 0.5, i + 0.5, shown, ha="center", va="center", fontsize=8)
    names = [
        f"{r}   D = {D:.3g}" if np.isfinite(D) else f"{r}   unstable"
        for r, D in zip(data["rule"].values, data["recurrence"].values, strict=True)
    ]
    ax.set(xlim=(0, columns), ylim=(rows, 0), yticks=np.arange(rows) + 0.5, xticks=np.arange(columns) + 0.5)
    ax.set_yticklabels(names)
    ax.set_xticklabels([OBSERVATIONS[str(k)] for k in data["observation"].values], fontsize=7.5)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    for side in ax.spines.values():
        side.set_visible(False)
    asked, found = int(data["pairs"].sum()), int(data["both"].sum())
    ax.set_xlabel(
        f"E recovers and I stays low under drive of I: {found} of {asked} random stable pairs, over all rules.\n"
        f"{CONSTRAINTS}"
    )


def _cell(x: int, y: int, colour: str):
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), 1, 1, facecolor=colour, edgecolor="white", linewidth=1.5)
