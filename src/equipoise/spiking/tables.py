"""Synapses as the step reads them: for each projection and each block of its target one table.

A table is a bitmap where that takes no more memory than a list, from a connection probability of about 1/16 on, and
else a list of 16-bit indices within the block for each presynaptic neuron. Synapses carry no weights. Lists are made in
two passes, so that no more memory is taken than they need.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise import _core
from equipoise.spiking.explicit import Matrix, check_explicit
from equipoise.spiking.layout import COLUMN, WORDS, Block, Layout
from equipoise.spiking.randomness import PARTNERS, Words
from equipoise.spiking.wiring import Route, Wiring, in_degrees

LIST, BITMAP = 0, 1
MOST_ARRIVALS = np.iinfo(np.uint16).max


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """The synapses of a route onto one block: `targets[offsets[s] : offsets[s + 1]]`, or row s of `bits`."""

    route: Route
    block: Block
    form: int
    start: int  # where the views begin in the arrays of all tables: `data` in targets or bits, and offsets
    offsets_start: int
    targets: NDArray[np.uint16]
    offsets: NDArray[np.uint32]
    bits: Words

    def synapses(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Presynaptic neuron within its population, and postsynaptic place in the layout, of every synapse."""
        start = self.block.first * COLUMN
        if self.form == LIST:
            source = np.repeat(np.arange(self.offsets.size - 1), np.diff(self.offsets.astype(np.int64)))
            return source, start + self.targets.astype(np.int64)
        columns = self.block.last - self.block.first
        bits = np.unpackbits(self.bits.view(np.uint8), bitorder="little").reshape(-1, columns, 64, 8)
        source, place = np.nonzero(bits.transpose(0, 1, 3, 2).reshape(-1, columns * COLUMN))
        return source, start + place

    def row(self, layout: Layout) -> list[int]:
        """The table as the core knows it."""
        first, last = layout.first_columns[self.route.source : self.route.source + 2]
        b, r = self.block, self.route
        where = [int(first), int(last - first), b.first, b.last - b.first]
        return [self.form, *where, r.channel, r.delay, b.thread, self.start, self.offsets_start]


@dataclass(frozen=True, kw_only=True, eq=False)
class Tables:
    """All tables, ordered by thread, source and delay, and the arrays that hold them."""

    parts: tuple[Table, ...]
    targets: NDArray[np.uint16]
    offsets: NDArray[np.uint32]
    bits: Words

    @property
    def nbytes(self) -> int:
        """Memory of all synapses."""
        return self.targets.nbytes + self.offsets.nbytes + self.bits.nbytes

    @property
    def synapses(self) -> int:
        """Number of all synapses."""
        return self.targets.size + int(_core.spiking_count(self.bits))


@dataclass(frozen=True)
class _Draft:
    """A table before its memory is there; `fill` writes into it."""

    route: Route
    block: Block
    form: int
    size: int
    offsets: NDArray[np.uint32]
    fill: Callable[[NDArray], None]


def build_tables(routes: Sequence[Route], layout: Layout, wiring: Wiring, key: Words) -> Tables:
    """Draw all synapses; ValueError for graphs that do not exist or cannot be counted."""
    check_explicit(wiring, [r.projection for r in routes])
    jobs: list[Callable[[], _Draft]] = []
    most = np.zeros((len(layout.sizes), 1 + max((r.channel for r in routes), default=0)), np.int64)
    for route in routes:
        degrees, draft = _how(route, layout, wiring, key)
        most[route.target, route.channel] += degrees.max(initial=0)
        jobs += [lambda draft=draft, b=b: draft(b) for b in layout.blocks if b.population == route.target]
    _check_arrivals(most, layout)
    with ThreadPoolExecutor(layout.threads) as pool:
        drafts = sorted(
            pool.map(lambda job: job(), jobs), key=lambda d: (d.block.thread, d.route.source, d.route.delay)
        )
        tables = _allocated(drafts)
        list(pool.map(_fill, drafts, tables.parts))
    return tables


def expected_bytes(routes: Iterable[Route], layout: Layout, wiring: Wiring) -> float:
    """Memory that the tables of drawn projections will take."""
    total = 0.0
    for r in routes:
        if (r.projection.source, r.projection.target) not in wiring.explicit:
            synapses = r.projection.connectivity.mean(layout.sizes[r.source]) * layout.sizes[r.target]
            as_list, as_bits = _bytes(r, layout, synapses)
            total += as_list if wiring.multapses else min(as_list, as_bits)
    return total


def _bytes(route: Route, layout: Layout, synapses: float) -> tuple[float, float]:
    """Memory of a route as lists and as bitmaps."""
    blocks = [b for b in layout.blocks if b.population == route.target]
    sources, columns = layout.sizes[route.source], sum(b.last - b.first for b in blocks)
    return 2.0 * synapses + 4.0 * len(blocks) * (sources + 1), 8.0 * WORDS * columns * sources


def _check_arrivals(most: NDArray[np.int64], layout: Layout) -> None:
    """Arrivals are counted in 16 bits; a neuron with fewer synapses of one kind cannot overflow them."""
    for target, channel in np.argwhere(most > MOST_ARRIVALS):
        raise ValueError(
            f"spiking: a neuron of {layout.names[target]!r} has up to {most[target, channel]:,} synapses of one "
            f"weight; at most {MOST_ARRIVALS:,} can be counted. Give parts of them another weight."
        )


def _how(
    route: Route, layout: Layout, wiring: Wiring, key: Words
) -> tuple[NDArray[np.int64], Callable[[Block], _Draft]]:
    """In-degrees of a route, and how its table onto a block is drafted."""
    pair = (route.projection.source, route.projection.target)
    if pair not in wiring.explicit:
        degrees = in_degrees(route, layout, wiring, key)
        return degrees, lambda block: _drawn(route, layout, wiring, (key, degrees), block)
    matrix = Matrix.of(wiring.explicit[pair], pair, (layout.sizes[route.target], layout.sizes[route.source]))
    return matrix.in_degrees, lambda block: _given(route, layout, matrix, block)


def _drawn(route: Route, layout: Layout, wiring: Wiring, how: tuple[Words, NDArray[np.int64]], block: Block) -> _Draft:
    key, degrees = how
    first, last = _posts(block, layout)
    here, sources = degrees[first:last], layout.sizes[route.source]
    itself = int(route.source == route.target and not wiring.autapses)
    draw = np.array([PARTNERS + route.index, first, sources, itself, int(wiring.multapses)], np.int64)
    as_list, as_bits = _bytes(route, layout, float(degrees.sum()))
    if as_bits <= as_list and not wiring.multapses:
        size, none = sources * (block.last - block.first) * WORDS, np.empty(0, np.uint32)
        return _Draft(route, block, BITMAP, size, none, lambda bits: _core.wiring_bits(key, draw, here, bits))
    offsets = np.empty(sources + 1, np.uint32)
    _core.wiring_count(key, draw, here, offsets)

    def fill(targets: NDArray) -> None:
        _core.wiring_fill(key, draw, here, offsets, targets)

    return _Draft(route, block, LIST, int(offsets[-1]), offsets, fill)


def _given(route: Route, layout: Layout, matrix: Matrix, block: Block) -> _Draft:
    first, last = _posts(block, layout)
    offsets, targets = matrix.rows(first, last)
    return _Draft(route, block, LIST, targets.size, offsets, lambda out: np.copyto(out, targets))


def _posts(block: Block, layout: Layout) -> tuple[int, int]:
    """The neurons of a block within their population."""
    base = int(layout.first_columns[block.population])
    return (block.first - base) * COLUMN, min((block.last - base) * COLUMN, layout.sizes[block.population])


def _allocated(drafts: Sequence[_Draft]) -> Tables:
    """Tables of the right sizes, not yet filled."""
    targets = np.empty(sum(d.size for d in drafts if d.form == LIST), np.uint16)
    bits = aligned(sum(d.size for d in drafts if d.form == BITMAP), np.uint64)
    offsets = np.concatenate([np.empty(0, np.uint32), *(d.offsets for d in drafts)])
    parts, at, row = [], {LIST: 0, BITMAP: 0}, 0
    for d in drafts:
        begin, end = at[d.form], at[d.form] + d.size
        view = slice(begin, end) if d.form == LIST else slice(0, 0)
        parts.append(
            Table(
                route=d.route,
                block=d.block,
                form=d.form,
                start=begin,
                offsets_start=row,
                targets=targets[view],
                offsets=offsets[row : row + d.offsets.size],
                bits=bits[begin:end] if d.form == BITMAP else bits[:0],
            )
        )
        at[d.form], row = end, row + d.offsets.size
    return Tables(parts=tuple(parts), targets=targets, offsets=offsets, bits=bits)


def _fill(draft: _Draft, table: Table) -> None:
    draft.fill(table.targets if table.form == LIST else table.bits)


def aligned(n: int, dtype: type) -> NDArray:
    """Zeros (n,) that begin at a cache line, as the vector units like it."""
    size = np.dtype(dtype).itemsize
    raw = np.zeros(n * size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + n * size].view(dtype)
