"""Many independent conductance neurons, step by step in NumPy: the oracle of what theory says of one."""

import numpy as np


class Shots:
    """Exponential conductances under Poisson spikes, (n,): their mean over one step at a time."""

    def __init__(self, conductance, n, dt, rng):
        self.weight, self.count = conductance.weight, conductance.inputs.total_rate * dt
        self.tau, self.reversal, self.dt, self.rng = conductance.receptor.tau, conductance.receptor.reversal, dt, rng
        self.g = np.full(n, conductance.mean)

    def step(self):
        """Spikes arrive evenly over the step."""
        decay = np.exp(-self.dt / self.tau)
        arrived = self.weight * self.rng.poisson(self.count, self.g.size) * (1.0 - decay) * self.tau / self.dt
        before, self.g = self.g, self.g * decay + arrived
        return 0.5 * (before + self.g)


class Noise:
    """Ornstein-Uhlenbeck conductances, exact at the ends of steps."""

    def __init__(self, conductance, n, dt, rng):
        self.mean, self.sd, self.reversal, self.rng = conductance.mean, conductance.sd, conductance.reversal, rng
        self.decay = np.exp(-dt / conductance.tau)
        self.g = self.mean + self.sd * rng.standard_normal(n)

    def step(self):
        """The mean of both ends; below 0 it is 0."""
        noise = self.sd * np.sqrt(1.0 - self.decay**2) * self.rng.standard_normal(self.g.size)
        before, self.g = self.g, self.mean + (self.g - self.mean) * self.decay + noise
        return np.maximum(0.5 * (before + self.g), 0.0)


def membrane_step(neuron, v, inputs, dt):
    """V at the end of a step in which conductances are constant: exact then, second order else."""
    total, pull = np.full(v.size, neuron.g_leak), np.full(v.size, neuron.g_leak * neuron.v_leak)
    for x in inputs:
        g = x.step()
        total += g
        pull += g * x.reversal
    return pull / total + (v - pull / total) * np.exp(-dt * total / neuron.capacitance)


def spikes(neuron, conductances, *, n, duration, dt, seed, warmup=0.1):
    """Rate [Hz] with its standard error over cells, and C_v of the pooled intervals.

    Crossings between grid points are found by a line, resets fall on the grid.
    """
    rng = np.random.default_rng(seed)
    inputs = [Shots(x, n, dt, rng) for x in conductances]
    v, ready, last = np.full(n, neuron.v_leak), np.zeros(n), np.full(n, np.nan)
    counts, intervals = np.zeros(n), []
    for k in range(round((duration + warmup) / dt)):
        new, now = membrane_step(neuron, v, inputs, dt), k * dt
        new = np.where(ready > now, neuron.v_reset, new)
        hit = np.flatnonzero(new >= neuron.v_threshold)
        if hit.size:
            at = now + dt * (neuron.v_threshold - v[hit]) / (new[hit] - v[hit])
            if now >= warmup:
                counts[hit] += 1
                intervals.append((at - last[hit])[last[hit] > warmup])
            last[hit], ready[hit], new[hit] = at, at + neuron.tau_ref - 0.5 * dt, neuron.v_reset
        v = new
    lengths = np.concatenate(intervals)
    return counts.mean() / duration, counts.std() / np.sqrt(n) / duration, lengths.std() / lengths.mean()
