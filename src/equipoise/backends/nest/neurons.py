"""Neurons and weights in NEST's terms: models, mV, pF and pA.

Potentials are measured from the leak and scaled so that reset and threshold are 20 mV apart: every model here is linear
in that scale, and NEST takes potentials below -1 V for a numerical accident. The capacitance is arbitrary, since
currents are given by what they do to the potential.

    delta synapses         weight = J                       iaf_psc_delta, aeif_psc_delta
    exponential synapses   weight = C_m J / tau_s           iaf_psc_exp, aeif_psc_exp: the charge of a jump J
    tonic drive            I_e = C_m drive

Neurons that differ have lists of parameters; they are those of the package's own simulations with the same seed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from equipoise.backends.nest.kernel import in_ms
from equipoise.model.circuit import Circuit
from equipoise.model.neurons import EIF, LIF, PIF
from equipoise.model.populations import Population
from equipoise.model.projections import Projection
from equipoise.quantities import Array, steps_of
from equipoise.spiking.neurons import Neurons
from equipoise.units import ms

C_M = 250.0
"""Membrane capacitance [pF]."""
RANGE = 20.0
"""From reset to threshold [mV]."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A population's neurons for NEST: `model`, their `parameters`, and `scale`, the mV of one unit of potential.

    Parameters are numbers, or (n,) where neurons differ. `start` are the potentials [mV] between which neurons begin;
    `delta` says whether synapses are jumps.
    """

    model: str
    parameters: dict[str, float | Array]
    scale: float
    start: tuple[float | Array, float | Array]
    delta: bool

    def weight_unit(self, p: Projection) -> float:
        """NEST's weight for J = 1: mV for a jump, pA for a current."""
        return self.scale if self.delta else C_M * self.scale / in_ms(p.synapse.time_constant)


def cell(circuit: Circuit, population: Population, dt: float, own: Mapping[str, Array]) -> Cell:
    """A population's neurons, with what they have of their own (n,); TypeError or ValueError for what NEST lacks."""
    neuron, times = _known(population), _synaptic_times(circuit, population.name)
    of, lif = Neurons(neuron, own), isinstance(neuron, LIF)
    if "tau_ref" not in own:
        steps_of("backends.nest", f"{population.name}: tau_ref", neuron.tau_ref, dt)
    scale = RANGE / (neuron.v_threshold - neuron.v_reset)
    reset, highest = _from_leak(of, scale)
    parameters = {
        "C_m": C_M, "E_L": 0.0, "t_ref": _in_ms(np.rint(of["tau_ref"] / dt) * dt), "V_reset": reset,
        "I_e": C_M * scale * population.drive * ms,
    } | (_lif(of, scale) if lif else _eif(of, scale))  # fmt: skip
    return Cell(
        model=f"{'iaf' if lif else 'aeif'}_psc_{'exp' if times else 'delta'}",
        parameters={name: _number(value) for name, value in (parameters | times).items()},
        scale=scale,
        start=(_number(reset), _number(highest)),
        delta=not times,
    )


def _known(population: Population) -> LIF | EIF:
    neuron = population.neuron
    if type(neuron) is LIF or type(neuron) is EIF:
        return neuron
    why = " with a reflecting lower bound" if isinstance(neuron, PIF) else ""
    raise TypeError(
        f"backends.nest: {population.name!r} has {type(neuron).__name__} neurons; NEST has no such model{why}. "
        "Use eq.LIF or eq.EIF."
    )


def _from_leak(of: Neurons, scale: float) -> tuple[Array, Array]:
    """Reset, and the threshold or, where it is higher than the reset, the onset [mV]."""
    top = of["v_threshold"] if isinstance(of.neuron, LIF) else np.maximum(of["v_onset"], of["v_reset"])
    return scale * (of["v_reset"] - of["v_leak"]), scale * (top - of["v_leak"])


def _lif(of: Neurons, scale: float) -> dict[str, Array]:
    return {"tau_m": _in_ms(of["tau_m"]), "V_th": scale * (of["v_threshold"] - of["v_leak"])}


def _eif(of: Neurons, scale: float) -> dict[str, float | Array]:
    """The adaptive model without its adaptation."""
    return {
        "g_L": C_M / _in_ms(of["tau_m"]), "Delta_T": scale * of["slope"], "a": 0.0, "b": 0.0,
        "V_th": scale * (of["v_onset"] - of["v_leak"]), "V_peak": scale * (of["v_threshold"] - of["v_leak"]),
    }  # fmt: skip


def _in_ms(times: Array) -> Array:
    """As `in_ms`."""
    return np.round(times / ms, 9)


def _number(value: float | Array) -> float | Array:
    return value if np.ndim(value) else float(value)


def _synaptic_times(circuit: Circuit, name: str) -> dict[str, float]:
    """Time constants of excitatory and inhibitory synapses by NEST's names; none where synapses are jumps."""
    out: dict[str, float] = {}
    mine = [p for p in circuit.projections if p.target == name]
    if len({p.synapse.time_constant > 0.0 for p in mine}) > 1:
        raise TypeError(f"backends.nest: {name!r} has delta and exponential synapses; NEST's models have one kind.")
    for sign, key in ((1.0, "tau_syn_ex"), (-1.0, "tau_syn_in")):
        times = sorted({p.synapse.time_constant for p in mine if circuit.sign_of(p) == sign} - {0.0})
        if len(times) > 1:
            listed = ", ".join(f"{t / ms:g}" for t in times)
            raise TypeError(
                f"backends.nest: {name!r} has {'excitatory' if sign > 0 else 'inhibitory'} synapses of {listed} ms; "
                "NEST's model has one time constant for each sign."
            )
        if times:
            out[key] = in_ms(times[0])
    return out
