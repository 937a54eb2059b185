"""Slow variables of circuits and what homeostatic rules sense; the form of a rule that moves them over hours.

A rule names the slow variables that it `moves` and the fast quantities that it `senses`, and gives
``rhs(values, sensed)``, the time derivative of each moved variable [per s]; values and sensed quantities come in the
order of `moves` and `senses`, as arrays over units, which are alone where a population is one unit. With `scope`
"population" the units of a population share one movement, of the averages of what they sense; with "unit" each moves by
what it senses itself. A rule of your own is a frozen class with these four members.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from equipoise.quantities import Array, suggest

Scope = Literal["population", "unit"]


# --- what moves -------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Threshold:
    """The threshold of a population's neurons [unit of their input]; units shift alike at population scope."""

    population: str


@dataclass(frozen=True)
class Gain:
    """The gain of a population's neurons, at least 0; units scale alike at population scope."""

    population: str


@dataclass(frozen=True)
class Weight:
    """The size |J| of the weights of a projection, at least 0; units scale alike at population scope."""

    source: str
    target: str


SlowVariable = Threshold | Gain | Weight


def text_of(variable: SlowVariable) -> str:
    """A variable in words, as files name it: "threshold E", "gain E" or "weight I -> E"."""
    if isinstance(variable, Weight):
        return f"weight {variable.source} -> {variable.target}"
    return f"{type(variable).__name__.lower()} {variable.population}"


def variable_of(text: str) -> SlowVariable:
    """The variable that `text_of` puts into words; ValueError for other words."""
    kind, _, name = text.partition(" ")
    source, arrow, target = (part.strip() for part in name.partition("->"))
    if kind == "weight" and source and arrow and target:
        return Weight(source, target)
    if kind in ("threshold", "gain") and source and not arrow:
        return Threshold(source) if kind == "threshold" else Gain(source)
    raise ValueError(f"must be 'threshold E', 'gain E' or 'weight I -> E', got {text!r}.")


# --- what is sensed ---------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Rate:
    """The firing rates of a population [Hz]."""

    population: str


@dataclass(frozen=True)
class NetInput:
    """The whole input h of a population, external input included [its unit]."""

    population: str


@dataclass(frozen=True)
class RequiredInput:
    """f^-1(r), the input that a population's neurons require to sustain their rates [their unit].

    At the fast fixed point it is the net input; of a silent neuron it is its threshold.
    """

    population: str


@dataclass(frozen=True)
class ExcitatoryInput:
    """The input of a population from all that excites it, and its external drive [its unit]."""

    population: str


@dataclass(frozen=True)
class InhibitoryInput:
    """The size of the input of a population from all that inhibits it [its unit]; h is excitatory - inhibitory."""

    population: str


@dataclass(frozen=True)
class InputFrom:
    """The size of the input that `target` receives from `source`, |J| K r [the target's unit]."""

    source: str
    target: str


@dataclass(frozen=True)
class SquaredRate:
    """r^2 of a population [Hz^2]: averaged over units it is the mean square, var r + (mean r)^2."""

    population: str


@dataclass(frozen=True)
class Pooled:
    """The average of a quantity over the units of its population, which every unit of the rule's own then senses."""

    of: "Sensed"


Sensed = Rate | SquaredRate | NetInput | RequiredInput | ExcitatoryInput | InhibitoryInput | InputFrom | Pooled


# --- rules ------------------------------------------------------------------------------------------------------------
class SlowRule(Protocol):
    """What slow evolution needs of a rule."""

    @property
    def moves(self) -> tuple[SlowVariable, ...]:
        """The slow variables, all of one population."""
        ...

    @property
    def senses(self) -> tuple[Sensed, ...]:
        """What the rule senses."""
        ...

    @property
    def scope(self) -> Scope:
        """Whether units move together or each by itself."""
        ...

    def rhs(self, values: Sequence[Array], sensed: Sequence[Array]) -> Sequence[Array]:
        """Time derivative of each moved variable [its unit per s]."""
        ...


def check_variable(rule: object) -> None:
    """Raise TypeError where the field `variable` is none."""
    value = getattr(rule, "variable", None)
    if not isinstance(value, SlowVariable):
        known = "Threshold('E'), Gain('E') or Weight('I', 'E')"
        raise TypeError(f"{type(rule).__name__}.variable must be {known}, got {value!r}.")


def check_choice(rule: object, name: str, known: tuple[str, ...]) -> None:
    """Raise ValueError where a field is none of the known words."""
    value = getattr(rule, name)
    if value not in known:
        wanted = " or ".join(map(repr, known))
        raise ValueError(f"{type(rule).__name__}.{name} must be {wanted}, got {value!r}.{suggest(str(value), known)}")
