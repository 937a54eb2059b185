// Deliver: add the rows of the neurons that fired to the counts of arrivals.
//
// Dense tables are bitmaps. Up to fifteen rows are added at a time bit by bit with carry-save adders (Harley & Seal),
// for a whole column at once, and the binary counters are then spread over the neurons: neuron n of a column is bit
// n / 64 of byte n % 64. Sparse tables are lists of 16-bit indices within a block.
#pragma once
#include <algorithm>
#include <cstring>

#include "spiking_network.hpp"

namespace spiking {

template <class Lanes>
EQ_INLINE void load_lanes(Lanes& to, const std::uint64_t* from) {
  std::memcpy(&to, from, sizeof to);
}

// low + x + y = low + 2 carry, bit by bit.
template <class Lanes>
EQ_INLINE void full_add(Lanes& carry, Lanes& low, const Lanes& x, const Lanes& y) {
  const Lanes either = x ^ y;
  carry = (x & y) | (either & low);
  low ^= either;
}

template <class Lanes>
EQ_INLINE void half_add(Lanes& carry, Lanes& low, const Lanes& x) {
  carry = low & x;
  low ^= x;
}

template <int width>
struct Counters {
  typename Vector<width>::Bits ones, twos, fours, eights;
};

template <int width, bool add>
EQ_INLINE void spread(const Counters<width>& sum, std::uint16_t* counts) {
  typedef typename Vector<width>::Bits Lanes;
  static_assert(sizeof(Lanes) == width, "a vector fills its register");
  const Lanes bit = Lanes{} + 0x0101010101010101ULL;
  for (int b = 0; b < 8; ++b) {
    const Lanes value = ((sum.ones >> b) & bit) | (((sum.twos >> b) & bit) << 1) | (((sum.fours >> b) & bit) << 2) |
                        (((sum.eights >> b) & bit) << 3);
    std::uint8_t bytes[width];
    std::memcpy(bytes, &value, sizeof bytes);
    for (std::size_t q = 0; q < width; ++q)
      counts[64 * b + q] = static_cast<std::uint16_t>((add ? counts[64 * b + q] : 0) + bytes[q]);
  }
}

// At most fifteen rows, at the words from `offset` on; byte k of them belongs to the neurons k, 64 + k, ... of counts,
// which are added to or written.
template <int width, bool add>
EQ_INLINE void add_rows(const std::uint64_t* const* rows, std::size_t n, std::size_t offset, std::uint16_t* counts) {
  Counters<width> sum{};
  typename Vector<width>::Bits x, y, two, other_two, four, eight;
  std::size_t k = 0;
  for (; k + 4 <= n; k += 4) {
    load_lanes(x, rows[k] + offset);
    load_lanes(y, rows[k + 1] + offset);
    full_add(two, sum.ones, x, y);
    load_lanes(x, rows[k + 2] + offset);
    load_lanes(y, rows[k + 3] + offset);
    full_add(other_two, sum.ones, x, y);
    full_add(four, sum.twos, two, other_two);
    half_add(eight, sum.fours, four);
    sum.eights |= eight;
  }
  for (; k < n; ++k) {
    load_lanes(x, rows[k] + offset);
    half_add(two, sum.ones, x);
    half_add(four, sum.twos, two);
    half_add(eight, sum.fours, four);
    sum.eights |= eight;
  }
  spread<width, add>(sum, counts);
}

// The rows of one table, at the words from `offset` on, added to the counts of one column, or to none if it is fresh.
template <int width>
EQ_INLINE void add_bitmap(const std::vector<const std::uint64_t*>& rows, std::size_t offset, bool fresh,
                          std::uint16_t* counts) {
  constexpr std::size_t most = 15;
  for (std::size_t base = 0; base < rows.size(); base += most) {
    const std::size_t n = std::min(most, rows.size() - base);
    for (std::size_t byte = 0; byte < 64; byte += width)
      if (fresh && base == 0)
        add_rows<width, false>(rows.data(), n, offset + byte / 8, counts + byte);
      else
        add_rows<width, true>(rows.data() + base, n, offset + byte / 8, counts + byte);
  }
}

EQ_INLINE void add_list(const Table& table, const std::vector<std::uint32_t>& fired, std::uint16_t* counts) {
  for (const std::uint32_t source : fired) {
    const std::uint16_t* to = table.targets + table.offsets[source];
    const std::uint16_t* end = table.targets + table.offsets[source + 1];
    for (; to != end; ++to) ++counts[*to];
  }
}

// The neurons of a population that fired, counted from its first, in ascending order.
EQ_INLINE void list_spikes(const std::uint64_t* row, std::size_t first_column, std::size_t n_columns,
                           std::vector<std::uint32_t>& fired) {
  fired.clear();
  const std::uint64_t* words = row + first_column * words_per_column;
  for (std::size_t w = 0; w < n_columns * words_per_column; ++w)
    for (std::uint64_t word = words[w]; word != 0; word &= word - 1)
      fired.push_back(static_cast<std::uint32_t>(64 * w + static_cast<std::size_t>(__builtin_ctzll(word))));
}

// Where the arrivals of a channel at a column are counted. Lists write to all columns of a block at once, and leave zeros
// when they have been read; bitmaps write just before the column is updated, to a place that stays in the nearest cache.
class Inbox {
 public:
  explicit Inbox(const Network& network) : near(network.channels) {}

  // To write to, and whether it is to be written and not added to.
  EQ_INLINE std::uint16_t* counts(const Network& network, const Cells& cells, const State& state, std::size_t channel,
                                  std::size_t column, bool& fresh) {
    fresh = !cells.listed[channel] && !near[channel].used;
    near[channel].used = true;
    return cells.listed[channel] ? far(network, state, channel, column) : near[channel].of;
  }

  // To read; null if nothing has arrived.
  EQ_INLINE const std::uint16_t* arrived(const Network& network, const Cells& cells, const State& state,
                                         std::size_t channel, std::size_t column) const {
    if (cells.listed[channel]) return far(network, state, channel, column);
    return near[channel].used ? near[channel].of : nullptr;
  }

  EQ_INLINE void empty(const Network& network, const Cells& cells, const State& state, std::size_t column) {
    for (std::size_t c = 0; c < near.size(); ++c) {
      near[c].used = false;
      if (cells.listed[c]) std::memset(far(network, state, c, column), 0, column_size * sizeof(std::uint16_t));
    }
  }

 private:
  struct Counts {
    alignas(64) std::uint16_t of[column_size];
    bool used = false;
  };
  std::vector<Counts> near;  // of each channel

  EQ_INLINE static std::uint16_t* far(const Network& network, const State& state, std::size_t channel,
                                      std::size_t column) {
    return state.counts + channel * network.neurons() + column * column_size;
  }
};

// What arrives at one thread's neurons in one step. The spikes of a source at a delay are listed once for all tables.
class Arrivals {
 public:
  Arrivals(const Network& network, std::size_t thread) {
    for (const Table& table : network.tables) {
      if (table.thread != thread) continue;
      if (groups.empty() || groups.back().source_first != table.source_first || groups.back().delay != table.delay)
        groups.push_back({table.source_first, table.source_columns, table.delay, {}});
      (table.form == Form::bitmap ? bitmaps : lists).push_back({&table, groups.size() - 1, {}});
    }
  }

  EQ_INLINE void see(const Network& network, const State& state, std::size_t k) {
    for (Group& group : groups)
      list_spikes(state.row(state.history + k - group.delay, network.columns), group.source_first, group.source_columns,
                  group.fired);
    for (Mine& mine : bitmaps) {
      mine.rows.clear();
      for (const std::uint32_t source : groups[mine.group].fired)
        mine.rows.push_back(mine.table->bits + source * mine.table->target_columns * words_per_column);
    }
  }

  EQ_INLINE void deliver_lists(const Network& network, const State& state) const {
    for (const Mine& mine : lists) {
      const Table& table = *mine.table;
      std::uint16_t* counts = state.counts + table.channel * network.neurons() + table.target_first * column_size;
      add_list(table, groups[mine.group].fired, counts);
    }
  }

  template <int width>
  EQ_INLINE void deliver_bitmaps(const Network& network, const Cells& cells, const State& state, std::size_t column,
                                 Inbox& inbox) const {
    for (const Mine& mine : bitmaps) {
      if (!mine.reaches(column) || mine.rows.empty()) continue;
      bool fresh;
      std::uint16_t* counts = inbox.counts(network, cells, state, mine.table->channel, column, fresh);
      add_bitmap<width>(mine.rows, mine.offset(column), fresh, counts);
    }
  }

  // Ask for what the bitmaps will read at this column.
  EQ_INLINE void ask(std::size_t column) const {
    for (const Mine& mine : bitmaps)
      if (mine.reaches(column))
        for (const std::uint64_t* row : mine.rows) __builtin_prefetch(row + mine.offset(column));
  }

  // The cache lines that the lists will read.
  EQ_INLINE void lines_of_lists(std::vector<const std::uint16_t*>& lines) const {
    constexpr std::size_t per_line = 64 / sizeof(std::uint16_t);
    lines.clear();
    for (const Mine& mine : lists)
      for (const std::uint32_t source : groups[mine.group].fired)
        for (std::size_t k = mine.table->offsets[source]; k < mine.table->offsets[source + 1]; k += per_line)
          lines.push_back(mine.table->targets + k);
  }

 private:
  struct Group {
    std::size_t source_first, source_columns, delay;
    std::vector<std::uint32_t> fired;
  };
  struct Mine {
    const Table* table;
    std::size_t group;
    std::vector<const std::uint64_t*> rows;  // of a bitmap, for those who fired

    EQ_INLINE bool reaches(std::size_t column) const { return column - table->target_first < table->target_columns; }
    EQ_INLINE std::size_t offset(std::size_t column) const { return (column - table->target_first) * words_per_column; }
  };
  std::vector<Group> groups;
  std::vector<Mine> bitmaps, lists;
};

// Memory that the next step will read is asked for a little at a time, while this one computes.
struct Ahead {
  std::vector<const std::uint16_t*> lines;
  std::size_t asked = 0, share = 0;

  EQ_INLINE void look(const Arrivals& next, std::size_t columns) {
    next.lines_of_lists(lines);
    asked = 0;
    share = lines.size() / columns + 1;
  }

  EQ_INLINE void ask(const Arrivals& next, std::size_t column) {
    next.ask(column);
    const std::size_t end = std::min(asked + share, lines.size());
    for (; asked < end; ++asked) __builtin_prefetch(lines[asked]);
  }
};

}  // namespace spiking
