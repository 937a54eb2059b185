"""Connectivity: how many presynaptic neurons a neuron has, and how much that number varies between neurons.

With k inputs of rates r_j drawn anew for each neuron, E[k] = K, E[r] = r and E[r^2] = q, the summed rate has

    mean K r,    variance K (q - r^2) + Var(k) r^2

so that `variance`, the quenched variance of the in-degree, is all that theory needs: K q in the sparse limit
(Var(k) = K), K (q - p r^2) at finite connection probability p, and K (q - r^2) with fixed in-degree.
"""

import math
from dataclasses import dataclass, replace

from equipoise.quantities import Quantity, check

IN_DEGREE = Quantity("mean number of inputs per neuron", low=0.0, open_low=True, symbol="K")
PROBABILITY = Quantity("connection probability", low=0.0, high=1.0, open_low=True, symbol="p")


@dataclass(frozen=True, kw_only=True)
class ErdosRenyi:
    """Every pair is connected independently; give either `in_degree` or `probability`.

    `in_degree` = K is the sparse limit of an infinitely large presynaptic population: in-degrees are Poisson, their
    variance is K. `probability` = p is a finite graph: K = p N with the presynaptic size N, variance K (1 - p).
    """

    in_degree: float | None = None
    probability: float | None = None

    def __post_init__(self):
        if (self.in_degree is None) == (self.probability is None):
            given = "neither" if self.in_degree is None else "both"
            raise TypeError(f"ErdosRenyi: give either in_degree or probability, got {given}.")
        if self.in_degree is not None:
            object.__setattr__(self, "in_degree", check("ErdosRenyi.in_degree", self.in_degree, IN_DEGREE))
        if self.probability is not None:
            object.__setattr__(self, "probability", check("ErdosRenyi.probability", self.probability, PROBABILITY))

    def mean(self, size: float) -> float:
        """Mean in-degree K from a presynaptic population of `size` neurons; infinite where p N is."""
        return self.in_degree if self.probability is None else self.probability * size  # pyright: ignore[reportReturnType]

    def finite_p(self) -> float:
        """The factor 1 - p of a graph of known connection probability; 1 in the sparse limit."""
        return 1.0 if self.probability is None else 1.0 - self.probability

    def variance(self, size: float) -> float:
        """Quenched variance of the in-degree, K (1 - p)."""
        return self.mean(size) * self.finite_p()

    def with_mean(self, in_degree: float, size: float) -> "ErdosRenyi":
        """The same kind of graph with another mean in-degree."""
        if self.probability is None or math.isinf(size):
            return ErdosRenyi(in_degree=in_degree)
        if in_degree > size:
            raise ValueError(
                f"ErdosRenyi: in_degree must not exceed the {size:,} presynaptic neurons, got {in_degree:g}."
            )
        return ErdosRenyi(probability=in_degree / size)


@dataclass(frozen=True)
class FixedInDegree:
    """Every neuron has exactly `in_degree` inputs, drawn at random: only which ones differs between neurons.

    Theory takes the number as it is; a simulation rounds it to the nearest integer.
    """

    in_degree: float

    def __post_init__(self):
        object.__setattr__(self, "in_degree", check("FixedInDegree.in_degree", self.in_degree, IN_DEGREE))

    def mean(self, size: float) -> float:  # noqa: ARG002
        """The in-degree K."""
        return self.in_degree

    def finite_p(self) -> float:
        """1: there is no variance to correct."""
        return 1.0

    def variance(self, size: float) -> float:  # noqa: ARG002
        """0."""
        return 0.0

    def with_mean(self, in_degree: float, size: float) -> "FixedInDegree":  # noqa: ARG002
        """The same kind of graph with another in-degree."""
        return replace(self, in_degree=in_degree)


@dataclass(frozen=True)
class AllToAll:
    """Every rate neuron hears the mean rate of the whole source: the weight is the total coupling, whatever the sizes.

    The rank-one limit of dense connectivity, K = 1 of the mean. For rate neurons only: spikes come one by one.
    """

    def mean(self, size: float) -> float:  # noqa: ARG002
        """1, for the weight is that of all inputs together."""
        return 1.0

    def finite_p(self) -> float:
        """1: there is no variance to correct."""
        return 1.0

    def variance(self, size: float) -> float:  # noqa: ARG002
        """0."""
        return 0.0

    def with_mean(self, in_degree: float, size: float) -> "AllToAll":  # noqa: ARG002
        """There is no other number of inputs; ValueError that says what to change instead."""
        raise ValueError("AllToAll has no in-degree to change, its weight is the total coupling. Change the weight.")


Connectivity = ErdosRenyi | FixedInDegree | AllToAll
