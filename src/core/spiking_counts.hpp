// Counting arrivals: synapses of one table are alike, so that a row says only whom it reaches.
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
EQ_INLINE void add_bitmap(const Table& table, const Fired& fired, std::uint16_t* counts) {
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

EQ_INLINE void add_list(const Table& table, const Rows& rows, std::uint16_t* counts) {
  for (const Row row : rows)
    for (std::size_t k = row.begin; k < row.end; ++k) ++counts[table.targets[k]];
}

}  // namespace spiking
