"""A circuit: populations and sources, their projections, and the homeostatic rules attached to populations.

A circuit is a description that theory, rate dynamics and simulation share. It is checked as a whole when it is made.
Arrays are indexed (post, pre): rows are the populations, columns the populations followed by the sources.
"""

import hashlib
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.model.attached_rules import AttachedRule
from equipoise.model.circuit_checks import check_circuit, check_rules
from equipoise.model.connectivity import IN_DEGREE, ErdosRenyi
from equipoise.model.delays import expected
from equipoise.model.populations import Population, Source, Volleys
from equipoise.model.projections import Projection
from equipoise.model.slow_variables import SlowRule
from equipoise.model.synapses import ConductanceSynapse
from equipoise.model.weight_spread import moments_of
from equipoise.quantities import Array, check, suggest


@dataclass(frozen=True, init=False, repr=False)
class Circuit:
    """Populations, sources, their projections and rules; sources may stand among the populations.

    `rules` takes rules on calcium (`AttachedRule`) and, beside them, rules on slow variables such as
    `InputCentricThreshold`, which are kept as `slow_rules`. Errors name the place: unknown or repeated names,
    projections given twice, onto sources, of mixed sign (Dale's law), with more inputs than there are neurons, weights
    out of proportion to the threshold, two calcium rules on one population.
    """

    populations: tuple[Population, ...]
    sources: tuple[Source | Volleys, ...]
    projections: tuple[Projection, ...]
    rules: tuple[AttachedRule, ...]
    slow_rules: tuple[SlowRule, ...]
    name: str
    description: str

    def __init__(
        self,
        *,
        populations: Iterable[Population | Source | Volleys],
        projections: Iterable[Projection],
        rules: Iterable[AttachedRule | SlowRule] = (),
        sources: Iterable[Source | Volleys] = (),
        slow_rules: Iterable[SlowRule] = (),
        name: str = "",
        description: str = "",
    ):
        nodes, given = (*populations, *sources), (*rules, *slow_rules)
        check_rules(given)
        fields = {
            "populations": tuple(n for n in nodes if not isinstance(n, Source | Volleys)),
            "sources": tuple(n for n in nodes if isinstance(n, Source | Volleys)),
            "projections": tuple(projections),
            "rules": tuple(r for r in given if isinstance(r, AttachedRule)),
            "slow_rules": tuple(r for r in given if not isinstance(r, AttachedRule)),
            "name": name,
            "description": description,
        }
        for key, value in fields.items():
            object.__setattr__(self, key, value)
        check_circuit(self)

    # --- who ----------------------------------------------------------------------------------------------------------
    @property
    def names(self) -> tuple[str, ...]:
        """Names of the populations, then of the sources: the columns of every array."""
        return tuple(n.name for n in (*self.populations, *self.sources))

    def node(self, name: str) -> Population | Source | Volleys:
        """The population or source of that name; KeyError with a suggestion."""
        for n in (*self.populations, *self.sources):
            if n.name == name:
                return n
        raise KeyError(f"Circuit.node: no population or source is named {name!r}.{suggest(name, self.names)}")

    def projection(self, source: str, target: str) -> Projection:
        """The projection from `source` to `target`; KeyError that lists the existing ones."""
        for p in self.projections:
            if (p.source, p.target) == (source, target):
                return p
        wanted = f"{source} -> {target}"
        raise KeyError(f"Circuit: no projection {wanted}.{suggest(wanted, (str(p) for p in self.projections))}")

    def rule_of(self, population: str) -> AttachedRule | None:
        """The calcium rule attached to a population, if there is one."""
        return next((r for r in self.rules if r.population == population), None)

    def sign_of(self, projection: Projection) -> float:
        """+1 for excitation, -1 for inhibition: the sign of the weight, or the side of the threshold of a reversal."""
        if isinstance(projection.synapse, ConductanceSynapse):
            neuron = self.node(projection.target).neuron  # type: ignore[union-attr]
            return 1.0 if projection.synapse.reversal > neuron.v_threshold else -1.0
        return math.copysign(1.0, projection.weight)

    # --- arrays (post, pre) -------------------------------------------------------------------------------------------
    def weights(self) -> Array:
        """Signed weights J [V or thresholds], of conductances [S]; 0 where nothing is connected."""
        return self._array(lambda p: self.sign_of(p) * abs(p.weight))

    def in_degrees(self) -> Array:
        """Mean in-degrees K."""
        return self._array(lambda p: p.connectivity.mean(self.node(p.source).size))

    def in_degree_variances(self) -> Array:
        """Quenched variances of the in-degree: K (sparse Erdos-Renyi), K (1 - p) (finite one), 0 (fixed in-degree)."""
        return self._array(lambda p: p.connectivity.variance(self.node(p.source).size))

    def finite_p(self) -> Array:
        """The factor 1 - p where a connection probability is stated, else 1."""
        return self._array(lambda p: p.connectivity.finite_p(), empty=1.0)

    def connected(self) -> NDArray[np.bool_]:
        """Where a projection exists."""
        return self._array(lambda _: 1.0) > 0.0

    def weight_moments(self) -> Array:
        """<x^2>, <x^3> and <x^4> of the relative weights x (3, post, pre); 1 where all synapses are alike."""
        return np.array([self._array(lambda p, k=k: moments_of(p.weight_spread)[k], empty=1.0) for k in range(3)])

    def delays(self) -> Array:
        """Mean delays [s]; 0 where nothing is connected."""
        return self._array(lambda p: expected(p.delay))

    def synaptic_times(self) -> Array:
        """Synaptic time constants [s]; 0 for delta synapses and where nothing is connected."""
        return self._array(lambda p: p.synapse.time_constant)

    def _array(self, value: Callable[[Projection], float], empty: float = 0.0) -> Array:
        place = {name: i for i, name in enumerate(self.names)}
        out = np.full((len(self.populations), len(place)), empty)
        for p in self.projections:
            out[place[p.target], place[p.source]] = value(p)
        return out

    # --- other circuits made from this one ----------------------------------------------------------------------------
    def with_projection(self, source: str, target: str, **changes: Any) -> Self:
        """The circuit with fields of one projection changed; `in_degree` keeps the kind of its connectivity."""
        old = self.projection(source, target)
        if "in_degree" in changes and "connectivity" not in changes:
            in_degree = check("Circuit.with_projection: in_degree", changes.pop("in_degree"), IN_DEGREE)
            changes["connectivity"] = old.connectivity.with_mean(in_degree, self.node(source).size)
        known = [f for f in old.__dataclass_fields__ if f != "_"]
        for name in changes:
            if name not in known:
                raise TypeError(f"Circuit.with_projection: a projection has no {name!r}.{suggest(name, known)}")
        new = replace(old, **changes)
        return replace(self, projections=[new if p is old else p for p in self.projections])

    def with_node(self, name: str, **changes: Any) -> Self:
        """The circuit with fields of one population or source changed."""
        old = self.node(name)
        known = [f for f in old.__dataclass_fields__ if f not in ("_", "name")]
        for field in changes:
            if field not in known:
                kind = type(old).__name__.lower()
                raise TypeError(f"Circuit.with_node: a {kind} has no {field!r}.{suggest(field, known)}")
        nodes = [replace(n, **changes) if n is old else n for n in (*self.populations, *self.sources)]
        return replace(self, populations=nodes, sources=())

    def with_weights(self, weights: ArrayLike) -> Self:
        """The circuit with signed weights (post, pre) as `weights` gives them; 0 where nothing is connected."""
        given = np.asarray(weights, dtype=np.float64)
        connected = self.connected()
        if given.shape != connected.shape:
            raise ValueError(
                f"Circuit.with_weights: weights must have shape (post, pre) = {connected.shape}, got {given.shape}."
            )
        for i, j in np.argwhere((given != 0.0) != connected):
            wanted = "not be 0: leave projections out instead" if connected[i, j] else "be 0: nothing is connected"
            pair = f"{self.names[j]} -> {self.names[i]}"
            raise ValueError(f"Circuit.with_weights: weights[{i}, {j}] ({pair}) must {wanted}, got {given[i, j]:g}.")
        place = {name: i for i, name in enumerate(self.names)}

        def weighed(p: Projection) -> Projection:
            weight = float(given[place[p.target], place[p.source]])
            if not isinstance(p.synapse, ConductanceSynapse):
                return replace(p, weight=weight)
            sign = self.sign_of(p)
            if weight * sign < 0.0:
                raise ValueError(
                    f"Circuit.with_weights: weights of {p} must be {'positive' if sign > 0.0 else 'negative'}, as its "
                    f"reversal says, got {weight:g}."
                )
            return replace(p, weight=abs(weight))

        return replace(self, projections=[weighed(p) for p in self.projections])

    def with_rules(self, rules: Iterable[AttachedRule | SlowRule]) -> Self:
        """The circuit with these rules in place of its own."""
        return replace(self, rules=rules, slow_rules=())

    def scaled(self, K: float) -> Self:
        """The circuit with `K` inputs in its largest projection, all others in proportion, and weights ~ K^-1/2.

        Every in-degree is multiplied by f = K/K_old and every weight by f^-1/2, so that J sqrt(K) stays the same and
        balance is kept whatever the ratios of the in-degrees. Sizes stay: beyond them use ``circuit.infinite()`` first.
        Conductances then grow in all as sqrt(K), so that the membrane becomes faster.
        """
        new_k, old_k = check("Circuit.scaled: K", K, IN_DEGREE), float(self.in_degrees().max())

        def scale(p: Projection) -> Projection:
            size = self.node(p.source).size
            new = p.connectivity.with_mean(p.connectivity.mean(size) * new_k / old_k, size)
            return replace(p, weight=p.weight * math.sqrt(old_k / new_k), connectivity=new)

        return replace(self, projections=[scale(p) for p in self.projections])

    def infinite(self) -> Self:
        """The circuit with infinitely large populations and the same in-degrees: the sparse limit of theory."""

        def sparse(p: Projection) -> Projection:
            if isinstance(p.connectivity, ErdosRenyi):
                mean = p.connectivity.mean(self.node(p.source).size)
                return replace(p, connectivity=ErdosRenyi(in_degree=mean))
            return p

        populations = [replace(n, size=math.inf) for n in self.populations]
        return replace(self, populations=populations, projections=[sparse(p) for p in self.projections])

    # --- text ---------------------------------------------------------------------------------------------------------
    @classmethod
    def from_toml(cls, source: str | Path) -> "Circuit":
        """Read a circuit from a file, or from TOML text (anything with a line break); every error names its place."""
        from equipoise.model.toml_reader import read_circuit

        return read_circuit(source)

    def to_toml(self) -> str:
        """The circuit as TOML text that `from_toml` reads back as an equal circuit."""
        from equipoise.model.toml_writer import write_circuit

        return write_circuit(self)

    @property
    def digest(self) -> str:
        """SHA-256 of the circuit as TOML, or as Python text where it holds rules of the user's own."""
        try:
            text = self.to_toml()
        except TypeError:
            text = repr((self.populations, self.sources, self.projections, self.rules, self.slow_rules))
        return hashlib.sha256(text.encode()).hexdigest()

    @classmethod
    def example(cls, name: str) -> "Circuit":
        """A shipped circuit such as "balanced_network"; an unknown name is answered by the list of all."""
        return example(name)

    def __repr__(self) -> str:
        who = [f"{p.name} ({p.size:,} {type(p.neuron).__name__})" for p in self.populations]
        driven = [str(s) for s in self.sources]
        n = len(self.rules) + len(self.slow_rules)
        rules = f", {n} rule{'s' if n > 1 else ''}" if n else ""
        return (
            f"Circuit({self.name or 'unnamed'}: {', '.join(who + driven)}; {len(self.projections)} projections{rules})"
        )


def examples_folder() -> Path:
    """Where the shipped circuits are: beside the installed package, or in the source tree it was built from."""
    package = Path(__file__).parents[1]
    installed = package / "examples"
    return installed if installed.is_dir() else package.parents[1] / "examples"


def example(name: str) -> Circuit:
    """A shipped circuit by name; KeyError that lists them."""
    files = {path.stem: path for path in examples_folder().glob("*.toml")}
    if name not in files:
        raise KeyError(f"Circuit.example: no example is named {name!r}.{suggest(name, files)}")
    return Circuit.from_toml(files[name])
