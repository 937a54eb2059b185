"""A fast fixed point of a network of rates, and what it says about the network.

With M = df/dr, F the diagonal of f' and D_E the part of M among excitatory populations:

    fast dynamics   (M - 1)/tau, stable where all eigenvalues have negative real parts
    response        dr/dI = (1 - M)^-1 F to tonic input I
    inhibition-stabilised (ISN)   stable, although (D_E - 1)/tau_E is not: excitation alone would run away
    paradoxical     a population whose rate falls as its own input rises (Tsodyks et al. 1997, J. Neurosci. 17:4382)
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from equipoise import dynamics
from equipoise.dynamics import ComplexArray
from equipoise.model.rate_neurons import FICurve
from equipoise.quantities import Array
from equipoise.rate import curves
from equipoise.rate.network import RateNetwork
from equipoise.results import Status

if TYPE_CHECKING:
    import xarray as xr

SILENCE = 1e-3
"""Rate [Hz] below which a population counts as silent: less than four spikes an hour."""
FULL = 0.999
"""Share of the largest rate above which a rate neuron counts as saturated."""
NEARLY_FULL = 0.9
"""The same for a spiking neuron, whose refractory time is only approached."""
DENSE = 2000
"""Units up to which matrices are dense."""
KRYLOV = 60
"""Products with the matrix that are spent on the leading eigenvalues of more."""
CORNER = 1e-9
"""Distance from a corner of f, relative to the terms of the input, at which a state lies on it."""


@dataclass(frozen=True, eq=False, repr=False)
class RateState:
    """A fixed point of the fast dynamics: rates [Hz], mean inputs h and noise s, each (n,), and its status.

    Status OK, SILENT or SATURATED where it is stable, UNSTABLE, or MARGINAL where a direction is neutral; `message`
    says which population, and why. Labels are those of populations, of units where there are several.
    """

    network: RateNetwork
    rates: Array
    inputs: Array
    noise: Array
    status: Status
    message: str

    @cached_property
    def slopes(self) -> Array:
        """M = df_i/dr_j (n, n); MemoryError for more units than a dense matrix should hold."""
        if self.rates.size > DENSE:
            raise MemoryError(
                f"RateState: {self.rates.size:,} units are too many for dense matrices, at most {DENSE:,}."
            )
        return self.network.slopes(self.rates)

    @cached_property
    def gains(self) -> Array:
        """f'(h), the gain of each population in this state (n,) [Hz per unit of input]."""
        return self.network.fired(self.inputs, self.noise)[1]

    @cached_property
    def eigenvalues(self) -> ComplexArray:
        """Of the fast dynamics [1/s], slowest first (n,); of more than 2000 units the first six."""
        if self.rates.size > DENSE:
            return _leading(self.network, self.rates)
        values = np.linalg.eigvals((self.slopes - np.eye(self.rates.size)) / self.network.tau[:, None])
        return values[np.argsort(-values.real)].astype(np.complex128)

    @property
    def stable(self) -> bool:
        """Whether the rates return to this state."""
        return bool((self.eigenvalues.real < 0.0).all())

    @cached_property
    def _response(self) -> Array:
        return np.linalg.inv(np.eye(self.rates.size) - self.slopes) * self.gains

    @property
    def response(self) -> "xr.DataArray":
        """dr/dI: change of each rate by tonic input to each population [Hz per unit of input]."""
        import xarray as xr

        names = list(self.network.unit_names)
        return xr.DataArray(
            self._response, dims=("population", "stimulated"), name="response",
            coords={"population": names, "stimulated": names}, attrs={"units": "Hz per unit of input"},
        )  # fmt: skip

    @property
    def isn(self) -> bool:
        """Whether inhibition stabilises the state: it is stable, and excitation alone would be unstable."""
        return self.stable and self.excitation_growth > 0.0

    @cached_property
    def excitation_growth(self) -> float:
        """Largest real part of the spectrum of the excitatory populations alone [1/s]; -inf without any."""
        net = self.network
        mask = np.zeros(net.n)
        for name in net.excitatory:
            mask[net.place(name)] = 1.0
        if not mask.any():
            return -np.inf
        if net.n > DENSE:
            return float(_leading(net, self.rates, mask)[0].real)
        index = np.flatnonzero(mask)
        own = (self.slopes[np.ix_(index, index)] - np.eye(index.size)) / net.tau[index, None]
        return float(np.linalg.eigvals(own).real.max())

    @cached_property
    def paradoxical(self) -> dict[str, bool]:
        """For each population whether its mean rate falls as all its units are driven."""
        own = [self._response[here, here].sum() for here in self.network.places]
        return {name: bool(x < 0.0) for name, x in zip(self.network.names, own, strict=True)}

    def __repr__(self) -> str:
        word = "ISN" if self.isn else "stable" if self.stable else "unstable"
        rows = [f"RateState: {self.status.name}, {word}, slowest mode {_number(self.eigenvalues[0])} 1/s"]
        means = (self.network.mean(x) for x in (self.rates, self.inputs, self.gains))
        for name, r, h, g in zip(self.network.names, *means, strict=True):
            rows.append(f"  {name:<6} {r:10.4f} Hz, input {h:10.4f}, gain {g:8.4f}")
        return "\n".join(rows + ([f"  {self.message}"] if self.message else []))


def state_at(net: RateNetwork, r: Array, *, line: bool = False) -> RateState:
    """The state with these fixed-point rates; `line` where it is one of a line of fixed points."""
    h, s = net.inputs(r)
    blank = RateState(net, r, h, s, Status.OK, "")
    status, remarks = _judged(blank, line)
    return RateState(net, r, h, s, status, " ".join(remarks))


def _judged(state: RateState, line: bool) -> tuple[Status, list[str]]:
    net, names = state.network, np.array(state.network.names)
    rates = net.mean(state.rates)
    tops = net.mean(net.ceilings)
    share = np.where(np.isfinite(tops), rates / np.where(np.isfinite(tops), tops, 1.0), 0.0)
    spiking = np.array([isinstance(c, FICurve) for c in net.curves])
    silent, full = rates < SILENCE, share > np.where(spiking, NEARLY_FULL, FULL)
    remarks = [] if state.stable or line else ["the rates leave this state: the fast dynamics is unstable there."]
    if silent.any():
        h = net.mean(state.inputs)[silent]
        remarks.append(f"{_listed(names[silent])} silent, mean input {', '.join(f'{x:.4g}' for x in h)}.")
    if full.any():
        remarks.append(f"{_listed(names[full])} saturated: weaken excitation, or strengthen inhibition.")
    corner = _on_a_corner(state)
    if line:
        remarks.append("a line of fixed points: rates are neutral in one direction.")
    elif corner.any():
        remarks.append(f"{', '.join(names[corner])} exactly at the corner of f: stability differs on its two sides.")
    if line or (corner.any() and state.stable):
        return Status.MARGINAL, remarks
    if not state.stable:
        return Status.UNSTABLE, remarks
    return Status.SATURATED if full.any() else Status.SILENT if silent.any() else Status.OK, remarks


def _leading(net: RateNetwork, r: Array, among: Array | None = None) -> ComplexArray:
    """The six leading eigenvalues of many units by `dynamics.leading`; `among` (n,) masks units by 0."""
    slopes, mask = net.tangent(r), np.ones(net.n) if among is None else among
    start = mask * np.random.default_rng(0).standard_normal(net.n)
    values, _ = dynamics.leading(lambda v: mask * (slopes(v) - v) / net.tau, start, steps=KRYLOV)
    return values[:6]


def _on_a_corner(state: RateState) -> np.ndarray:
    """Which populations (P,) of a network of whole populations sit where their f has no derivative."""
    net = state.network
    if not net.whole:
        return np.zeros(len(net.names), bool)
    scale = np.abs(net.coupling) @ state.rates + np.abs(net.external[0]) + np.abs(net.threshold) + 1e-300
    above = state.inputs - net.threshold
    kinked = np.array([curves.is_piecewise_linear(c) for c in net.curves])
    return kinked & (np.abs(above) <= CORNER * scale)


def _listed(names: np.ndarray) -> str:
    return f"{', '.join(names)} {'is' if names.size == 1 else 'are'}"


def _number(w: complex) -> str:
    return f"{w.real:+.4g}" + (f" ± {abs(w.imag):.4g}i" if abs(w.imag) > 1e-12 * abs(w) else "")
