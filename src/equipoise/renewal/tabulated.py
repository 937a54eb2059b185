"""Neurons without closed forms, made fast: log r and log P_L as Chebyshev series on panels of (mu, log sigma).

Threshold integration takes 0.1-0.3 ms an element; averages over the disorder of a network need 1e5 and more of them.
Panels lie on a fixed dyadic grid, are made when first asked for and halved until the last coefficients are negligible,
so that a result depends neither on its neighbours nor on what was asked before. Gradients are those of the series.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from equipoise.model.neurons import IntegrateAndFire
from equipoise.quantities import Array
from equipoise.renewal import threshold_integration
from equipoise.renewal.dispatch import get, provides

NODES = (16, 12)
"""Nodes of a panel along mu and along log sigma."""
RESOLVED = 1e-10
"""Last coefficients of log r or log P_L beside 1 + its size; also the accuracy of threshold integration."""
SIZE = (4.0, 1.0)
"""The largest panels, in units of (v_th - v_r)/10 ms along mu, and of a factor e along sigma."""
DEEPEST = 12
"""Halvings after which values are computed one by one."""
NOTHING = -60.0
"""log r or log P_L not worth a panel: beyond it a panel is flat."""
UNIT_OF_TIME = 0.01

Function = Callable[[Array, Array], Array]


@dataclass(frozen=True, kw_only=True, eq=False)
class Tabulated(IntegrateAndFire):
    """A neuron whose rate and Laplace transform come from a table made as it is used; 1e-9 of the neuron's own.

    Below e^-60, 1e-26, they are of the right smallness only.
    """

    neuron: IntegrateAndFire
    tables: dict[object, "Table"] = field(default_factory=dict, repr=False)

    def drift(self, v: Array) -> Array:
        """The neuron's own."""
        return self.neuron.drift(v)

    def lower_bound(self, mu: float, sigma: float) -> float:
        """The neuron's own."""
        return self.neuron.lower_bound(mu, sigma)

    def table(self, key: object, function: Function) -> "Table":
        """The table of one function of (mu, sigma)."""
        width = self.neuron.v_threshold - self.neuron.v_reset
        return self.tables.setdefault(key, Table(function, width / UNIT_OF_TIME, width / math.sqrt(UNIT_OF_TIME)))


@lru_cache(maxsize=8)
def tabulated(neuron: IntegrateAndFire) -> IntegrateAndFire:
    """The neuron itself where its rate has a closed form, else with a table in front of it."""
    if get(neuron, "log_rate") is not threshold_integration.log_rate:
        return neuron
    return Tabulated(
        neuron=neuron, v_threshold=neuron.v_threshold, v_reset=neuron.v_reset, tau_ref=neuron.tau_ref
    )  # fmt: skip


def exact(neuron: IntegrateAndFire) -> IntegrateAndFire:
    """The neuron behind a table: cheaper where only a few inputs are asked for."""
    return neuron.neuron if isinstance(neuron, Tabulated) else neuron


Cell = tuple[int, int, int, int]
"""Place and halvings of a panel: it spans [i, i + 1] SIZE[0]/2^p and [j, j + 1] SIZE[1]/2^q."""


@dataclass(frozen=True)
class Table:
    """log of a positive function of (mu, sigma) on panels."""

    function: Function
    mu_unit: float
    sigma_unit: float
    panels: dict[Cell, "Panel"] = field(default_factory=dict, repr=False)

    def evaluate(self, mu: Array, sigma: Array) -> tuple[Array, Array, Array]:
        """Values and derivatives by mu and sigma at flat arrays; sigma > 0."""
        x, y = mu / (self.mu_unit * SIZE[0]), np.log(sigma / self.sigma_unit) / SIZE[1]
        out = np.empty((3, mu.size))
        roots = np.stack([np.floor(x), np.floor(y)], axis=1).astype(np.int64)
        for i, j in np.unique(roots, axis=0):
            self._descend((int(i), int(j), 0, 0), np.flatnonzero((roots == (i, j)).all(1)), x, y, out)
        out[1] /= self.mu_unit * SIZE[0]
        out[2] /= sigma * SIZE[1]
        return out[0], out[1], out[2]

    def _descend(self, cell: Cell, which: NDArray[np.intp], x: Array, y: Array, out: Array) -> None:
        """Fill `out` at the points `which`, all inside the cell."""
        if cell not in self.panels:
            self.panels[cell] = self._make(cell)
        panel, (i, j, p, q) = self.panels[cell], cell
        if panel.split is None:
            out[:, which] = panel.values(self, x[which], y[which])
            return
        along_x = panel.split == 0
        upper = x[which] * 2.0**p - i >= 0.5 if along_x else y[which] * 2.0**q - j >= 0.5
        for half, part in ((0, which[~upper]), (1, which[upper])):
            if part.size:
                child = (2 * i + half, j, p + 1, q) if along_x else (i, 2 * j + half, p, q + 1)
                self._descend(child, part, x, y, out)

    def at(self, x: Array, y: Array) -> Array:
        """The function itself at scaled inputs."""
        mu, sigma = x * self.mu_unit * SIZE[0], self.sigma_unit * np.exp(y * SIZE[1])
        return self.function(np.ascontiguousarray(mu), np.ascontiguousarray(sigma))

    def _make(self, cell: Cell) -> "Panel":
        i, j, p, q = cell
        high = np.array([(i + 1) / 2.0**p]), np.array([(j + 1) / 2.0**q])
        top = float(self.at(*high)[0])
        if not top >= NOTHING:  # it rises along mu, and along sigma wherever it is that low
            return Panel(cell, np.array([[max(top, 10.0 * NOTHING)]]), None)
        z, w = (np.cos(np.pi * (np.arange(n) + 0.5) / n) for n in NODES)
        x, y = np.meshgrid((i + 0.5 + 0.5 * z) / 2.0**p, (j + 0.5 + 0.5 * w) / 2.0**q, indexing="ij")
        values = self.at(x.ravel(), y.ravel()).reshape(NODES)
        series = _interpolation(NODES[0]) @ values @ _interpolation(NODES[1]).T
        tails = np.abs(series[-2:]).max(), np.abs(series[:, -2:]).max()
        if max(tails) <= RESOLVED * (1.0 + np.abs(values).min()):
            return Panel(cell, series, None)
        return Panel(cell, np.zeros((0, 0)), int(tails[1] > tails[0]) if p + q < DEEPEST else None)


@dataclass(frozen=True)
class Panel:
    """A Chebyshev series, a direction to halve (0: mu, 1: sigma), or neither: too rough for a series."""

    cell: Cell
    series: Array
    split: int | None

    @cached_property
    def slopes(self) -> tuple[Array, Array]:
        """Series of the derivatives by both panel coordinates in [-1, 1]."""
        return _doubles(chebyshev.chebder(self.series, axis=0)), _doubles(chebyshev.chebder(self.series, axis=1))

    def values(self, table: Table, x: Array, y: Array) -> Array:
        """Value and derivatives by x and y, shape (3, n)."""
        i, j, p, q = self.cell
        if self.series.size == 0:
            return _differences(table.at, x, y)
        if self.series.size == 1:
            return np.stack([np.full(x.size, self.series[0, 0]), np.zeros(x.size), np.zeros(x.size)])
        z, w = 2.0 * (x * 2.0**p - i) - 1.0, 2.0 * (y * 2.0**q - j) - 1.0
        along, across = _polynomials(z, NODES[0]), _polynomials(w, NODES[1])
        by_z, by_w = self.slopes
        return np.stack([
            _bilinear(along, self.series, across),
            _bilinear(along[:, :-1], by_z, across) * 2.0 * 2.0**p,
            _bilinear(along, by_w, across[:, :-1]) * 2.0 * 2.0**q,
        ])  # fmt: skip


def _polynomials(z: Array, n: int) -> Array:
    """T_k(z) for k < n, shape (z, n)."""
    return _doubles(chebyshev.chebvander(z, n - 1))


def _doubles(a: Any) -> Array:
    return np.asarray(a, dtype=np.float64)


def _bilinear(left: Array, series: Array, right: Array) -> Array:
    """left series right for each row; summed in the same order whatever the number of rows."""
    return np.einsum("nj,nj->n", np.einsum("ni,ij->nj", left, series), right)


def _differences(f: Callable[[Array, Array], Array], x: Array, y: Array) -> Array:
    """Value and central differences of fourth order, for the few places where no series works."""
    h = 1e-3 * 2.0**-DEEPEST
    by_x, by_y = (
        (8.0 * (f(x + h * a, y + h * b) - f(x - h * a, y - h * b)) - f(x + 2 * h * a, y + 2 * h * b)
         + f(x - 2 * h * a, y - 2 * h * b)) / (12.0 * h)
        for a, b in ((1.0, 0.0), (0.0, 1.0))
    )  # fmt: skip
    return np.stack([f(x, y), by_x, by_y])


@lru_cache(maxsize=4)
def _interpolation(n: int) -> Array:
    """Chebyshev coefficients (n, n) from values at cos(pi (k + 1/2)/n)."""
    angles = np.pi * (np.arange(n) + 0.5) / n
    return np.cos(np.outer(np.arange(n), angles)) * np.where(np.arange(n) == 0, 1.0, 2.0)[:, None] / n


def _log_rate(cell: Tabulated, mu: Array, sigma: Array) -> tuple[Array, Array, Array]:
    table = cell.table("rate", lambda m, s: threshold_integration.log_rate(cell.neuron, m, s, deep=True))
    return table.evaluate(mu, sigma)


def rate(cell: Tabulated, mu: Array, sigma: Array) -> Array:
    """Firing rate [Hz] on flat arrays."""
    return np.exp(_log_rate(cell, mu, sigma)[0])


def log_rate_gradient(cell: Tabulated, mu: Array, sigma: Array) -> tuple[Array, Array]:
    """(d log r/dmu, d log r/dsigma) on flat arrays."""
    return _log_rate(cell, mu, sigma)[1:]


def _log_laplace(cell: Tabulated, s: Array, mu: Array, sigma: Array) -> Array:
    """log P_L and its derivatives (3, n); one table for each s."""
    out = np.empty((3, mu.size))
    for at in np.unique(s):
        which = s == at

        def transform(m: Array, noise: Array, at: float = float(at)) -> Array:
            return threshold_integration.log_isi_laplace(cell.neuron, np.full(m.size, at), m, noise, deep=True)

        out[:, which] = cell.table(float(at), transform).evaluate(mu[which], sigma[which])
    return out


def log_isi_laplace(cell: Tabulated, s: Array, mu: Array, sigma: Array) -> Array:
    """log P_L(s) on flat arrays."""
    return _log_laplace(cell, s, mu, sigma)[0]


def log_isi_laplace_gradient(cell: Tabulated, s: Array, mu: Array, sigma: Array) -> tuple[Array, Array]:
    """(d log P_L/dmu, d log P_L/dsigma) on flat arrays."""
    _, by_mu, by_sigma = _log_laplace(cell, s, mu, sigma)
    return by_mu, by_sigma


provides(
    Tabulated,
    rate=rate,
    log_rate_gradient=log_rate_gradient,
    log_isi_laplace=log_isi_laplace,
    log_isi_laplace_gradient=log_isi_laplace_gradient,
)
