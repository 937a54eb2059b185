"""Circuits of rate neurons that the tests share."""

import numpy as np

import equipoise as eq
from equipoise.units import ms

ALL = eq.AllToAll()
SOLDADO = {"W": (5.0, 1.0857142857142857, 10.0, 1.5357142857142858), "theta": (4.8, 25.0)}
"""Soldado-Magraner et al. 2022 with E = 5 and I = 14 Hz; weights printed as 1.0857 and 1.5357."""


def projections(W, names):
    """All-to-all projections with total couplings W (post, pre)."""
    return [
        eq.Projection(source=s, target=t, weight=float(W[i][j]), connectivity=ALL)
        for i, t in enumerate(names)
        for j, s in enumerate(names)
        if W[i][j] != 0.0
    ]


def pair(
    W=(5.0, 1.0, 10.0, 0.5), g=(1.0, 4.0), theta=(4.8, 25.0), X=(0.0, 0.0), tau=(10 * ms, 2 * ms), size=None, **more
):
    """The threshold-linear E-I pair; W = (W_EE, W_EI, W_IE, W_II) as magnitudes."""
    neurons = [eq.ThresholdLinear(gain=g[i], threshold=theta[i], tau=tau[i], **more) for i in (0, 1)]
    sizes = (np.inf, np.inf) if size is None else size
    populations = [
        eq.Population(name, neuron=neurons[i], drive=X[i], size=sizes[i]) for i, name in enumerate(("E", "I"))
    ]
    matrix = [[W[0], -W[1]], [W[2], -W[3]]]
    return eq.Circuit(populations=populations, projections=projections(matrix, ("E", "I")))


def facts(W, g, theta, X=(0.0, 0.0)):
    """gamma, w, D, b and G of the pair while both are active."""
    gamma = g[1] / (1.0 + g[1] * W[3])
    w = W[1] * gamma
    D = W[0] - W[2] * w
    return {"gamma": gamma, "w": w, "D": D, "b": w * (theta[1] - X[1]) + X[0], "G": g[0] / (1.0 - g[0] * D)}


def alone(neuron, W, drive=0.0):
    """One population with coupling W onto itself."""
    population = eq.Population("E", neuron=neuron, drive=drive)
    return eq.Circuit(populations=[population], projections=projections([[W]], ("E",)))


def supralinear(drive):
    """The supralinear pair of Rubin, Van Hooser & Miller 2015: k = 0.04, n = 2, tau 20 and 10 ms."""
    taus = {"E": 20 * ms, "I": 10 * ms}
    populations = [eq.Population(n, neuron=eq.PowerLaw(tau=tau), drive=drive) for n, tau in taus.items()]
    return eq.Circuit(populations=populations, projections=projections([[1.25, -0.65], [1.2, -0.5]], ("E", "I")))
