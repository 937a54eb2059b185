"""Neurons and weights in NEST's terms: models, mV, pF and pA.

Potentials are measured from the leak and scaled so that reset and threshold are 20 mV apart: every model here is linear
in that scale, and NEST takes potentials below -1 V for a numerical accident. The capacitance is arbitrary, since
currents are given by what they do to the potential.

    delta synapses         weight = J                       iaf_psc_delta, aeif_psc_delta
    exponential synapses   weight = C_m J / tau_s           iaf_psc_exp, aeif_psc_exp: the charge of a jump J
    conductance synapses   weight = +-g, + where they excite  iaf_cond_exp
    tonic drive            I_e = C_m drive

Neurons with conductances have their own capacitance, and potentials in mV from the leak.

Neurons that differ have lists of parameters; they are those of the package's own simulations with the same seed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from equipoise.backends.nest.kernel import in_ms
from equipoise.model.circuit import Circuit
from equipoise.model.neurons import EIF, LIF, PIF, ConductanceLIF
from equipoise.model.populations import Population
from equipoise.model.projections import Projection
from equipoise.model.synapses import ConductanceSynapse
from equipoise.quantities import Array, steps_of
from equipoise.spiking.neurons import Neurons
from equipoise.units import ms, mV, nS, pF

C_M = 250.0
"""Membrane capacitance [pF]."""
RANGE = 20.0
"""From reset to threshold [mV]."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A population's neurons for NEST: `model`, their `parameters`, and `scale`, the mV of one unit of potential.

    Parameters are numbers, or (n,) where neurons differ. `start` are the potentials [mV] between which neurons begin.
    """

    model: str
    parameters: dict[str, float | Array]
    scale: float
    start: tuple[float | Array, float | Array]

    def weight_unit(self, circuit: Circuit, p: Projection) -> float:
        """NEST's weight for J = 1: mV for a jump, pA for a current, of a conductance nS with the sign of its effect."""
        if isinstance(p.synapse, ConductanceSynapse):
            return circuit.sign_of(p) / nS
        tau_s = p.synapse.time_constant
        return C_M * self.scale / in_ms(tau_s) if tau_s else self.scale


def cell(circuit: Circuit, population: Population, dt: float, own: Mapping[str, Array]) -> Cell:
    """A population's neurons, with what they have of their own (n,); TypeError or ValueError for what NEST lacks."""
    neuron, synapses = _known(population), _synapses(circuit, population.name)
    of = Neurons(neuron, own)
    if "tau_ref" not in own:
        steps_of("backends.nest", f"{population.name}: tau_ref", neuron.tau_ref, dt)
    physical = isinstance(neuron, ConductanceLIF)
    scale = 1.0 / mV if physical else RANGE / (neuron.v_threshold - neuron.v_reset)
    capacitance = neuron.capacitance / pF if physical else C_M
    reset, highest = _from_leak(of, scale)
    model, own_parameters = _model(of, scale, bool(synapses))
    parameters = {
        "C_m": capacitance, "E_L": 0.0, "t_ref": _in_ms(np.rint(of["tau_ref"] / dt) * dt), "V_reset": reset,
        "I_e": capacitance * scale * population.drive * ms,
    } | own_parameters  # fmt: skip
    return Cell(
        model=model,
        parameters={name: _number(value) for name, value in (parameters | synapses).items()},
        scale=scale,
        start=(_number(reset), _number(highest)),
    )


def _known(population: Population) -> LIF | EIF | ConductanceLIF:
    neuron = population.neuron
    if type(neuron) in (LIF, EIF, ConductanceLIF):
        return neuron
    why = " with a reflecting lower bound" if isinstance(neuron, PIF) else ""
    raise TypeError(
        f"backends.nest: {population.name!r} has {type(neuron).__name__} neurons; NEST has no such model{why}. "
        "Use eq.LIF, eq.EIF or eq.ConductanceLIF."
    )


def _from_leak(of: Neurons, scale: float) -> tuple[Array, Array]:
    """Reset, and the threshold or, where it is higher than the reset, the onset [mV]."""
    top = np.maximum(of["v_onset"], of["v_reset"]) if isinstance(of.neuron, EIF) else of["v_threshold"]
    return scale * (of["v_reset"] - of["v_leak"]), scale * (top - of["v_leak"])


def _model(of: Neurons, scale: float, currents: bool) -> tuple[str, dict[str, float | Array]]:
    """NEST's name of a neuron, and the parameters that others lack."""
    kind, threshold = "exp" if currents else "delta", scale * (of["v_threshold"] - of["v_leak"])
    if isinstance(of.neuron, EIF):
        return f"aeif_psc_{kind}", _eif(of, scale)
    if isinstance(of.neuron, ConductanceLIF):
        return "iaf_cond_exp", {"g_L": of.neuron.g_leak / nS, "V_th": threshold}
    return f"iaf_psc_{kind}", {"tau_m": _in_ms(of["tau_m"]), "V_th": threshold}


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


def _synapses(circuit: Circuit, name: str) -> dict[str, float]:
    """Time constants and reversals of excitation and inhibition by NEST's names; none where synapses are jumps."""
    out: dict[str, float] = {}
    mine = [p for p in circuit.projections if p.target == name]
    if len({p.synapse.time_constant > 0.0 for p in mine}) > 1:
        raise TypeError(f"backends.nest: {name!r} has delta and exponential synapses; NEST's models have one kind.")
    for sign, effect, key in ((1.0, "excitatory", "ex"), (-1.0, "inhibitory", "in")):
        kinds = [p.synapse for p in mine if circuit.sign_of(p) == sign]
        if time := _only({s.time_constant for s in kinds} - {0.0}, f"{name!r} has {effect}", "time constant", "ms"):
            out[f"tau_syn_{key}"] = in_ms(time)
        reversals = {s.reversal for s in kinds if isinstance(s, ConductanceSynapse)}
        reversal = _only(reversals, f"{name!r} has {effect}", "reversal", "mV")
        if reversal is not None:
            out[f"E_{key}"] = (reversal - circuit.node(name).neuron.v_leak) / mV  # type: ignore[union-attr]
    return out


def _only(values: set[float], who: str, what: str, unit: str) -> float | None:
    """The one value, of ms or mV, or None where there are none."""
    if len(values) > 1:
        listed = ", ".join(f"{1e3 * x:g}" for x in sorted(values))
        raise TypeError(f"backends.nest: {who} synapses of {listed} {unit}; NEST's model has one {what} for each sign.")
    return next(iter(values), None)
