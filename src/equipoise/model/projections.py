"""Projections: all connections from one population or source to one population."""

from collections.abc import Iterable
from dataclasses import KW_ONLY, InitVar, dataclass, field

from equipoise.model.connectivity import AllToAll, Connectivity, ErdosRenyi, FixedInDegree
from equipoise.model.delays import DelayLaw, NormalDelay, UniformDelay
from equipoise.model.plasticity import InhibitoryPlasticity, ShortTermPlasticity
from equipoise.model.synapses import ConductanceSynapse, DeltaSynapse, Synapse
from equipoise.model.weight_spread import LogNormalSpread, NormalSpread, WeightSpread
from equipoise.quantities import Quantity, check, check_fields, quantity
from equipoise.units import ms, nS, second, uS

PEAK_CONDUCTANCE = Quantity("peak conductance", unit="nS", low=0.0, high=10 * uS, open_low=True, symbol="g")
"""The weight of a projection of conductance synapses."""


@dataclass(frozen=True)
class Projection:
    """Connections from `source` to `target`, all of one signed `weight` J [V], negative where they inhibit.

    J is the jump of the membrane potential at a spike (`DeltaSynapse`), or the voltage that the same charge would give
    at once (`ExponentialSynapse`); its unit is that of the target's potentials, volts or thresholds. `in_degree=1000`
    is short for ``connectivity=ErdosRenyi(in_degree=1000)``. `delay` in s, or the law that each synapse draws its own
    from (`UniformDelay`, `NormalDelay`). With a `weight_spread` (`LogNormalSpread`, `NormalSpread`) each synapse has a
    weight of its own, and J is their mean. A rate neuron receives J K r in its own unit; with `AllToAll()` J is the
    total coupling. The weight of a `ConductanceSynapse` is its peak conductance [S], above 0. With a `plasticity` the
    synapses start from their weights and then move with the spikes on both sides; with `short_term` plasticity a spike
    brings a part of the weight that depends on the spikes before.
    """

    _: KW_ONLY
    source: str
    target: str
    weight: float = quantity("signed weight", symbol="J")
    connectivity: Connectivity = None  # pyright: ignore[reportAssignmentType]  # never None after __post_init__
    in_degree: InitVar[float | None] = None
    delay: float | DelayLaw = quantity(  # noqa: RUF009
        "conduction delay",
        default=1.5 * ms,
        unit="ms",
        low=0.0,
        high=1 * second,
        symbol="d",
        also=(UniformDelay, NormalDelay),
    )
    synapse: Synapse = field(default_factory=DeltaSynapse)
    weight_spread: WeightSpread | None = None
    plasticity: InhibitoryPlasticity | None = None
    short_term: ShortTermPlasticity | None = None

    def __post_init__(self, in_degree: float | None):
        check_fields(self)
        for name in ("source", "target"):
            if not isinstance(getattr(self, name), str):
                raise TypeError(f"Projection.{name} must be a name such as 'E', got {getattr(self, name)!r}.")
        if self.weight == 0.0:
            raise ValueError("Projection.weight (signed weight) must not be 0. Leave the projection out instead.")
        object.__setattr__(self, "connectivity", _connectivity(self.connectivity, in_degree))
        if not isinstance(self.synapse, Synapse):
            raise TypeError(
                "Projection.synapse must be DeltaSynapse(), ExponentialSynapse(tau) or ConductanceSynapse(tau, "
                f"reversal), got {self.synapse!r}."
            )
        if isinstance(self.synapse, ConductanceSynapse):
            _check_conductance(self.weight)
        if not isinstance(self.weight_spread, LogNormalSpread | NormalSpread | None):
            raise TypeError(
                "Projection.weight_spread must be LogNormalSpread(cv), NormalSpread(cv) or None, got "
                f"{self.weight_spread!r}. For a coefficient of variation c write eq.LogNormalSpread(c)."
            )

        if not isinstance(self.plasticity, InhibitoryPlasticity | None):
            raise TypeError(
                f"Projection.plasticity must be eq.InhibitoryPlasticity(rate) or None, got {self.plasticity!r}."
            )

        if not isinstance(self.short_term, ShortTermPlasticity | None):
            raise TypeError(
                "Projection.short_term must be eq.ShortTermPlasticity(U, tau_rec=...) or None, got "
                f"{self.short_term!r}."
            )

    def __str__(self) -> str:
        return f"{self.source} -> {self.target}"

    @property
    def unequal(self) -> bool:
        """Whether its synapses differ from each other, or come to do so."""
        return not (self.weight_spread is None and self.plasticity is None and self.short_term is None)


def refuse_plasticity(function: str, projections: Iterable[Projection]) -> None:
    """TypeError for synapses that move with single spikes, for levels that know fixed or slow weights alone."""
    for p in projections:
        moving = p.plasticity or p.short_term
        if moving is not None:
            raise TypeError(
                f"{function}: {p} has synapses that move with the spikes ({type(moving).__name__}), which this "
                "level does not know. Use eq.spiking.simulate, or a rule on slow variables such as "
                "eq.InhibitoryScaling(...)."
            )


def _check_conductance(weight: float) -> None:
    """A peak conductance; the error says where its sign is."""
    if weight < 0.0:
        raise ValueError(
            f"Projection.weight (peak conductance) must be above 0 nS, got {weight / nS:g} nS. Whether a conductance "
            "excites or inhibits is said by its reversal: eq.ConductanceSynapse(tau, reversal)."
        )
    check("Projection.weight", weight, PEAK_CONDUCTANCE)


def _connectivity(given: Connectivity | None, in_degree: float | None) -> Connectivity:
    if (given is None) == (in_degree is None):
        both = "neither" if given is None else "both"
        raise TypeError(f"Projection: give either in_degree or connectivity, got {both}.")
    if given is None:
        return ErdosRenyi(in_degree=in_degree)
    if not isinstance(given, ErdosRenyi | FixedInDegree | AllToAll):
        raise TypeError(
            f"Projection.connectivity must be ErdosRenyi(...), FixedInDegree(...) or AllToAll(), got {given!r}. "
            "For a number of inputs use in_degree=."
        )
    return given
