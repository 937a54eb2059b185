"""The step in NumPy: slow, readable, and equal to the compiled one spike for spike.

    x = drive + gain e^{(v - onset) steepness} (EIF) + sum over currents of transfer x s + what a gate draws
        + external input + sum over channels of weight x arrivals (a count, or a sum of relative weights);
    u = v decay + x; a silent neuron keeps its v; another takes max(u, floor), and at threshold fires, resets and falls
    silent

in single precision and in this order. What external input or a channel brings to a current is added to s, once s has
decayed. Neurons with conductances s (over the capacitance, of reversal E) take instead

    a = transfer x s of each,   A = leak + sum of a,   B = drive + sum of a x E,   u = v + (B/A - v)(1 - e^{-A}).

A gate m opens towards m_inf(v) before the step that it takes part in: as a conductance, or with h = transfer g m/2 by
h (2 E - v - u)/(1 + h), u = v decay + x as it is without arrivals. Numbers below the smallest normal one become 0.

Random words are Threefry-4x32 with 13 rounds (Salmon et al. 2011), normal
variates are made of them after Box & Muller with the core's polynomials.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from equipoise.spiking import learning, releasing
from equipoise.spiking.cells import FIELDS, POTENTIAL
from equipoise.spiking.external import GAUSSIAN, GIVEN, External
from equipoise.spiking.kernel import State
from equipoise.spiking.layout import COLUMN
from equipoise.spiking.network import Network
from equipoise.spiking.probes import KINDS, Probes
from equipoise.spiking.randomness import Words
from equipoise.spiking.tables import Table

f32 = np.float32
Word = NDArray[np.uint32]

ROTATIONS = ((10, 26), (11, 21), (13, 27), (23, 5), (6, 20), (17, 11), (25, 10), (18, 20))
ROUNDS = 13


def advance(network: Network, before: State, steps: int, *, probes: Probes | None = None) -> tuple[State, Words]:
    """As `kernel.advance`: the state `steps` later and the raster of these steps, and what `probes` see."""
    network = network.acting()
    v, silent, currents = before.v.copy(), before.silent.copy(), before.currents.copy()
    learned = {name: x.copy() for name, x in before.learned.items()}
    fired = list(unpacked(before.recent))
    for step in range(before.step, before.step + steps):
        look = Look(network, probes, step - before.step)
        fired.append(one_step(network, (v, silent, currents, learned), fired, step, look))
    raster = packed(np.array(fired))
    longest = network.delays[1]
    recent = raster[raster.shape[0] - longest :]
    after = State(step=before.step + steps, v=v, silent=silent, currents=currents, recent=recent, learned=learned)
    return after, raster[longest:]


def one_step(
    network: Network, state: tuple[NDArray, NDArray, NDArray, dict[str, NDArray]], fired: list, step: int, look: "Look"
) -> NDArray[np.bool_]:
    """Update the state in place; `fired` holds who fired at earlier steps, the last one at its end."""
    v, silent, currents, learned = state
    decay, floor, reset, refractory, gain, onset, steepness, leak = (network.cells.row(k) for k in range(len(FIELDS)))
    x = network.drive.copy()
    x += np.where(gain == 0.0, f32(0.0), gain * exp32(np.clip((v - onset) * steepness, f32(-87.0), f32(88.0))))
    total = leak.copy()
    pass_currents(network, x, total, currents)
    pass_gates(network, v, (x, total), currents)
    for source in network.externals:
        place = network.layout.padded(source.population)
        sink = x if source.sink == POTENTIAL else currents[source.sink]
        added = external_input(network, source, step)
        sink[place] += added
        look.source(source, added)
    lessons = [Lesson(network, index, learned) for index in plastic_in(network)]
    gifts = {index: Gift(network, index, learned) for index in dict(network.releasing.places)}  # once for all blocks
    counts = arrivals(network, fired, {lesson.index: lesson for lesson in lessons}, gifts)
    look.arriving(counts)
    pass_arrivals(network, x, currents, counts)
    u = np.where(total > 0.0, v + (x / np.where(total > 0.0, total, f32(1.0)) - v) * lost32(total), v * decay + x)
    awake = silent == 0
    v[:] = np.where(awake, np.maximum(u, floor), v)
    fires = v >= network.threshold
    v[fires] = reset[fires]
    adapt(network, currents, fires)
    silent[:] = np.where(fires, refractory.astype(np.int16), silent - ~awake)
    look.finish(v, currents)
    for lesson in lessons:
        lesson.answer(fires)
    for values in (v, currents, *learned.values()):
        values[np.abs(values) < np.finfo(f32).tiny] = f32(0.0)
    return fires


def pass_currents(network: Network, x: NDArray, total: NDArray, currents: NDArray) -> None:
    """Each current moves the potential, or each conductance pulls at it, and decays."""
    for population, k, (decay, reversal, _, jump, *gate) in currents_in(network):
        if is_gate(gate):
            continue
        place, s, transfer = network.layout.padded(population), currents[k], network.cells.row(len(FIELDS) + k)
        moved = transfer[place] * s[place]
        if conducts(network, population) and jump == 0.0:
            total[place] += moved
            moved = moved * f32(reversal)
        x[place] += moved
        s[place] *= f32(decay)


def pass_gates(network: Network, v: NDArray, sums: tuple[NDArray, NDArray], currents: NDArray) -> None:
    """Each gate moves to where the potential has it, and what is open pulls at the potential."""
    x, total = sums
    for population, k, (decay, reversal, _, _, *gate) in currents_in(network):
        if not is_gate(gate):
            continue
        half, steepness, strength = (f32(value) for value in gate)
        place, transfer = network.layout.padded(population), network.cells.row(len(FIELDS) + k)
        m, u, E = currents[k, place], v[place], f32(reversal)
        goal = f32(1.0) / (f32(1.0) + exp32(np.clip((half - u) * steepness, f32(-87.0), f32(87.0))))
        m[:] = goal + (m - goal) * f32(decay)
        if conducts(network, population):
            a = (transfer[place][0] * strength) * m
            total[place] += a
            x[place] += a * E
        else:
            h = (transfer[place] * (f32(0.5) * strength)) * m
            without = u * network.cells.row(FIELDS.index("decay"))[place] + x[place]
            x[place] += (h * ((f32(2.0) * E - u) - without)) / (f32(1.0) + h)


def is_gate(gate: Sequence[float]) -> bool:
    """Whether a row of `cells.CURRENT`, from `half` on, is that of a gate."""
    return gate[-1] > 0.0


def adapt(network: Network, currents: NDArray, fires: NDArray[np.bool_]) -> None:
    """Spikes build up the adaptation of their neurons."""
    for population, k, (_, _, _, jump, *gate) in currents_in(network):
        place = network.layout.padded(population)
        left = f32(jump if is_gate(gate) else 0.0)
        currents[k, place] += np.where(fires[place], f32(jump) - left * currents[k, place], f32(0.0))


def currents_in(network: Network) -> Iterator[tuple[int, int, tuple[float, ...]]]:
    """Population, number within it, and the rest of `cells.CURRENT`, of each current or conductance."""
    number = [0] * len(network.layout.sizes)
    for row in network.currents:
        population = int(row[0])
        yield population, number[population], tuple(row[1:])
        number[population] += 1


def conducts(network: Network, population: int) -> bool:
    """Whether the synapses of a population are conductances."""
    return bool(network.cells.row(FIELDS.index("leak"))[network.layout.neurons(population).start] > 0.0)


def pass_arrivals(network: Network, x: NDArray, currents: NDArray, arrived: NDArray) -> None:
    """Each channel adds what arrived to its sink."""
    for k, sinks in enumerate(network.sinks):
        place = network.layout.padded(k)
        for sink, weight, number in zip(sinks, network.weights, arrived, strict=True):
            target = x if sink == POTENTIAL else currents[sink]
            target[place] += weight[place] * number[place]


def arrivals(
    network: Network,
    fired: list,
    lessons: "dict[int, Lesson] | None" = None,
    gifts: "dict[int, Gift] | None" = None,
) -> NDArray:
    """What arrives in each channel at each place: the number of spikes, or the sum of the relative weights they meet.

    A sum goes over the tables in their order, and in each over the presynaptic neurons. `lessons`: those of plastic
    projections by number, whose synapses move first; `gifts`: those with short-term plasticity.
    """
    arrived = np.zeros(network.weights.shape, f32)
    for table in network.tables.parts:
        source, place = table.synapses()
        senders = fired[-table.delay][network.layout.neurons(table.route.source)]
        sent = senders[source]
        lesson = (lessons or {}).get(table.route.index)
        weights = table.relative_weights()[sent] if lesson is None else lesson.arrive(table, senders, sent)
        gift = (gifts or {}).get(table.route.index)
        weights = weights if gift is None else gift.shares(table, senders)[source[sent]] * weights
        np.add.at(arrived[table.route.channel], place[sent], weights)
    return arrived


# --- synapses that move -----------------------------------------------------------------------------------------------
def plastic_in(network: Network) -> list[int]:
    """Numbers of the plastic projections."""
    return list(dict.fromkeys(learner.index for learner in network.learning.learners))


class Lesson:
    """The plastic synapses of a projection in one step, which moves `learned` in place; traces fade first."""

    def __init__(self, network: Network, index: int, learned: dict[str, NDArray]):
        self.index, projection = index, network.origin.projections[index]
        decay, self.eta, self.offset, self.most = (f32(x) for x in learning.law(projection, network.dt))
        self.weights, self.before, self.after = (learned[f"{index}.{part}"] for part in learning.PARTS)
        self.before *= decay
        self.after *= decay
        self.place = network.layout.padded(network.layout.names.index(projection.target))
        tables = [t for t in network.tables.parts if t.route.index == index]
        self.sources = network.layout.sizes[tables[0].route.source]
        self.synapses = [(t, *t.synapses()) for t in tables]
        self.order = ordered(self.synapses)
        self.reached = [np.empty(0, bool)] * len(tables[0].route.delays)

    def arrive(self, table: Table, senders: NDArray[np.bool_], sent: NDArray[np.bool_]) -> NDArray:
        """Spikes of the `senders` reach those synapses of a table that are `sent`; their weights."""
        mine = self.order[[t is table for t, _, _ in self.synapses].index(True)][sent]
        post = table.synapses()[1][sent] - self.place.start
        self.weights[mine] = self.moved(self.weights[mine], self.after[post] - self.offset)
        self.reached[table.which] = senders
        return self.weights[mine]

    def answer(self, fires: NDArray[np.bool_]) -> None:
        """Those that fired move the synapses onto them, when all that arrived has left its trace."""
        self.before += np.concatenate(self.reached).astype(f32)
        spikes = fires[self.place]
        for (table, source, place), order in zip(self.synapses, self.order, strict=True):
            hit = spikes[place - self.place.start]
            trace = self.before[table.which * self.sources + source[hit]]
            self.weights[order[hit]] = self.moved(self.weights[order[hit]], trace)
        self.after += spikes.astype(f32)

    def moved(self, weights: NDArray, by: NDArray) -> NDArray:
        """Weights after a step of eta, between 0 and the largest."""
        return np.clip(weights + self.eta * by, f32(0.0), self.most)


class Gift:
    """Short-term plasticity of a projection in one step, which moves `learned` in place; all fades first."""

    def __init__(self, network: Network, index: int, learned: dict[str, NDArray]):
        projection = network.origin.projections[index]
        *decays, self.use = (f32(x) for x in releasing.law(projection, network.dt))
        self.f, self.d = (learned[f"{index}.{trace}"] for trace in releasing.TRACES)
        self.f *= decays[0]
        self.d *= decays[1]
        self.given: dict[int, NDArray] = {}

    def shares(self, table: Table, senders: NDArray[np.bool_]) -> NDArray:
        """What part of the weights each of the senders brings; the tables of one delay share it."""
        if table.which not in self.given:
            mine = slice(table.which * senders.size, (table.which + 1) * senders.size)
            u = self.f[mine] + self.use * (f32(1.0) - self.f[mine])
            given = u * (f32(1.0) - self.d[mine])
            self.f[mine] = np.where(senders, u, self.f[mine])
            self.d[mine] = np.where(senders, self.d[mine] + given, self.d[mine])
            self.given[table.which] = given
        return self.given[table.which]


def ordered(synapses: list[tuple[Table, NDArray, NDArray]]) -> list[NDArray]:
    """Where the synapses of each table stand by target, delay and presynaptic neuron."""
    post = np.concatenate([place for _, _, place in synapses])
    pre = np.concatenate([source for _, source, _ in synapses])
    delay = np.concatenate([np.full(source.size, table.which) for table, source, _ in synapses])
    rank = np.empty(post.size, np.int64)
    rank[np.lexsort((pre, delay, post))] = np.arange(post.size)
    return np.split(rank, np.cumsum([source.size for _, source, _ in synapses])[:-1])


def external_input(network: Network, external: External, step: int) -> NDArray:
    """What a source adds at each place of its population."""
    place = network.layout.padded(external.population)
    columns = np.arange(place.start, place.stop, COLUMN) // COLUMN
    if external.noise == GIVEN:
        return external.amplitude * given_counts(external, step)
    if external.noise == GAUSSIAN:
        words = column_words(network.key, external.stream, step, columns, BLOCKS_OF_WORDS)
        return external.amplitude * normals(words).ravel()
    numbers = column_words(network.key, external.stream, step, columns, BLOCKS_OF_HALVES).view(np.int16).ravel()
    laws = external.laws
    count = (numbers >= (laws.thresholds if laws.law.size else laws.least[:, None])).sum(axis=0)
    for i in np.flatnonzero(count == laws.least.size):
        own = laws.rest[laws.law[i] if laws.law.size else 0]
        count[i] = (own <= extra_word(network.key, external.stream, step, place.start + int(i))).sum()
    return external.amplitude * count.astype(f32)


def given_counts(external: External, step: int) -> NDArray[np.float32]:
    """The counts of a step among the events that `equipoise.spiking.volleys` made."""
    rest, columns = external.laws.rest[0], external.amplitude.size // COLUMN
    events, counts = rest[columns + 1 :].reshape(-1, 3), np.zeros(external.amplitude.size, f32)
    column = np.repeat(np.arange(columns), np.diff(rest[: columns + 1]))
    now = events[:, 0] == step
    counts[column[now] * COLUMN + events[now, 1]] = events[now, 2]
    return counts


# --- what neurons feel ------------------------------------------------------------------------------------------------
class Look:
    """The probes in one step: what came by kind, to the potential `jumps` (n, 3) and to currents `split`."""

    def __init__(self, network: Network, probes: Probes | None, k: int):
        self.network, self.probes, self.k = network, probes, k
        self.places = np.empty(0, np.int64) if probes is None else probes.places
        self.split = np.zeros((0, network.most_currents, KINDS), f32) if probes is None else probes.split
        self.jumps = np.zeros((self.places.size, KINDS), f32)
        self.population = network.layout.population_of(self.places)
        for population, k, (decay, *_) in currents_in(network):
            self.split[self.population == population, k] *= f32(decay)

    def source(self, external: External, added: NDArray) -> None:
        """A source added this at the places of its population."""
        first = self.network.layout.padded(external.population).start
        for p in np.flatnonzero(self.population == external.population).tolist():
            place = self.places[p] - first
            kind = 2 if external.noise == GAUSSIAN else int(external.amplitude[place] < 0)
            self._add(p, external.sink, kind, added[place])

    def arriving(self, counts: NDArray[np.uint16]) -> None:
        """So many spikes arrive in each channel at each place."""
        for p, (place, population) in enumerate(zip(self.places, self.population, strict=True)):
            for sink, weight, count in zip(self.network.sinks[population], self.network.weights, counts, strict=True):
                self._add(p, sink, int(weight[place] < 0), weight[place] * count[place].astype(f32))

    def finish(self, v: NDArray, s: NDArray) -> None:
        """Write the step into the trace; s are currents or conductances."""
        if self.probes is None:
            return
        total = self.jumps * f32(1.0 / self.network.dt)
        for c in range(self.network.most_currents):
            total = total + self.split[:, c]
        trace = self.probes.trace[self.k]
        trace[:, 0], trace[:, 1 : 1 + KINDS], trace[:, 1 + KINDS :] = v[self.places], total, f32(0.0)
        conducting = np.array([conducts(self.network, int(p)) for p in self.population], bool)
        trace[conducting, 1 : 1 + 2] = f32(0.0)
        for population, c, (_, reversal, inhibits, jump, *gate) in currents_in(self.network):
            if jump != 0.0 or is_gate(gate):
                continue
            here, kind = conducting & (self.population == population), int(inhibits)
            g = s[c, self.places[here]]
            trace[here, 1 + kind] += g * (f32(reversal) - trace[here, 0])
            trace[here, 1 + KINDS + kind] += g

    def _add(self, p: int, sink: int, kind: int, x: NDArray) -> None:
        if sink == POTENTIAL:
            self.jumps[p, kind] += x
        else:
            self.split[p, sink, kind] += x


# --- random numbers ---------------------------------------------------------------------------------------------------
BLOCKS_OF_WORDS, BLOCKS_OF_HALVES = COLUMN // 4, COLUMN // 8


def column_words(key: Words, stream: int, step: int, columns: NDArray[np.int64], blocks: int) -> Word:
    """The words of so many blocks for each of the columns (n, 4 blocks)."""
    lane = (columns[:, None] * blocks + np.arange(blocks)).astype(np.uint32)
    counter = np.array([step & 0xFFFFFFFF, step >> 32, stream], np.uint32)
    return np.concatenate(threefry(key, [lane, *(np.broadcast_to(c, lane.shape) for c in counter)]), axis=1)


def extra_word(key: Words, stream: int, step: int, place: int) -> np.int32:
    """One more word for a place, read as signed."""
    counter = np.array([place, step & 0xFFFFFFFF, step >> 32, stream | 0x80000000], np.uint32)
    return threefry(key, list(counter[:, None]))[0].view(np.int32)[0]


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
    power, rest = exp_parts(x)
    return (rest + f32(1.0)) * power


def lost32(x: NDArray) -> NDArray:
    """1 - e^{-x} for x >= 0."""
    power, rest = exp_parts(np.maximum(-x, f32(-87.0)))
    return (f32(1.0) - power) - power * rest


def exp_parts(x: NDArray) -> tuple[NDArray, NDArray]:
    """x = n log 2 + r: 2^n, and e^r - 1."""
    grid = f32(12582912.0)
    shifted = x * f32(1.442695) + grid
    n = shifted - grid
    r = (x - n * f32(0.693359375)) + n * f32(2.1219444e-4)
    p = polynomial(r, 8.369343e-3, 0.04190204, 0.16666514, 0.4999911)
    power = (shifted.view(np.int32) - grid.view(np.int32) + np.int32(127)) * np.int32(1 << 23)
    return power.view(f32), (p * r) * r + r


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
