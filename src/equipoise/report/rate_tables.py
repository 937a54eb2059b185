"""The numbers of a circuit studied as rates, as text for the page and the screen."""

from typing import TYPE_CHECKING

import numpy as np

from equipoise.dynamics import duration_text
from equipoise.report.tables import number

if TYPE_CHECKING:
    import xarray as xr
    from rich.console import RenderableType

STATE_HEAD = ["state", "status", "slowest mode (1/s)"]
MODE_HEAD = ["mode", "eigenvalue (1/h)", "what it does"]
VARIABLE_HEAD = ["slow variable", "at the start", "where the rules lead"]


def state_rows(data: "xr.Dataset") -> list[list[str]]:
    """Number, status, slowest eigenvalue, and the rate of each population in each state."""
    out = []
    for k in range(data.sizes["state"]):
        status = state_word(data, k)
        slowest, turns = float(data["slowest"][k]), float(data["frequency"][k])
        mode = number(slowest) + (f" at {number(turns)} Hz" if turns > 0.0 else "")
        out.append([str(k + 1), status, mode, *(number(float(r)) for r in data["rate"].values[k])])
    return out


def state_word(data: "xr.Dataset", k: int) -> str:
    """Stability of a state in a word or two."""
    status = str(data["state_status"].values[k]).lower()
    if not data["state_stable"].values[k]:
        return "unstable"
    kind = "inhibition-stabilised" if data["state_isn"].values[k] else "stable"
    return kind if status == "ok" else f"{kind}, {status}"


def population_rows(data: "xr.Dataset") -> list[list[str]]:
    """Rate, net input, gain and paradox of each population in the state of rest."""
    part = data.isel(state=data.attrs["chosen"])
    return [
        [
            str(name), number(float(part["rate"][a])), number(float(part["mean_input"][a])),
            number(float(part["gain"][a])), "falls (paradoxical)" if part["paradoxical"].values[a] else "rises, stays",
        ]
        for a, name in enumerate(data["population"].values)
    ]  # fmt: skip


POPULATION_HEAD = ["population", "rate (Hz)", "net input", "gain", "its rate under its own drive"]


def variable_rows(data: "xr.Dataset") -> list[list[str]]:
    """Each slow variable at the start of the path and at the joint fixed point."""
    start = data["path_slow"].values[0] if "path_slow" in data else np.full(data.sizes["variable"], np.nan)
    end = data["joint_slow"].values if "joint_slow" in data else np.full(data.sizes["variable"], np.nan)
    rows = zip(data["variable"].values, start, end, strict=True)
    return [[str(v), number(float(a)), number(float(b))] for v, a, b in rows]


def mode_rows(data: "xr.Dataset") -> list[list[str]]:
    """Each slow mode: eigenvalue, and the time in which it fades or grows."""
    out = []
    for k in range(data.sizes.get("mode", 0)):
        growth, turning = float(data["mode_growth"][k]), float(data["mode_turning"][k])
        value = number(3600.0 * growth) + (f" ± {number(3600.0 * abs(turning))}i" if turning else "")
        if data["mode_neutral"].values[k]:
            words = "neutral: nothing restores it"
        else:
            words = ("recovers in " if growth < 0.0 else "grows in ") + duration_text(1.0 / abs(growth))
        out.append([str(k + 1), value, words])
    return out


def rule_words(data: "xr.Dataset") -> str:
    """Where the rules lead, in a sentence; empty without rules."""
    if "joint_rate" not in data:
        return ""
    rates = zip(data["population"].values, data["joint_rate"].values, strict=True)
    part = data.sel(part="joint fixed point")
    status, why = str(part["part_status"].item()), part["part_message"].item()
    words = ", ".join(f"{name} {number(float(r))} Hz" for name, r in rates)
    return f"{words}; {'stable' if status == 'OK' else f'{status.lower()}: {why}'}"


def notes(data: "xr.Dataset") -> list[list[str]]:
    """Parts that did not end well."""
    rows = zip(data["part"].values, data["part_status"].values, data["part_message"].values, strict=True)
    return [[str(p), str(s).lower().replace("_", " "), str(m)] for p, s, m in rows if s != "OK"]


def render(data: "xr.Dataset") -> "RenderableType":
    """Tables for the screen; print with `rich`."""
    from rich.console import Group
    from rich.text import Text

    names = [f"{n} (Hz)" for n in data["population"].values]
    parts = [
        Text(data.attrs["title"], style="bold"), Text(), _table([*STATE_HEAD, *names], state_rows(data)), Text(),
        _table(POPULATION_HEAD, population_rows(data)),
    ]  # fmt: skip
    if "variable" in data.sizes:
        parts += [Text(), _table(VARIABLE_HEAD, variable_rows(data)), Text(), _table(MODE_HEAD, mode_rows(data))]
    parts += [Text(f"  {p}: {s}. {m}") for p, s, m in notes(data)]
    return Group(*parts)


def _table(head: list[str], rows: list[list[str]]):
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False, header_style="dim")
    for k, title in enumerate(head):
        shown.add_column(title, justify="left" if k < 2 else "right")
    for row in rows:
        shown.add_row(*map(Text, row))
    return shown
