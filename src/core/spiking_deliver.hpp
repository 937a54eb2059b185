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

template <int width>
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
      counts[64 * b + q] = static_cast<std::uint16_t>(counts[64 * b + q] + bytes[q]);
  }
}

// At most fifteen rows, at the words from `offset` on; byte k of them belongs to the neurons k, 64 + k, ... of counts.
template <int width>
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
  spread(sum, counts);
}

template <int width>
EQ_INLINE void add_bitmap(const Table& table, const std::vector<std::uint32_t>& fired, std::uint16_t* counts) {
  constexpr std::size_t most = 15;
  const std::size_t words = table.target_columns * words_per_column;
  const std::uint64_t* rows[most];
  for (std::size_t base = 0; base < fired.size(); base += most) {
    const std::size_t n = std::min(most, fired.size() - base);
    for (std::size_t k = 0; k < n; ++k) rows[k] = table.bits + fired[base + k] * words;
    for (std::size_t c = 0; c < table.target_columns; ++c)
      for (std::size_t byte = 0; byte < 64; byte += width)
        add_rows<width>(rows, n, c * words_per_column + byte / 8, counts + c * column_size + byte);
  }
}

EQ_INLINE void add_list(const Table& table, const std::vector<std::uint32_t>& fired, std::uint16_t* counts) {
  for (const std::uint32_t source : fired) {
    const std::uint16_t* to = table.targets + table.offsets[source];
    const std::uint16_t* end = table.targets + table.offsets[source + 1];
    for (; to != end; ++to) ++counts[*to];
  }
}

// Cache lines of the rows that the next step will read, to be asked for a few at a time while this one computes.
struct Ahead {
  std::vector<const char*> lines;
  std::size_t asked = 0;

  EQ_INLINE void add_rows(const Table& table, const std::vector<std::uint32_t>& fired) {
    constexpr std::size_t line = 64;
    const std::size_t words = table.target_columns * words_per_column;
    for (const std::uint32_t source : fired) {
      const bool bitmap = table.form == Form::bitmap;
      const void* begin = bitmap ? static_cast<const void*>(table.bits + source * words)
                                 : static_cast<const void*>(table.targets + table.offsets[source]);
      const void* end = bitmap ? static_cast<const void*>(table.bits + (source + 1) * words)
                               : static_cast<const void*>(table.targets + table.offsets[source + 1]);
      const char* at = static_cast<const char*>(begin);
      for (; at < static_cast<const char*>(end); at += line) lines.push_back(at);
    }
  }

  EQ_INLINE void ask(std::size_t n) {
    const std::size_t end = std::min(asked + n, lines.size());
    for (; asked < end; ++asked) __builtin_prefetch(lines[asked]);
  }
};

// The neurons of a population that fired, counted from its first, in ascending order.
EQ_INLINE void list_spikes(const std::uint64_t* row, std::size_t first_column, std::size_t n_columns,
                           std::vector<std::uint32_t>& fired) {
  fired.clear();
  const std::uint64_t* words = row + first_column * words_per_column;
  for (std::size_t w = 0; w < n_columns * words_per_column; ++w)
    for (std::uint64_t word = words[w]; word != 0; word &= word - 1)
      fired.push_back(static_cast<std::uint32_t>(64 * w + static_cast<std::size_t>(__builtin_ctzll(word))));
}

// Spikes of the sources and delays that one thread's tables ask for, listed once each.
struct Arrivals {
  struct Group {
    std::size_t source_first, source_columns, delay;
    std::vector<std::uint32_t> fired;
  };
  std::vector<Group> groups;
  std::vector<const Table*> tables;
  std::vector<std::size_t> group_of;  // for each table

  Arrivals(const Network& network, std::size_t thread) {
    for (const Table& table : network.tables) {
      if (table.thread != thread) continue;
      if (groups.empty() || groups.back().source_first != table.source_first || groups.back().delay != table.delay)
        groups.push_back({table.source_first, table.source_columns, table.delay, {}});
      tables.push_back(&table);
      group_of.push_back(groups.size() - 1);
    }
  }

  EQ_INLINE void list(const Network& network, const State& state, std::size_t k) {
    for (Group& group : groups)
      list_spikes(state.row(state.history + k - group.delay, network.columns), group.source_first, group.source_columns,
                  group.fired);
  }

  template <int width>
  EQ_INLINE void deliver(const Network& network, const State& state) const {
    for (std::size_t i = 0; i < tables.size(); ++i) {
      const Table& table = *tables[i];
      const std::vector<std::uint32_t>& fired = groups[group_of[i]].fired;
      std::uint16_t* counts = state.counts + table.channel * network.neurons() + table.target_first * column_size;
      if (table.form == Form::bitmap)
        add_bitmap<width>(table, fired, counts);
      else
        add_list(table, fired, counts);
    }
  }

  EQ_INLINE void look_ahead(Ahead& ahead) const {
    ahead.lines.clear();
    ahead.asked = 0;
    for (std::size_t i = 0; i < tables.size(); ++i) ahead.add_rows(*tables[i], groups[group_of[i]].fired);
  }
};

}  // namespace spiking
