"""Fluctuations of a finite network about its mean field, by linear response: spectra of populations and of the field.

Each cell fires as a renewal neuron whose rate follows its input (`renewal.frequency_response`). With chi averaged over
the unlike cells of A, delays d, and S_A the spectrum of single trains,

    A_A(f) = xi_A(f) + sum_B H_AB(f) A_B(f),     H_AB = e^{-2 pi i f d_AB} K_AB (J_AB chi_mu,A + m_2 J_AB^2 chi_s,A)
    <A A*> = (1 - H)^{-1} diag(S_A/N_A) (1 - H)^{-*}

which holds where cells fire asynchronously: no root of det(1 - H) grows (Nyquist's criterion, by `stable`). Trains of
sources are private to a cell. That cells with more inputs answer otherwise, and that their rates spread, is left out:
exact for fixed in-degrees, slow gains 3 to 13 % low in Erdos-Renyi graphs of 100 inputs. Sources: Lindner, Doiron &
Longtin, Phys. Rev. E 72:061919 (2005); Trousdale, Hu, Shea-Brown & Josic, PLoS Comput. Biol. 8:e1002408 (2012).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from equipoise.measures.fields import DELAY, INHIBITION
from equipoise.model.circuit import Circuit
from equipoise.model.neurons import LIF
from equipoise.quantities import Array, finite, suggest, whole
from equipoise.renewal.response import Complex, frequency_response
from equipoise.theory import quenched
from equipoise.theory.network import mean_field, wiring_of
from equipoise.theory.wiring import Wiring
from equipoise.units import Hz, kHz

if TYPE_CHECKING:
    import xarray as xr

NODES = 21
"""Quadrature nodes of the averages over cells."""
RARE = 1e-4
"""Weight of a node below which it is left out."""
LOWEST, HIGHEST, POINTS, DENSE = 1 * Hz, 5 * kHz, 24, 4000
"""Where Nyquist's criterion is looked at, at how many frequencies chi is computed, and det(1 - H)."""
LINE = 21
"""Frequencies of a line, evenly spaced as those of measured spectra are."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Fluctuations:
    """A network of LIF neurons with delta synapses: its `wiring`, `delay` (n, m) [s] and sizes (n,)."""

    wiring: Wiring
    delay: Array
    sizes: Array

    def cells(self, x: Array, frequency: Array) -> tuple[Complex, Complex, Array]:
        """chi_mu [1/V], chi_s [1/V^2] and S [Hz] of the average cell of each population (F, n) in state x = (r, q)."""
        w, n = self.wiring, self.wiring.n
        m = w.moments(x[:n], x[n:])
        out = []
        for a, neuron in enumerate(w.neurons):
            assert isinstance(neuron, LIF)
            points = quenched.sample(m.mu[a], m.s[a], m.beta[a], m.gamma[a], m.eta[a], nodes=NODES)
            kept = points.weights > RARE
            weights = points.weights[kept] / points.weights[kept].sum()
            mu, sigma = points.mu[kept], np.sqrt(points.s[kept])
            found = frequency_response(neuron, frequency=frequency, mu=mu, sigma=sigma)
            out.append((found.by_mu @ weights, found.by_s @ weights, found.spectrum @ weights))
        by_mu, by_s, spectrum = (np.stack(part, axis=1) for part in zip(*out, strict=True))
        return by_mu, by_s, spectrum

    def loop(self, frequency: Array, by_mu: Complex, by_s: Complex) -> Complex:
        """H (F, n, n)."""
        n = self.wiring.n
        drift, noise = (strength[:, :n] for strength in self.wiring.strengths)
        late = np.exp(-2j * np.pi * frequency[:, None, None] * self.delay[:, :n])
        return late * (by_mu[..., None] * drift + by_s[..., None] * noise)

    def stable(self, x: Array) -> bool:
        """Whether det(1 - H) does not wind about 0, so that no common oscillation grows by itself."""
        few = np.geomspace(LOWEST, HIGHEST, POINTS)
        f = np.unique(np.concatenate([few, np.linspace(LOWEST, HIGHEST, DENSE)]))
        columns = [np.stack([np.interp(np.log(f), np.log(few), c) for c in part.T], axis=1)
                   for part in self.cells(x, few)[:2]]  # fmt: skip
        determinant = np.linalg.det(np.eye(self.wiring.n) - self.loop(f, *columns))
        phase = np.unwrap(np.angle(determinant))
        return bool(np.isfinite(phase).all() and np.abs(phase[[0, -1]]).max() < 0.5 * np.pi)

    def spectra(self, x: Array, frequency: Array) -> tuple[Complex, Array]:
        """Cross-spectra of population rates (F, n, n) [Hz] and S (F, n) [Hz], both two-sided."""
        by_mu, by_s, single = self.cells(x, frequency)
        gain = np.linalg.inv(np.eye(self.wiring.n) - self.loop(frequency, by_mu, by_s))
        return np.einsum("fab,fb,fcb->fac", gain, single / self.sizes, gain.conj()), single

    def field(self, x: Array, frequency: Array, *, target: int = 0, cells: int = 40) -> Array:
        """Spectrum [(V/s)^2/Hz], two-sided, of `measures.lfp` of the mean input to some `cells` of a population.

        sum_BC w_B w_C* <A_B A_C*> of what all share, and what so few cells have of their own: the spectra of trains
        that are contacted more or less often than on average, and of private ones from sources.
        """
        w, n = self.wiring, self.wiring.n
        shared, single = self.spectra(x, frequency)
        J, K, t = w.J[target], w.K[target], 2j * np.pi * frequency[:, None]
        shape = np.where(J >= 0.0, np.exp(-t * DELAY), INHIBITION) * np.abs(K * J) * np.exp(-t * self.delay[target])
        common = np.einsum("fa,fac,fc->f", shape[:, :n], shared, shape[:, :n].conj()).real
        each = K * w.noise_per_rate[target] * np.where(J >= 0.0, 1.0, INHIBITION**2) / cells
        contacted = K[:n] / np.maximum(self.sizes, 1.0)
        own = single @ (each[:n] * np.maximum(1.0 - contacted, 0.0)) + each[n:] @ w.source_rates
        return common + own

    def exponent(self, x: Array, band: tuple[float, float], *, target: int = 0, cells: int = 40) -> float:
        """-d log S/d log f of the field over a band [Hz], by least squares; NaN where the network is not stable."""
        if not np.isfinite(x).all() or not self.stable(x):
            return np.nan
        f = np.linspace(*band, LINE)
        power = self.field(x, f, target=target, cells=cells)
        return float(-np.polyfit(np.log(f), np.log(power), 1)[0])


def network_spectrum(circuit: Circuit, frequency: ArrayLike, *, target: str = "E", cells: int = 40) -> "xr.Dataset":
    """Spectra of population rates and of the field of `target` in the mean-field state, at `frequency` (F,) > 0 [Hz].

    Two-sided: `power` (population, frequency) [Hz^2/Hz], which falls with the number of cells, `single` [Hz] that of
    single trains, `field` [(V/s)^2/Hz] of `measures.lfp` of the mean input of so many `cells`; `stable` in attrs says
    whether common fluctuations die out: where they do not, the spectra mean nothing. TypeError for circuits other than
    LIF neurons of one kind with delta synapses and fixed delays, NumericalFailure without a state.
    """
    why = refusal(circuit)
    if why:
        raise TypeError(f"network_spectrum: {why}.")
    if target not in (names := [p.name for p in circuit.populations]):
        raise ValueError(f"network_spectrum: no population is named {target!r}.{suggest(target, names)}")
    f = np.ravel(finite("network_spectrum", "frequency", frequency, low=0.0, open_low=True))
    x, here = mean_field(circuit).x, fluctuations_of(circuit, wiring_of(circuit))
    shared, single = here.spectra(x, f)
    field = here.field(x, f, target=names.index(target), cells=whole("network_spectrum: cells", cells, low=1))
    return _dataset(names, f, np.diagonal(shared, axis1=1, axis2=2).real.T, single.T, field, here.stable(x))


def _dataset(names: list[str], f: Array, power: Array, single: Array, field: Array, stable: bool) -> "xr.Dataset":
    import xarray as xr

    along = ("population", "frequency")
    return xr.Dataset(
        {
            "power": (along, power, {"units": "Hz^2/Hz"}), "single": (along, single, {"units": "Hz"}),
            "field": ("frequency", field, {"units": "(V/s)^2/Hz"}),
        },
        coords={"population": names, "frequency": ("frequency", f, {"units": "Hz"})},
        attrs={"stable": int(stable)},
    )  # fmt: skip


def fluctuations_of(circuit: Circuit, wiring: Wiring) -> Fluctuations:
    """What linear response needs of a circuit that is not refused, with its wiring."""
    sizes = np.array([float(p.size) for p in circuit.populations])
    return Fluctuations(wiring=wiring, delay=circuit.delays(), sizes=sizes)


def refusal(circuit: Circuit) -> str:
    """Why the fluctuations of a circuit are not known here, or nothing."""
    if not all(isinstance(p.neuron, LIF) for p in circuit.populations):
        return "the linear response of LIF neurons only is known"
    if any(p.spread.varying for p in circuit.populations):
        return "linear response is for neurons of one kind in a population"
    if (circuit.synaptic_times() > 0.0).any():
        return "linear response is for delta synapses"
    if not all(isinstance(p.delay, float | int) for p in circuit.projections):
        return "linear response is for delays that all synapses of a projection share"
    return ""
