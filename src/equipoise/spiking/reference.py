"""The step in NumPy: slow, readable, and equal to the compiled one spike for spike.

    u = v decay + drive + gain e^{(v - onset) steepness} (EIF) + sum over currents of transfer x s;
    each s takes its decay; then to u or to a current external input and weight x count of each channel;
    a silent neuron keeps its v; another takes max(u, floor), and at threshold fires, resets and falls silent

in single precision and in this order. Random words are Threefry-4x32 with 13 rounds (Salmon et al. 2011), normal
variates are made of them after Box & Muller with the core's polynomials.
"""

import numpy as np
from numpy.typing import NDArray

from equipoise.spiking.cells import FIELDS, POTENTIAL
from equipoise.spiking.external import POISSON, External
from equipoise.spiking.kernel import State
from equipoise.spiking.layout import COLUMN
from equipoise.spiking.network import Network
from equipoise.spiking.randomness import Words

f32 = np.float32
Word = NDArray[np.uint32]

ROTATIONS = ((10, 26), (11, 21), (13, 27), (23, 5), (6, 20), (17, 11), (25, 10), (18, 20))
ROUNDS = 13


def advance(network: Network, before: State, steps: int) -> tuple[State, Words]:
    """As `kernel.advance`: the state `steps` later and the raster of these steps."""
    network = network.acting()
    v, silent, currents = before.v.copy(), before.silent.copy(), before.currents.copy()
    fired = list(unpacked(before.recent))
    for step in range(before.step, before.step + steps):
        fired.append(one_step(network, (v, silent, currents), fired, step))
    raster = packed(np.array(fired))
    longest = network.delays[1]
    recent = raster[raster.shape[0] - longest :]
    after = State(step=before.step + steps, v=v, silent=silent, currents=currents, recent=recent)
    return after, raster[longest:]


def one_step(network: Network, state: tuple[NDArray, NDArray, NDArray], fired: list, step: int) -> NDArray[np.bool_]:
    """Update v, silent and currents in place; `fired` holds who fired at earlier steps, the last one at its end."""
    v, silent, currents = state
    decay, floor, reset, refractory, gain, onset, steepness = (network.cells.row(k) for k in range(len(FIELDS)))
    u = v * decay + network.drive
    u += np.where(gain == 0.0, f32(0.0), gain * exp32(np.clip((v - onset) * steepness, f32(-87.0), f32(88.0))))
    pass_currents(network, u, currents)
    for x in network.externals:
        place = network.layout.padded(x.population)
        sink = u if x.sink == POTENTIAL else currents[x.sink]
        sink[place] += external_input(network, x, step)
    pass_arrivals(network, u, currents, arrivals(network, fired))
    awake = silent == 0
    v[:] = np.where(awake, np.maximum(u, floor), v)
    fires = v >= network.threshold
    v[fires] = reset[fires]
    silent[:] = np.where(fires, refractory.astype(np.int32), silent - ~awake)
    return fires


def pass_currents(network: Network, u: NDArray, currents: NDArray) -> None:
    """Each current moves the potential, and decays."""
    number = [0] * len(network.layout.sizes)
    for population, decay in network.currents:
        k = number[int(population)]
        place, s, transfer = network.layout.padded(int(population)), currents[k], network.cells.row(len(FIELDS) + k)
        u[place] += transfer[place] * s[place]
        s[place] *= f32(decay)
        number[int(population)] += 1


def pass_arrivals(network: Network, u: NDArray, currents: NDArray, counts: NDArray[np.uint16]) -> None:
    """Each channel adds what arrived to its sink."""
    for k, sinks in enumerate(network.sinks):
        place = network.layout.padded(k)
        for sink, weight, count in zip(sinks, network.weights, counts, strict=True):
            target = u if sink == POTENTIAL else currents[sink]
            target[place] += weight[place] * count[place].astype(f32)


def arrivals(network: Network, fired: list) -> NDArray[np.uint16]:
    """Number of spikes that arrive in each channel at each place."""
    counts = np.zeros(network.weights.shape, np.int64)
    for table in network.tables.parts:
        source, place = table.synapses()
        sent = fired[-table.route.delay][network.layout.neurons(table.route.source)]
        counts[table.route.channel] += np.bincount(place, weights=sent[source], minlength=network.layout.places).astype(
            int
        )
    return counts.astype(np.uint16)


def external_input(network: Network, external: External, step: int) -> NDArray:
    """What a source adds at each place of its population."""
    place = network.layout.padded(external.population)
    words = column_words(network.key, external.stream, step, np.arange(place.start, place.stop, COLUMN) // COLUMN)
    if external.noise != POISSON:
        return external.amplitude * normals(words).ravel()
    thresholds = external.thresholds if external.thresholds.size else external.least[:, None]
    count = (words.ravel().view(np.int32) >= thresholds).sum(axis=0)
    return external.amplitude * count.astype(f32)


# --- random numbers ---------------------------------------------------------------------------------------------------
def column_words(key: Words, stream: int, step: int, columns: NDArray[np.int64]) -> Word:
    """One word for each neuron of the columns (n, 512)."""
    lane = (columns[:, None] * (COLUMN // 4) + np.arange(COLUMN // 4)).astype(np.uint32)
    counter = np.array([step & 0xFFFFFFFF, step >> 32, stream], np.uint32)
    blocks = [lane, *(np.broadcast_to(c, lane.shape) for c in counter)]
    return np.concatenate(threefry(key, blocks), axis=1)


def threefry(key: Words, counter: list[Word]) -> list[Word]:
    """Four words for each counter of four words."""
    k = [np.uint32(w >> s & 0xFFFFFFFF) for w in map(int, key) for s in (0, 32)]
    k.append(np.bitwise_xor.reduce(np.array([*k, 0x1BD11BDA], np.uint32)))
    x = [c + w for c, w in zip(counter, k, strict=False)]
    for r in range(ROUNDS):
        first, second = ROTATIONS[r % 8]
        one, other = (1, 3) if r % 2 == 0 else (3, 1)
        x[0] = x[0] + x[one]
        x[one] = rotated(x[one], first) ^ x[0]
        x[2] = x[2] + x[other]
        x[other] = rotated(x[other], second) ^ x[2]
        if r % 4 == 3:
            turn = r // 4 + 1
            x = [c + k[(turn + i) % 5] for i, c in enumerate(x)]
            x[3] = x[3] + np.uint32(turn)
    return x


def rotated(x: Word, k: int) -> Word:
    """Bits rotated to the left."""
    return (x << np.uint32(k)) | (x >> np.uint32(32 - k))


def normals(words: Word) -> NDArray:
    """Normal variates (n, 512) from as many words: neurons l and 128 + l of each half of a column share a pair."""
    quarters = words.reshape(-1, 2, 2, COLUMN // 4)
    pair = normal_pair(quarters[:, :, 0], quarters[:, :, 1])
    return np.stack(pair, axis=2).reshape(words.shape)


def normal_pair(radius: Word, turn: Word) -> tuple[NDArray, NDArray]:
    """Two normal variates from two words (Box & Muller 1958)."""
    u = ((radius >> np.uint32(8)).astype(f32) + f32(0.5)) * f32(2.0**-24)
    r = np.sqrt(f32(-2.0) * log32(u))
    t = (turn << np.uint32(2)).view(np.int32).astype(f32) * f32(3.6572562e-10)
    q = t * t
    sine = polynomial(q, -1.9513653e-4, 8.332123e-3, -0.16666654) * (q * t) + t
    cosine = polynomial(q, 2.4454814e-5, -1.3887507e-3, 0.04166665, -0.5, 1.0)
    swapped = (turn & np.uint32(0x40000000)) != 0
    signed = np.where((turn & np.uint32(0x80000000)) != 0, -r, r)
    return signed * np.where(swapped, -sine, cosine), signed * np.where(swapped, cosine, sine)


def log32(x: NDArray) -> NDArray:
    """log x of normal x > 0."""
    bits = x.view(np.int32)
    e = (bits - np.int32(0x3F333333)) >> 23
    z = (bits - e * np.int32(1 << 23)).view(f32) - f32(1.0)
    p = polynomial(z, -0.10343286, 0.16298333, -0.17186595, 0.19892034, -0.24978456, 0.33335245, -0.5)
    return e.astype(f32) * f32(0.6931472) + (p * (z * z) + z)


def exp32(x: NDArray) -> NDArray:
    """e^x for -87 <= x <= 88."""
    grid = f32(12582912.0)
    shifted = x * f32(1.442695) + grid
    n = shifted - grid
    r = (x - n * f32(0.693359375)) + n * f32(2.1219444e-4)
    p = polynomial(r, 8.369343e-3, 0.04190204, 0.16666514, 0.4999911)
    power = (shifted.view(np.int32) - grid.view(np.int32) + np.int32(127)) * np.int32(1 << 23)
    return ((p * r) * r + r + f32(1.0)) * power.view(f32)


def polynomial(x: NDArray, *coefficients: float) -> NDArray:
    """Horner's rule, highest power first."""
    value = np.full_like(x, coefficients[0])
    for c in coefficients[1:]:
        value = value * x + f32(c)
    return value


# --- bits -------------------------------------------------------------------------------------------------------------
def packed(fired: NDArray[np.bool_]) -> Words:
    """Flags (steps, places) as a raster (steps, words)."""
    return np.packbits(fired, axis=1, bitorder="little").view(np.uint64)


def unpacked(raster: Words) -> NDArray[np.bool_]:
    """A raster as flags."""
    return np.unpackbits(raster.view(np.uint8), axis=1, bitorder="little").astype(bool)
