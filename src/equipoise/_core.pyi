"""Compiled core: arrays and scalars in and out.

Arrays are contiguous and one-dimensional, equal in length where not said otherwise, and broadcast by the caller; the
last arguments are outputs, written in place. SI units. The functions trust their callers: values are checked in Python.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Words = NDArray[np.uint64]
Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
Shorts = NDArray[np.uint16]
Halves = NDArray[np.int16]
HalfWords = NDArray[np.uint32]

# --- avalanches in sorted spikes [s], within bins of a window ---------------------------------------------------------
def count_spikes(times: Array, t_start: float, t_stop: float, width: float, counts: Index) -> None:
    """Spikes in each bin (bins,); those past the last bin are left out."""

def spike_avalanches(
    times: Array,
    units: Index,
    n_units: int,
    t_start: float,
    t_stop: float,
    width: float,
    n_bins: int,
    threshold: float,
    sizes: Index,
    durations: Index,
) -> int:
    """Number of runs of bins with more than `threshold` spikes, with sizes and durations (one a spike at most).

    Sizes are spikes for `n_units` = 0 and distinct units otherwise.
    """

# --- branching; law (kind: 0 Poisson, 1 geometric, 2 binomial; trials; litter), mean offspring `mean` -----------------
def branching_avalanches(
    key: Words,
    first: int,
    law: Array,
    mean: float,
    most_generations: int,
    most_units: int,
    sizes: Index,
    durations: Index,
    capped: Bytes,
) -> None:
    """Avalanches `first`, `first` + 1, ... of one seed each: all units, generations, and whether a cap cut it off."""

def branching_driven(
    words: Words, law: Array, drive: float, homeostasis: Array, state: Array, activity: Index, means: Array
) -> None:
    """Activity step by step under a Poisson `drive`, and the mean offspring m, moved by homeostasis.

    homeostasis (rate, target, largest m, most units): m += rate (target - activity), and beyond the most units nothing
    changes any more. `state` (activity, m) and `words` (4,) go on.
    """

def log_poisson(counts: Array, means: Array, out: Array) -> None:
    """`out`: log probability of Poisson counts."""

def log_binomial(counts: Array, trials: Array, chances: Array, out: Array) -> None:
    """`out`: log probability of binomial counts."""

# --- calcium along given spikes: decay by tau, C -> retention C + influx at a spike -----------------------------------
def calcium_integrals(
    tau: float,
    retention: float,
    influx: float,
    times: Array,
    start: float,
    stop: float,
    initial: float,
    k_m: float,
    k_d: float,
    out: Array,
) -> None:
    """`out` (5,): integrals over [start, stop] of C, C^2, C/(k_m + C), C^2/(k_d + C^2), and C at stop."""

def calcium_integrals_units(
    tau: float,
    retention: float,
    influx: float,
    times: Array,
    units: Index,
    start: float,
    begin: float,
    stop: float,
    initial: float,
    k_m: float,
    k_d: float,
    out: Array,
) -> None:
    """`out` (4 n_units,): the four integrals of each unit over [begin, stop], from `initial` at start <= begin."""

def calcium_trace(
    tau: float, retention: float, influx: float, times: Array, start: float, initial: float, at: Array, out: Array
) -> None:
    """`out`: C at the sorted times `at`, after the spikes that coincide with them."""

# --- the event loop ---------------------------------------------------------------------------------------------------
def cell_run(
    neuron: Array,
    inputs: Array,
    sensor: Array,
    rule: Array,
    times: Array,
    state: Array,
    words: Words,
    samples: Array,
    spikes: Array,
    now: Array,
    budget: int,
) -> int:
    """Run one cell by up to `budget` steps; returns 0 done, 1 budget spent, 2 not finite.

    neuron: see `isi_sample`; inputs (K_E r_E, K_I r_I, drive, K_E r_E F_E, K_I r_I F_I); sensor (tau, influx,
    retention); rule (sensed: 0 nothing, 1 calcium, 2 spikes; relative; tau_e; tau_i; tau_adapt or 0); times (t_stop,
    flush, sample_every). `state` (14,) and `words` (4,) go on where they are; `samples` takes rows (t, J_E, J_I, nu*,
    mu*, <C>, <C^2>, spikes), `now` (C, J_E, J_I, nu*, mu*).
    """

def rule_run(
    spike_times: Array, sensor: Array, rule: Array, times: Array, state: Array, samples: Array, now: Array
) -> None:
    """Move the weights along given spikes; as `cell_run`, with times (t_stop, longest update, sample_every)."""

# --- cells under inputs given step by step ----------------------------------------------------------------------------
def driven_spikes(
    decay: float,
    threshold: float,
    reset: float,
    floor: float,
    refractory: int,
    inputs: Array,
    v: Array,
    silent: Index,
    spikes: Bytes,
) -> None:
    """Spikes (cell, step) under `inputs` (cell, step) [V a step]; `v` and `silent` (cell,) go on where they are.

    u = v decay + input, max(u, floor), spike and reset at threshold, then `refractory` steps of silence.
    """

# --- random numbers and intervals -------------------------------------------------------------------------------------
def isi_sample(
    neuron: Array, mu: float, sigma: float, state: Array, words: Words, intervals: Array, budget: int
) -> int:
    """Draw intervals until `intervals` is full or `budget` steps are taken; returns the steps.

    neuron (0, v_threshold, v_reset, tau_ref, v_bound, reach) for the PIF, (1, v_threshold, v_reset, tau_ref, v_leak,
    reach, tau_m, fine) for the LIF; state (potential, time since the last spike, intervals drawn).
    """

def random_bits(words: Words, out: Words) -> None:
    """`out`: the next numbers of xoshiro256++."""

def random_normal(words: Words, out: Array) -> None:
    """`out`: standard normal variates."""

# --- networks of probabilistic units ----------------------------------------------------------------------------------
def excitable_run(
    words: Words,
    starts: Index,
    targets: Ints,
    weights: Array,
    drive: float,
    refractory: int,
    clocks: Ints,
    counts: Index,
) -> None:
    """`counts`: how many units fire in each step, with probability drive + the weights of inputs that fired before.

    Unit j acts on targets[starts[j] : starts[j + 1]] by weights[j]. `clocks` (n,) and `words` (4,) go on: steps until a
    unit can fire, `refractory` (or -1 without refractoriness) where it fired last.
    """

def excitable_run_all_to_all(words: Words, network: Array, drive: float, fired: Index, counts: Index) -> None:
    """The same where all act on all; network (E units, I units, J, g J).

    `fired` (E and I, refractory + 1), flattened, and `words` (4,) go on: how many fired in the last steps, the latest
    first.
    """

# --- LIF; neuron (v_threshold, v_reset, v_leak, tau_m, tau_ref) -------------------------------------------------------
def lif_rate(neuron: Array, mu: Array, sigma: Array, out: Array) -> None:
    """`out`: the firing rate r [Hz]."""

def lif_log_rate(neuron: Array, mu: Array, sigma: Array, out: Array) -> None:
    """`out`: log r, finite where r underflows."""

def lif_cv(neuron: Array, mu: Array, sigma: Array, out: Array) -> None:
    """`out`: C_v of the intervals."""

def lif_log_rate_gradient(neuron: Array, mu: Array, sigma: Array, by_mu: Array, by_sigma: Array) -> None:
    """Derivatives of log r."""

def lif_cv_gradient(neuron: Array, mu: Array, sigma: Array, by_mu: Array, by_sigma: Array) -> None:
    """Derivatives of C_v."""

def lif_integrals(reset: Array, threshold: Array, d: Array, q: Array, h: Array) -> None:
    """The universal integrals of rate and C_v, scaled, from reset to threshold = reset + d in dimensionless units."""

def lif_log_isi_laplace(neuron: Array, s: Array, mu: Array, sigma: Array, out: Array) -> None:
    """`out`: log <e^(-s T)> at real s >= 0."""

def lif_log_isi_laplace_gradient(
    neuron: Array, s: Array, mu: Array, sigma: Array, by_mu: Array, by_sigma: Array
) -> None:
    """Derivatives of log <e^(-s T)>."""

def lif_laplace_exponent(
    a: Array, reset: Array, threshold: Array, d: Array, exponent: Array, plain: Array, weighted: Array
) -> None:
    """For a = s tau_m: the integral of the log slope r(u) from reset to threshold, and the differences of r and u r."""

# --- PIF; a = v_reset - v_bound, d = v_threshold - v_reset ------------------------------------------------------------
def pif_rate(a: float, d: float, tau_ref: float, mu: Array, sigma: Array, out: Array) -> None:
    """`out`: the firing rate r [Hz]."""

def pif_log_rate(a: float, d: float, tau_ref: float, mu: Array, sigma: Array, out: Array) -> None:
    """`out`: log r, finite where r underflows."""

def pif_cv(a: float, d: float, tau_ref: float, mu: Array, sigma: Array, out: Array) -> None:
    """`out`: C_v of the intervals."""

def pif_log_rate_gradient(
    a: float, d: float, tau_ref: float, mu: Array, sigma: Array, by_mu: Array, by_sigma: Array
) -> None:
    """Derivatives of log r."""

def pif_cv_gradient(a: float, d: float, tau_ref: float, mu: Array, sigma: Array, by_mu: Array, by_sigma: Array) -> None:
    """Derivatives of C_v."""

def pif_log_laplace(a: float, d: float, tau_ref: float, s: Array, mu: Array, sigma: Array, out: Array) -> None:
    """`out`: log <e^(-s T)> at real s >= 0."""

def pif_log_laplace_gradient(
    a: float, d: float, s: Array, mu: Array, sigma: Array, by_mu: Array, by_sigma: Array
) -> None:
    """Derivatives of log <e^(-s T)>, which the refractory period does not change."""

def pif_cv_squared(rho: float, w: Array, out: Array) -> None:
    """`out`: C_v^2 without refractory period at the drift number w = 2 mu d/sigma^2, rho = a/d."""

def pif_input(a: float, d: float, low: float, rate: Array, cv: Array, mu: Array, sigma: Array) -> None:
    """mu and sigma of a rate and C_v without refractory period, C_v below its maximum, which lies at w = low."""

# --- any drift --------------------------------------------------------------------------------------------------------
def threshold_statistics(
    edges: Array,
    coefficients: Array,
    v_low: Array,
    v_reset: float,
    mu: Array,
    sigma: Array,
    s: Array,
    wanted: int,
    tolerance: float,
    roughest: float,
    most_steps: int,
    out: Array,
) -> None:
    """Interval statistics by threshold integration for a drift in Chebyshev panels (16 coefficients each).

    wanted: 1 moments + 2 Laplace + 4 gradients. `out` (13 n,): log <T> and derivatives by mu and sigma; log Var T and
    derivatives; log <e^(-s T)> and derivatives; error estimates of the three; 0 converged, 1 not converged, 2 silent.
    """

# --- power laws x^-a on [low, high], of whole numbers or continuous ---------------------------------------------------
def power_law_weights(exponent: float, low: float, high: float, continuous: int, starts: Array, weights: Array) -> None:
    """Sums (or integrals) of (x/low)^-a from each x of `starts` to `high`."""

def power_law_exponents(
    mean_logs: Array, low: float, high: float, continuous: int, exponents: Array, curvatures: Array
) -> None:
    """Exponents of maximum likelihood for means of log(x/low), and the Fisher information of one value."""

def power_law_scan(values: Array, counts: Array, lows: Array, high: float, continuous: int, result: Array) -> None:
    """`result` (place in `lows`, exponent, Kolmogorov-Smirnov distance) of the lower end with the least distance.

    `values` are distinct and rising, each `counts` times there.
    """

# --- networks of rate units -------------------------------------------------------------------------------------------
def rate_gather(starts: Index, partners: Ints, rates: Array, out: Array) -> None:
    """`out` (n,): the sum of the rates of partners[starts[i] : starts[i + 1]], for `starts` (n + 1,)."""

# --- networks spike by spike ------------------------------------------------------------------------------------------
def spiking_run(
    membranes: Floats,
    membrane_strips: Index,
    first_columns: Index,
    currents: Array,
    sinks: Index,
    summed: Index,
    extents: Index,
    tables: Index,
    externals: Index,
    pool: Floats,
    strips: Index,
    thresholds: Halves,
    rests: Ints,
    targets: Shorts,
    offsets: HalfWords,
    bits: Words,
    synaptic: Floats,
    key: Words,
    v: Floats,
    silent: Halves,
    s: Floats,
    counts: Shorts,
    sums: Floats,
    raster: Words,
    first_step: int,
    history: int,
    steps: int,
    window: int,
    n_threads: int,
    instruction_set: int,
    probes: Index,
    split: Floats,
    trace: Floats,
    per_step: float,
    plastic: Index,
    laws: Array,
    incoming: HalfWords,
    memory: Floats,
    releases: Index,
    release_laws: Array,
    released: Floats,
) -> None:
    """Advance v, silent and s by `steps` steps and write their raster after its `history` rows.

    Rows of integers describe: extents (population, first column, last, thread), tables (form, source's first column
    and columns, block's first column and columns, channel, delay, thread, delays that share its list, start of data,
    of offsets and of weights, numbers of its plasticity and short-term plasticity or -1 and start of its traces
    there), externals (population, noise, stream, sink, start in strips; thresholds, start of the lowest and of own
    ones or -1; thresholds of a rest, start of rests and of the neurons' laws or -1), sinks (population, channel)
    current or -1 for the potential, summed (population, channel) whether arrivals have weights of their own, which are
    in `synaptic`. `counts` and `sums` (channel, place) are zero; the latter may be empty where no channel is summed.
    `membranes` and `pool` hold strips of 512 values; `membrane_strips` and `strips` say which one each column uses:
    for decay, floor, reset, refractory steps, gain, onset and steepness of the upstroke, and what each current
    transfers; for drive, threshold, each channel's weight and each external's amplitude. `currents`: rows of
    population, decay, reversal, whether it inhibits, jump at spikes of the neuron itself, and of a gate, behind the
    currents of its population, half, steepness and strength. instruction_set: 0 best, 1 baseline, 2 AVX2, 3 AVX-512.
    `probes` are places, rising; `trace` (steps, probe, 6) receives their potential, their excitatory, inhibitory and
    noisy input [V/s], for which `split` (probe, current, 3) carries the currents of the three kinds on, and both
    conductances over the capacitance; per_step is 1/dt. `plastic`: rows (thread, block's first column and columns,
    traces, start of begins, of synapses and of their traces in `incoming`, of weights, of traces of arrivals and of
    neurons in `memory`), which is moved in place by `laws`: rows (decay, eta, offset, most). `releases`: rows
    (thread, traces, start of both kinds in `released`), `release_laws`: rows of their decays and use.
    """

def spiking_calcium(
    raster: Words,
    columns: int,
    first_column: int,
    first_step: int,
    decays: Array,
    kept: float,
    influx: float,
    k_m: float,
    k_d: float,
    flush: int,
    level: Array,
    since: Index,
    sums: Array,
    spikes: Index,
) -> None:
    """Calcium of the places from first_column on along a raster: `level` (n,) at the end of step `since` (n,).

    `sums` (4, n) gather C+ - C-, C+^2 - C-^2 and the logarithms of the saturating integrals (NaN for k_m: none) between
    events, `spikes` (n,) count. `decays` (k,) holds e^{-k dt/tau} for k = 0, 1, ..., at least two. With `flush` all
    come to the end of the raster.
    """

def spiking_count(raster: Words) -> int:
    """Number of bits that are set."""

def spiking_list(raster: Words, columns: int, steps: Ints, places: Ints) -> None:
    """Row and place of every bit that is set, in order."""

def spiking_take(
    raster: Words,
    population_of: Index,
    unit_of: Ints,
    first_step: int,
    bin_steps: int,
    counts: Index,
    steps: Index,
    units: Index,
) -> int:
    """Spikes of a raster as `steps` and `units` (n,), where `unit_of` their place is not negative; how many they are.

    All spikes are added to `counts` (bin, population) in bins of so many steps, from the bin of the first step on;
    `population_of` each column.
    """

def spiking_words(key: Words, stream: int, step: int, first_column: int, out: HalfWords) -> None:
    """Random words for whole columns from first_column on, 512 each (Threefry-4x32, 13 rounds)."""

def spiking_instruction_set() -> int:
    """The best that this machine has: 1 baseline, 2 AVX2, 3 AVX-512."""

def wiring_count(
    key: Words,
    block: Index,
    in_degrees: Index,
    given: HalfWords,
    delays: Shorts,
    law: HalfWords,
    offsets: HalfWords,
) -> None:
    """`offsets` (sources delays + 1,): where the synapses of each source and delay begin in a list.

    block = (streams of partners, delays and weights, first target, sources, whether a neuron leaves itself out,
    multapses, delays). Partners are drawn, or `given` for one target after the other; so are delays, as the number of
    thresholds of the `law` (delays - 1,) that a word reaches.
    """

def wiring_fill(
    key: Words,
    block: Index,
    in_degrees: Index,
    given: HalfWords,
    delays: Shorts,
    law: HalfWords,
    offsets: HalfWords,
    spread: Array,
    relative: Floats,
    targets: Shorts,
    weights: Floats,
) -> None:
    """`targets` (synapses,): the same synapses, ordered by source, delay, target; and `weights`, unless it is empty.

    Weights are drawn by `spread` = (1, mean, sd) as e^(mean + sd z), or (0, mean, sd) as mean + sd z above 0; or they
    are given as `relative`, for one target after the other.
    """

def wiring_bits(key: Words, block: Index, in_degrees: Index, law: HalfWords, bits: Words) -> None:
    """Set the bit of each synapse in rows (delay, source) of whole columns; neuron n is bit n // 64 of byte n % 64."""

# --- spike trains -----------------------------------------------------------------------------------------------------
def group_by_unit(times: Array, units: Index, grouped: Array, offsets: Index) -> None:
    """Sort times by unit, keeping their order: those of unit u are grouped[offsets[u] : offsets[u + 1]]."""

def interval_statistics(
    grouped: Array, offsets: Index, refractory: float, wanted: int, values: Array, variances: Array
) -> None:
    """`values` (5 n_units,): mean interval, C_v, CV2, LV and LvR of all units in turn, where `wanted` has their bit.

    The others, and units below three spikes, are NaN.
    """

def bin_counts(grouped: Array, offsets: Index, start: float, width: float, counts: Array) -> None:
    """`counts` (n_units n_bins,): spikes in bins of `width` [s] from `start` on; those beyond the last are left out."""

def count_statistics(counts: Array, n_bins: int, per: int, values: Array, variances: Array) -> None:
    """`values` (3 n_units n_bins//per,): mean, Fano and Allan factor of counts, in stretches of `per` bins."""

def cross_counts(
    grouped: Array, offsets: Index, first: Index, second: Index, slots: Index, width: float, n_lags: int, counts: Index
) -> None:
    """`counts` (n_slots n_lags,): lags t_second - t_first of the pairs of units, added up for those of one slot.

    Row s holds `n_lags` (odd) bins of `width` [s] around 0. A spike is no partner of itself.
    """

def count_short_intervals(grouped: Array, offsets: Index, limit: float, counts: Index) -> None:
    """`counts` (n_units,): intervals shorter than `limit` [s]."""
