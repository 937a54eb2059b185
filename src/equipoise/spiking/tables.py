"""Synapses as the step reads them: for each projection, block of its target and delay one table.

A table is a bitmap where that takes no more memory than a list, from a connection probability of about 1/16 on, and
else a list of 16-bit indices within the block for each presynaptic neuron, beside it a list of relative weights where
synapses have weights of their own. Delays of one projection share a list, in which the rows of a presynaptic neuron
stand side by side. Lists are made in two passes, so that no more memory is taken than they need.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise import _core
from equipoise.model.weight_spread import LogNormalSpread, NormalSpread
from equipoise.spiking.layout import COLUMN, WORDS, Block, Layout
from equipoise.spiking.randomness import DELAYS, PARTNERS, WEIGHTS, Words
from equipoise.spiking.wiring import Route, Wiring, in_degrees

LIST, BITMAP, WEIGHTED = range(3)
How = tuple[Words, NDArray[np.int64], NDArray[np.int64], NDArray[np.uint32], NDArray[np.uint16], NDArray[np.uint32]]
"""Key, block, in-degrees, partners and delays where they are given, and law of the delays, as the core takes them."""
MOST_ARRIVALS = np.iinfo(np.uint16).max


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """The synapses of a route onto one block with its delay number `which`.

    A list: `targets`, `weights` and `offsets` are those of all delays, and the row of source s begins at
    offsets[s D + which] with D delays. A bitmap: row s of `bits`.
    """

    route: Route
    block: Block
    which: int
    form: int
    start: int  # where the views begin in the arrays of all tables: targets or bits, offsets, weights
    offsets_start: int
    weights_start: int
    targets: NDArray[np.uint16]
    offsets: NDArray[np.uint32]
    weights: NDArray[np.float32]
    bits: Words

    @property
    def delay(self) -> int:
        """In steps."""
        return self.route.delays[self.which]

    def synapses(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Presynaptic neuron within its population, and postsynaptic place in the layout, of every synapse."""
        start = self.block.first * COLUMN
        if self.form != BITMAP:
            source, entry = self.entries()
            return source, start + self.targets[entry].astype(np.int64)
        columns = self.block.last - self.block.first
        bits = np.unpackbits(self.bits.view(np.uint8), bitorder="little").reshape(-1, columns, 64, 8)
        source, place = np.nonzero(bits.transpose(0, 1, 3, 2).reshape(-1, columns * COLUMN))
        return source, start + place

    def relative_weights(self) -> NDArray[np.float32]:
        """Weight of every synapse relative to that of the projection, in the order of `synapses`."""
        if self.form == WEIGHTED:
            return self.weights[self.entries()[1]]
        return np.ones(self.synapses()[0].size, np.float32)

    def row(self, layout: Layout, moving: tuple[int, int]) -> list[int]:
        """The table as the core knows it; `moving`: the numbers of its plasticity and its short-term plasticity."""
        first, last = layout.first_columns[self.route.source : self.route.source + 2]
        b, r = self.block, self.route
        where = [int(first), int(last - first), b.first, b.last - b.first, r.channel, self.delay, b.thread]
        starts = [self.start, self.offsets_start + (self.which if self.form != BITMAP else 0), self.weights_start]
        return [self.form, *where, len(r.delays), *starts, *moving, self.which * layout.sizes[r.source]]

    def entries(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Source and place in the list of every synapse."""
        stride, offsets = len(self.route.delays), self.offsets.astype(np.int64)
        begin, end = offsets[self.which : -1 : stride], offsets[self.which + 1 :: stride]
        lengths = end - begin
        before = np.cumsum(lengths) - lengths
        return (
            np.repeat(np.arange(begin.size), lengths),
            np.repeat(begin - before, lengths) + np.arange(lengths.sum()),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Tables:
    """All tables, ordered by thread, source and delay, and the arrays that hold them."""

    parts: tuple[Table, ...]
    targets: NDArray[np.uint16]
    offsets: NDArray[np.uint32]
    weights: NDArray[np.float32]
    bits: Words

    @property
    def nbytes(self) -> int:
        """Memory of all synapses."""
        return self.targets.nbytes + self.offsets.nbytes + self.weights.nbytes + self.bits.nbytes

    @property
    def synapses(self) -> int:
        """Number of all synapses."""
        return self.targets.size + int(_core.spiking_count(self.bits))


@dataclass(frozen=True, kw_only=True)
class _Draft:
    """All delays of a route onto one block, before their memory is there; `how` is the core's name for the synapses.

    `size` entries of a list, or words of a bitmap.
    """

    route: Route
    block: Block
    form: int
    size: int
    offsets: NDArray[np.uint32]
    how: How
    relative: NDArray[np.float32]

    def fill(self, targets: NDArray[np.uint16], weights: NDArray[np.float32], bits: Words) -> None:
        """Write the synapses into their memory."""
        if self.form == BITMAP:
            key, draw, here, _, _, law = self.how
            _core.wiring_bits(key, draw, here, law, bits)
            return
        spread = _law_of_weights(self.route)
        unequal = bool(spread.size or self.relative.size)
        weights[:] = 1.0
        _core.wiring_fill(*self.how, self.offsets, spread, self.relative, targets, weights if unequal else weights[:0])


def build_tables(routes: Sequence[Route], layout: Layout, wiring: Wiring, key: Words) -> Tables:
    """Draw all synapses; ValueError for graphs that do not exist or cannot be counted."""
    jobs: list[tuple[Route, Block, NDArray[np.int64]]] = []
    most = np.zeros((len(layout.sizes), 1 + max((r.channel for r in routes), default=0)), np.int64)
    for route in routes:
        degrees = in_degrees(route, layout, wiring, key) if route.matrix is None else route.matrix.in_degrees
        if not route.weighted:
            most[route.target, route.channel] += degrees.max(initial=0)
        jobs += [(route, b, degrees) for b in layout.blocks if b.population == route.target]
    _check_arrivals(most, layout)
    with ThreadPoolExecutor(layout.threads) as pool:
        drafts = list(pool.map(lambda job: _draft(*job, layout=layout, wiring=wiring, key=key), jobs))
        drafts.sort(key=lambda d: (d.block.thread, d.route.source))
        tables = _allocated(drafts)
        whole = {(t.route.index, t.block): t for t in tables.parts if t.which == 0}
        list(pool.map(lambda d: _fill(d, whole[d.route.index, d.block], tables.bits), drafts))
    return tables


def expected_bytes(routes: Iterable[Route], layout: Layout, wiring: Wiring) -> float:
    """Memory that the tables will take."""
    total = 0.0
    for r in routes:
        given = None if r.matrix is None else r.matrix.source.size
        drawn = r.projection.connectivity.mean(layout.sizes[r.source]) * layout.sizes[r.target]
        as_list, as_bits = _bytes(r, layout, drawn if given is None else given)
        total += min(as_list, as_bits) if _may_be_bitmap(r, wiring) else as_list
    return total


def _bytes(route: Route, layout: Layout, synapses: float) -> tuple[float, float]:
    """Memory of a route as lists and as bitmaps."""
    blocks = [b for b in layout.blocks if b.population == route.target]
    rows, columns = layout.sizes[route.source] * len(route.delays), sum(b.last - b.first for b in blocks)
    each = 2.0 + 4.0 * route.weighted + 12.0 * (route.projection.plasticity is not None)
    return each * synapses + 4.0 * len(blocks) * (rows + 1), 8.0 * WORDS * columns * rows


def _may_be_bitmap(route: Route, wiring: Wiring) -> bool:
    """A bit says no more than whether there is a synapse."""
    return not (wiring.multapses or route.weighted or route.matrix is not None)


def _check_arrivals(most: NDArray[np.int64], layout: Layout) -> None:
    """Arrivals are counted in 16 bits; a neuron with fewer synapses of one kind cannot overflow them."""
    for target, channel in np.argwhere(most > MOST_ARRIVALS):
        raise ValueError(
            f"spiking: a neuron of {layout.names[target]!r} has up to {most[target, channel]:,} synapses of one "
            f"weight; at most {MOST_ARRIVALS:,} can be counted. Give parts of them another weight."
        )


def _law_of_weights(route: Route) -> NDArray[np.float64]:
    """(logarithmic, mean, SD) as the core draws them, or nothing (0,)."""
    match route.projection.weight_spread:
        case LogNormalSpread() as spread:
            return np.array([1.0, -0.5 * spread.log_sd**2, spread.log_sd])
        case NormalSpread() as spread:
            return np.array([0.0, spread.scale, spread.cv * spread.scale])
    return np.empty(0)


def _draft(
    route: Route, block: Block, degrees: NDArray[np.int64], layout: Layout, wiring: Wiring, key: Words
) -> _Draft:
    """How the synapses onto a block will be kept, and where each row of a list begins."""
    how, relative = _how(route, block, degrees, layout, wiring, key)
    rows = layout.sizes[route.source] * len(route.delays)
    as_list, as_bits = _bytes(route, layout, float(degrees.sum()))
    if as_bits <= as_list and _may_be_bitmap(route, wiring):
        size, form, offsets = rows * (block.last - block.first) * WORDS, BITMAP, np.empty(0, np.uint32)
    else:
        offsets = np.empty(rows + 1, np.uint32)
        _core.wiring_count(*how, offsets)
        size, form = int(offsets[-1]), WEIGHTED if route.weighted else LIST
    return _Draft(route=route, block=block, form=form, size=size, offsets=offsets, how=how, relative=relative)


def _how(
    route: Route, block: Block, degrees: NDArray[np.int64], layout: Layout, wiring: Wiring, key: Words
) -> tuple[How, NDArray[np.float32]]:
    """The synapses onto a block as the core takes them, and their relative weights where they are given."""
    first, last = _posts(block, layout)
    streams = [x + route.index for x in (PARTNERS, DELAYS, WEIGHTS)]
    itself = int(route.source == route.target and not wiring.autapses)
    sources = layout.sizes[route.source]
    draw = np.array([*streams, first, sources, itself, int(wiring.multapses), len(route.delays)], np.int64)
    given, delay, relative = np.empty(0, np.uint32), np.empty(0, np.uint16), np.empty(0, np.float32)
    if route.matrix is not None:
        given, delay, relative = route.matrix.block(first, last)
    law = np.array(route.delay_law, np.uint32)
    return (key, draw, degrees[first:last], given, delay, law), relative


def _posts(block: Block, layout: Layout) -> tuple[int, int]:
    """The neurons of a block within their population."""
    base = int(layout.first_columns[block.population])
    return (block.first - base) * COLUMN, min((block.last - base) * COLUMN, layout.sizes[block.population])


def _allocated(drafts: Sequence[_Draft]) -> Tables:
    """Tables of the right sizes, not yet filled."""
    targets = np.empty(sum(d.size for d in drafts if d.form != BITMAP), np.uint16)
    weights = np.empty(sum(d.size for d in drafts if d.form == WEIGHTED), np.float32)
    bits = aligned(sum(d.size for d in drafts if d.form == BITMAP), np.uint64)
    offsets = np.concatenate([np.empty(0, np.uint32), *(d.offsets for d in drafts)])
    parts, at = [], np.zeros(4, np.int64)  # of targets, offsets, weights and bits
    for d in drafts:
        sizes = np.array([d.size * (d.form != BITMAP), d.offsets.size, d.size * (d.form == WEIGHTED), 0])
        sizes[3] = d.size - sizes[0]
        views = [x[i : i + n] for x, i, n in zip((targets, offsets, weights, bits), at, sizes, strict=True)]
        parts += _views(d, views, at.tolist())
        at += sizes
    parts.sort(key=lambda t: (t.block.thread, t.route.source, t.delay))
    return Tables(parts=tuple(parts), targets=targets, offsets=offsets, weights=weights, bits=bits)


def _views(d: _Draft, views: Sequence[NDArray], at: Sequence[int]) -> Iterable[Table]:
    """The tables of one draft, a delay each."""
    targets, offsets, weights, bits = views
    words = bits.size // len(d.route.delays)
    for which in range(len(d.route.delays)):
        yield Table(
            route=d.route, block=d.block, which=which, form=d.form,
            start=at[3] + which * words if d.form == BITMAP else at[0], offsets_start=at[1], weights_start=at[2],
            targets=targets, offsets=offsets, weights=weights, bits=bits[which * words : (which + 1) * words],
        )  # fmt: skip


def _fill(draft: _Draft, first: Table, bits: Words) -> None:
    draft.fill(first.targets, first.weights, bits[first.start : first.start + draft.size])


def aligned(n: int, dtype: type) -> NDArray:
    """Zeros (n,) that begin at a cache line, as the vector units like it."""
    size = np.dtype(dtype).itemsize
    raw = np.zeros(n * size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + n * size].view(dtype)
