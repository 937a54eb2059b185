"""Branches of fast fixed points along any parameter, with folds, Hopf points and corners.

Within a pattern of silent, active and full populations the transfer functions are smooth, and the branch is followed by
pseudo-arclength continuation of their smooth extension. Where a population comes to a corner of its f the pattern
changes, and the branch goes on from that point in the only direction in which the new pattern holds: onwards (a
"corner"), or back in the parameter (a "fold" at the corner).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise import dynamics
from equipoise.model.circuit import Circuit
from equipoise.model.rate_neurons import RateNeuron
from equipoise.quantities import Array, finite
from equipoise.rate import curves
from equipoise.rate.fixed_points import ACTIVE, FULL, SILENT, fixed_points, near, resting, settle
from equipoise.rate.network import ENDLESS, RateNetwork, as_network, rates_from
from equipoise.results import Status

if TYPE_CHECKING:
    import xarray as xr

MOST_PIECES = 40
MAGNIFIED = 1e3
"""Margins are magnified, so that a branch ends within 1e-6 of a corner."""
BEHIND = 1e-5
"""How far behind a corner the next piece begins, as a part of the range of the parameter."""
DIFFERENCE = 1e-6
Vary = Callable[[float], Circuit | RateNetwork]


def branch(
    vary: Vary, start: float, stop: float, *, rates: ArrayLike | None = None, step: float = 0.03, max_points: int = 400
) -> "xr.Dataset":
    """Follow a fast fixed point of the circuit vary(p) from p = start towards stop, round folds and past corners.

    `rates` [Hz] choose the first state among several (default: where it rests). `step` is relative to the range
    of p and the size of the rates. Returns a Dataset over `point` with the parameter, rates, stability and eigenvalues
    [1/s], and over `special` the folds, Hopf points and corners; attrs say how it ended. NumericalFailure where there
    is no first state.
    """
    if not callable(vary):
        raise TypeError(f"rate.branch: vary must be a function p -> circuit, got {vary!r}.")
    ends = finite("rate.branch", "start and stop", [start, stop])
    if ends[0] == ends[1]:
        raise ValueError(f"rate.branch: stop must differ from start, got {start:g} for both.")
    first = _first(as_network(vary(float(start))), rates)
    far = settle(as_network(vary(float(stop))), start=first, throw=False)
    size = np.maximum(first, 0.2 * far.rates if far.status.usable else 0.0)
    walk = _Walk(vary, (float(ends[0]), float(ends[1])), np.maximum(size, 1.0))
    return _dataset(walk, *walk.go(first, step, max_points))


def _first(net: RateNetwork, rates: ArrayLike | None) -> Array:
    if rates is not None:
        start = rates_from("rate.branch", net, rates)
        found = near(net, start)
        return settle(net, start=start).rates if found is None else found
    return resting(fixed_points(net)).rates


@dataclass(frozen=True)
class _Piece:
    """A network at a parameter, its transfer functions continued smoothly beyond the corners of a pattern."""

    net: RateNetwork
    pattern: NDArray[np.int_]

    def evaluate(self, r: Array) -> tuple[Array, Array]:
        """f (n,) and df/dr (n, n)."""
        net = self.net
        h, s = net.inputs(r)
        f, by_h, by_s = np.empty((3, net.n))
        for k, curve in enumerate(net.curves):
            f[k], by_h[k], by_s[k] = self._one(k, curve, h[k : k + 1], s[k : k + 1])
        slopes = by_h[:, None] * net.coupling + (by_s[:, None] * net.noise_coupling if net.noisy else 0.0)
        return f, slopes

    def _one(self, k: int, curve: curves.Curve, h: Array, s: Array) -> tuple[float, float, float]:
        net, kind = self.net, self.pattern[k]
        if kind != ACTIVE:
            return (net.ceilings[k] if kind == FULL else 0.0), 0.0, 0.0
        if curves.is_piecewise_linear(curve):
            return float(net.gain[k] * (h[0] - net.threshold[k])), float(net.gain[k]), 0.0
        free = replace(curve, max_rate=None) if isinstance(curve, RateNeuron) else curve
        here = slice(k, k + 1)
        values = curves.evaluate(free, net.tau_s[k], h, s, net.gain[here], net.threshold[here])
        return float(values[0][0]), float(values[1][0]), float(values[2][0])

    def margins(self, r: Array) -> Array:
        """How far each population is from each of its corners (n, 2), threshold and ceiling; infinite without one."""
        net, out = self.net, np.full((self.net.n, 2), np.inf)
        x = net.inputs(r)[0] - net.threshold
        size = np.abs(net.coupling) @ np.abs(r) + np.abs(net.external[0]) + np.abs(net.threshold) + 1e-9
        for k, curve in enumerate(net.curves):
            if not isinstance(curve, RateNeuron):
                continue
            if curves.is_piecewise_linear(curve):
                out[k, 0] = -x[k] if self.pattern[k] == SILENT else x[k] if self.pattern[k] == ACTIVE else np.inf
            if np.isfinite(net.ceilings[k]) and self.pattern[k] != SILENT:
                top = net.threshold[k] + float(curve.shape_inverse(np.array(net.ceilings[k] / net.gain[k])))
                above = x[k] + net.threshold[k] - top
                out[k, 1] = above if self.pattern[k] == FULL else -above
        return MAGNIFIED * out / size[:, None]


class _Walk:
    """A branch in pieces."""

    def __init__(self, vary: Vary, ends: tuple[float, float], size: Array):
        self.vary, self.ends = vary, ends
        self.range = abs(ends[1] - ends[0])
        self.scale = np.append(2.0 * size, self.range)
        self._nets: dict[float, RateNetwork] = {}

    def net(self, p: float) -> RateNetwork:
        """The network at p, never beyond the range."""
        p = float(np.clip(p, min(self.ends), max(self.ends)))
        if p not in self._nets:
            if len(self._nets) > 64:
                self._nets.clear()
            self._nets[p] = as_network(self.vary(p))
        return self._nets[p]

    def go(self, r: Array, step: float, most: int) -> tuple[list[dynamics.Branch], list[dynamics.SpecialPoint], str]:
        """All pieces, the corners between them, and how it ended."""
        pieces, special, p, target = [], [], self.ends[0], self.ends[1]
        pattern, left = self._pattern(r, p), most
        while len(pieces) < MOST_PIECES and left > 0:
            piece = self._follow(pattern, r, (p, target), step, left)
            pieces.append(piece)
            left -= piece.p.size
            special += [one for one in piece.special if one.kind != "border"]
            border = next((one for one in piece.special if one.kind == "border"), None)
            if border is None:
                return pieces, special, _ENDS[piece.status is Status.OK and left > 0]
            onward = self._behind(pattern, border)
            if onward is None:
                return pieces, special, "the branch ends at a corner, or the rates leave every bound."
            before = float(np.sign(piece.p[-1] - piece.p[-2]))
            r, p, pattern, way = onward
            special.append(dynamics.SpecialPoint("fold" if way * before < 0.0 else "corner", border.p, border.x))
            target = max(self.ends) if way > 0.0 else min(self.ends)
        return pieces, special, _ENDS[False]

    def _pattern(self, r: Array, p: float) -> NDArray[np.int_]:
        net = self.net(p)
        x = net.inputs(r)[0] - net.threshold
        straight = np.array([curves.is_piecewise_linear(c) for c in net.curves])
        own = np.array([isinstance(c, RateNeuron) for c in net.curves])
        full = own & (r >= net.ceilings)
        return np.where(full, FULL, np.where(straight & (x <= 0.0), SILENT, ACTIVE))

    def _follow(self, pattern, r: Array, span: tuple[float, float], step: float, most: int) -> dynamics.Branch:
        def residual(x: Array, p: float) -> Array:
            return _Piece(self.net(p), pattern).evaluate(x)[0] - x

        def jacobian(x: Array, p: float) -> tuple[Array, Array]:
            slopes = _Piece(self.net(p), pattern).evaluate(x)[1]
            return slopes - np.eye(x.size), self._by_p(pattern, x, p)

        def spectra(x: Array, p: float) -> tuple[NDArray[np.complex128], ...]:
            net = self.net(p)
            slopes = _Piece(net, pattern).evaluate(x)[1]
            return (np.linalg.eigvals((slopes - np.eye(x.size)) / net.tau[:, None]).astype(complex),)

        def margin(x: Array, p: float) -> float:
            inside = MAGNIFIED * (1.0 - np.abs(x).max() / ENDLESS)
            return float(min(_Piece(self.net(p), pattern).margins(x).min(), inside))

        return dynamics.continuation(
            residual, jacobian, r, span, step=step, max_points=most, spectra=spectra,
            domain=dynamics.Domain(self.scale, margin),
        )  # fmt: skip

    def _by_p(self, pattern, x: Array, p: float) -> Array:
        h = DIFFERENCE * self.range
        low, high = max(p - h, min(self.ends)), min(p + h, max(self.ends))
        ends = (_Piece(self.net(q), pattern).evaluate(x)[0] for q in (high, low))
        return (next(ends) - next(ends)) / (high - low)

    def _behind(self, pattern, border: dynamics.SpecialPoint):
        """Rates, parameter and pattern just behind a corner, and which way the parameter goes; None without one."""
        r, p = border.x, border.p
        margins = _Piece(self.net(p), pattern).margins(r)
        k, corner = np.unravel_index(int(np.argmin(margins)), margins.shape)
        new = pattern.copy()
        new[k] = (ACTIVE if pattern[k] == SILENT else SILENT) if corner == 0 else (
            ACTIVE if pattern[k] == FULL else FULL)  # fmt: skip
        for way in (1.0, -1.0):
            q = p + way * BEHIND * self.range
            if not min(self.ends) <= q <= max(self.ends):
                continue
            there = self._solved(new, r, q)
            if there is not None and (_Piece(self.net(q), new).margins(there)[k] > 0.0).all():
                return there, q, new, way
        return None

    def _solved(self, pattern, r: Array, p: float) -> Array | None:
        piece = _Piece(self.net(p), pattern)
        found = dynamics.fixed_point(
            lambda x: piece.evaluate(x)[0] - x, lambda x: piece.evaluate(x)[1] - np.eye(x.size), r, tolerance=1e-11
        )
        return found.x if found.status is Status.OK else None


_ENDS = {True: "the end of the range was reached.", False: "the branch could be followed no further."}


def _dataset(
    walk: _Walk, pieces: list[dynamics.Branch], special: list[dynamics.SpecialPoint], end: str
) -> "xr.Dataset":
    import xarray as xr

    names = list(walk.net(walk.ends[0]).names)
    p = np.concatenate([piece.p for piece in pieces])
    values = np.array([one[0] for piece in pieces for one in piece.spectra])
    reached = abs(p[-1] - walk.ends[1]) < 1e-9 * walk.range or abs(p[-1] - walk.ends[0]) < 1e-9 * walk.range
    n = len(special)
    return xr.Dataset(
        {
            "parameter": ("point", p),
            "rate": (("point", "population"), np.maximum(np.concatenate([x.x for x in pieces]), 0.0), {"units": "Hz"}),
            "stable": ("point", (values.real < 0.0).all(axis=1)),
            "eigenvalue_real": (("point", "mode"), values.real, {"units": "1/s"}),
            "eigenvalue_imag": (("point", "mode"), values.imag, {"units": "1/s"}),
            "special_kind": ("special", np.array([s.kind for s in special], dtype="U8")),
            "special_parameter": ("special", np.array([s.p for s in special])),
            "special_rate": (("special", "population"), np.array([s.x for s in special]).reshape(n, len(names))),
        },
        coords={"population": names},
        attrs={"status": (Status.OK if reached else Status.NOT_CONVERGED).name, "message": end},
    )
