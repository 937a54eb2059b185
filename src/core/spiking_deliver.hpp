// Deliver: hand the spikes that arrive in a step to the neurons they reach.
//
// To the loop over steps this is: see who sends, deliver, and let update read the inbox channel by channel. How
// arrivals are gathered is a matter of a table's form: counted here, or their weights summed (spiking_sums.hpp).
//
// Dense tables are bitmaps. Up to fifteen rows are added at a time bit by bit with carry-save adders (Harley & Seal),
// for a whole column at once, and the binary counters are then spread over the neurons: neuron n of a column is bit
// n / 64 of byte n % 64. Sparse tables are lists of 16-bit indices within a block.
#pragma once
#include <algorithm>
#include <cstring>

#include "spiking_network.hpp"
#include "spiking_plastic.hpp"
#include "spiking_release.hpp"
#include "spiking_sums.hpp"

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

EQ_INLINE void add_list(const Table& table, const Rows& rows, std::uint16_t* counts) {
  for (const Row row : rows)
    for (std::size_t k = row.begin; k < row.end; ++k) ++counts[table.targets[k]];
}

// The neurons of a population that fired, counted from its first, in ascending order.
EQ_INLINE void list_spikes(const std::uint64_t* row, std::size_t first_column, std::size_t n_columns,
                           Fired& fired) {
  fired.clear();
  const std::uint64_t* words = row + first_column * words_per_column;
  for (std::size_t w = 0; w < n_columns * words_per_column; ++w)
    for (std::uint64_t word = words[w]; word != 0; word &= word - 1)
      fired.push_back(static_cast<std::uint32_t>(64 * w + static_cast<std::size_t>(__builtin_ctzll(word))));
}

// The last rows of the raster, of one population, as lists: made once for all delays and tables that ask for them.
class Listed {
 public:
  Listed(std::size_t first_column, std::size_t n_columns) : first(first_column), columns(n_columns) {}

  bool is_of(const Table& table) const { return table.source_first == first; }

  // Room for the rows at all delays, of this step and the next.
  void make_room(std::size_t shortest, std::size_t longest) {
    lists.resize(std::max(lists.size(), longest - shortest + 2));
    rows.assign(lists.size(), ~std::size_t{0});
  }

  EQ_INLINE const Fired& of(const Network& network, const State& state, std::size_t row) {
    const std::size_t at = row % lists.size();
    if (rows[at] != row) list_spikes(state.row(row, network.columns), first, columns, lists[at]);
    rows[at] = row;
    return lists[at];
  }

 private:
  std::size_t first, columns;
  std::vector<Fired> lists{};  // of row r at r modulo their number
  std::vector<std::size_t> rows{};
};

// All populations that send to one thread's neurons.
class Senders {
 public:
  Senders(const Network& network, std::size_t thread) {
    std::size_t shortest = 0;
    for (const Table& table : network.tables) {  // ordered by source, then delay
      if (table.thread != thread) continue;
      if (all.empty() || !all.back().is_of(table)) {
        all.emplace_back(table.source_first, table.source_columns);
        shortest = table.delay;
      }
      all.back().make_room(shortest, table.delay);
    }
  }

  std::size_t number_of(const Table& table) const {
    std::size_t k = 0;
    while (!all[k].is_of(table)) ++k;
    return k;
  }

  // Whose spikes reach the neurons of a table in step k.
  EQ_INLINE const Fired& fired(const Network& network, const State& state, std::size_t number, std::size_t delay,
                               std::size_t k) {
    return all[number].of(network, state, state.history + k - delay);
  }

 private:
  std::vector<Listed> all;
};

// Where the arrivals of a channel at a column are counted, or their weights summed. Lists write to all columns of a
// block at once, and leave zeros when they have been read; bitmaps write just before the column is updated, to a place
// that stays in the nearest cache.
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

  // Of a channel that is summed; only lists write to it.
  EQ_INLINE const float* sums(const Network& network, const State& state, std::size_t channel,
                              std::size_t column) const {
    return state.sums + channel * network.neurons() + column * column_size;
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
      if (cells.summed[c] != 0)
        std::fill_n(state.sums + c * network.neurons() + column * column_size, column_size, 0.0f);
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

// What arrives at one thread's neurons in one step. How a table's rows are added up is a matter of its form: counted,
// bit by bit or one by one, or their weights summed.
class Arrivals {
 public:
  Arrivals(const Network& network, const Senders& senders, std::size_t thread) {
    for (const Table& table : network.tables) {
      if (table.thread != thread) continue;
      if (table.form == Form::bitmap)
        bitmaps.push_back({&table, senders.number_of(table), {}});
      else
        lists.push_back({&table, senders.number_of(table), {}});
    }
  }

  EQ_INLINE void see(const Network& network, const State& state, std::size_t k, Senders& senders) {
    for (Bitmap& mine : bitmaps) {
      mine.rows.clear();
      for (const std::uint32_t source : senders.fired(network, state, mine.sender, mine.table->delay, k))
        mine.rows.push_back(mine.table->bits + source * mine.table->target_columns * words_per_column);
    }
    for (List& mine : lists) {
      mine.rows.clear();
      for (const std::uint32_t source : senders.fired(network, state, mine.sender, mine.table->delay, k))
        mine.rows.push_back(mine.table->row(source));
    }
  }

  EQ_INLINE void deliver_lists(const Network& network, const State& state) {
    for (List& mine : lists) {
      const Table& table = *mine.table;
      const std::size_t at = table.channel * network.neurons() + table.target_first * column_size;
      if (table.release >= 0) give(network.releases[static_cast<std::size_t>(table.release)], table.trace, mine.rows);
      if (table.plastic >= 0) arrive(network.plastic[static_cast<std::size_t>(table.plastic)], table, mine.rows);
      if (table.form == Form::weighted)
        add_weighted(table, mine.rows, state.sums + at);
      else
        add_list(table, mine.rows, state.counts + at);
    }
  }

  template <int width>
  EQ_INLINE void deliver_bitmaps(const Network& network, const Cells& cells, const State& state, std::size_t column,
                                 Inbox& inbox) const {
    for (const Bitmap& mine : bitmaps) {
      if (!mine.reaches(column) || mine.rows.empty()) continue;
      bool fresh;
      std::uint16_t* counts = inbox.counts(network, cells, state, mine.table->channel, column, fresh);
      add_bitmap<width>(mine.rows, mine.offset(column), fresh, counts);
    }
  }

  // Ask for what the bitmaps will read at this column.
  EQ_INLINE void ask(std::size_t column) const {
    for (const Bitmap& mine : bitmaps)
      if (mine.reaches(column))
        for (const std::uint64_t* row : mine.rows) __builtin_prefetch(row + mine.offset(column));
  }

  // The cache lines that the lists will read.
  EQ_INLINE void lines_of_lists(std::vector<const void*>& lines) const {
    constexpr std::size_t line = 64, shorts = line / sizeof(std::uint16_t), floats = line / sizeof(float);
    lines.clear();
    for (const List& mine : lists)
      for (const Row row : mine.rows) {
        for (std::size_t k = row.begin; k < row.end; k += shorts) lines.push_back(mine.table->targets + k);
        if (mine.table->form != Form::weighted) continue;
        for (std::size_t k = row.begin; k < row.end; k += floats) lines.push_back(mine.table->weights + k);
      }
  }

 private:
  struct List {
    const Table* table;
    std::size_t sender;
    Rows rows;  // of those who fired
  };
  struct Bitmap {
    const Table* table;
    std::size_t sender;
    std::vector<const std::uint64_t*> rows;  // of those who fired

    EQ_INLINE bool reaches(std::size_t column) const { return column - table->target_first < table->target_columns; }
    EQ_INLINE std::size_t offset(std::size_t column) const { return (column - table->target_first) * words_per_column; }
  };
  std::vector<Bitmap> bitmaps;
  std::vector<List> lists;
};

// Memory that the next step will read is asked for a little at a time, while this one computes.
struct Ahead {
  std::vector<const void*> lines;
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
