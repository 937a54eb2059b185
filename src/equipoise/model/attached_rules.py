"""Homeostatic rules at work in a circuit: which population, and whose calcium is sensed."""

from dataclasses import dataclass
from typing import Literal

from equipoise.model.homeostasis import Rule
from equipoise.quantities import suggest

Scope = Literal["population", "neuron"]


@dataclass(frozen=True)
class AttachedRule:
    """A homeostatic rule at work in a population A (van Vreeswijk & Farkhooi 2025, Sec. 2.4.2).

    J_AE and the external J_AX follow the excitatory rule, J_AI the inhibitory one. With `scope` "population", the
    paper's, all neurons share their weights and the rule senses population averages; with "neuron" every cell regulates
    its own two gains by its own calcium. At neuron scope the target has to be the moments of one law of intervals, as
    SetPoint(rate, cv) always is. A CalciumSetPoint, such as the mean moments of a heterogeneous population, is taken as
    it is, but may lie out of a cell's reach: that is for the theory to find.
    """

    population: str
    rule: Rule
    scope: Scope = "population"

    def __post_init__(self):
        if not isinstance(self.population, str):
            raise TypeError(f"AttachedRule.population must be a name such as 'E', got {self.population!r}.")
        if self.scope not in ("population", "neuron"):
            raise ValueError(
                f"AttachedRule.scope must be 'population' or 'neuron', got {self.scope!r}."
                + suggest(str(self.scope), ("population", "neuron"))
            )
        if tuple(getattr(self.rule, "variables", ()))[:2] != ("j_e", "j_i") or not hasattr(self.rule, "rhs"):
            raise TypeError(
                f"AttachedRule.rule must be a homeostatic rule such as eq.CalciumHomeostasis(...), got {self.rule!r}."
            )
