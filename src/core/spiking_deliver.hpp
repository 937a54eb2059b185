// Deliver: hand the spikes that arrive in a step to the neurons they reach.
//
// A table knows whom the spikes of a population reach after one delay. How its rows are added up is a matter of its
// form: arrivals are counted (spiking_counts.hpp) or their weights summed (spiking_sums.hpp), channel by channel, for
// update to weigh.
#pragma once
#include <algorithm>
#include <vector>

#include "spiking_counts.hpp"
#include "spiking_sums.hpp"

namespace spiking {

// The rows that the next step will read, whose cache lines are asked for a few at a time while this one computes.
class Ahead {
 public:
  void clear() {
    stretches.clear();
    lines = 0;
    now = 0;
  }

  EQ_INLINE void add_rows(const Table& table, const Fired& fired) {
    const std::size_t words = table.target_columns * words_per_column;
    for (const std::uint32_t source : fired)
      add(table.bits + source * words, table.bits + (source + 1) * words);
  }

  EQ_INLINE void add_rows(const Table& table, const Rows& rows) {
    for (const Row row : rows) {
      add(table.targets + row.begin, table.targets + row.end);
      if (table.form == Form::weighted) add(table.weights + row.begin, table.weights + row.end);
    }
  }

  std::size_t size() const { return lines; }

  EQ_INLINE void ask(std::size_t n) {
    while (n > 0 && now < stretches.size()) {
      Stretch& row = stretches[now];
      for (; n > 0 && row.at < row.end; row.at += line, --n) __builtin_prefetch(row.at);
      if (row.at >= row.end) ++now;
    }
  }

 private:
  static constexpr std::size_t line = 64;
  struct Stretch {
    const char *at, *end;
  };
  std::vector<Stretch> stretches;
  std::size_t lines = 0, now = 0;

  EQ_INLINE void add(const void* begin, const void* end) {
    const auto from = reinterpret_cast<std::uintptr_t>(begin) & ~(line - 1);
    const auto to = reinterpret_cast<std::uintptr_t>(end);
    stretches.push_back({reinterpret_cast<const char*>(from), static_cast<const char*>(end)});
    lines += (to - from + line - 1) / line;
  }
};

// The neurons of a population that fired, counted from its first, in ascending order.
EQ_INLINE void list_spikes(const std::uint64_t* row, std::size_t first_column, std::size_t n_columns,
                           Fired& fired) {
  fired.clear();
  const std::uint64_t* words = row + first_column * words_per_column;
  for (std::size_t w = 0; w < n_columns * words_per_column; ++w)
    for (std::uint64_t word = words[w]; word != 0; word &= word - 1)
      fired.push_back(static_cast<std::uint32_t>(64 * w + static_cast<std::size_t>(__builtin_ctzll(word))));
}

// The last rows of the raster of one population as lists, made once for all delays and tables that ask for them.
struct Listed {
  std::size_t first, columns, shortest, longest;  // columns of the population; delays at which it is asked
  std::vector<Fired> lists{};  // of row r at r modulo their number
  std::vector<std::size_t> rows{};                  // which row a list is of

  void make_room() {
    lists.resize(longest - shortest + 1);
    rows.assign(lists.size(), ~std::size_t{0});
  }

  EQ_INLINE const Fired& of(const Network& network, const State& state, std::size_t row) {
    const std::size_t at = row % lists.size();
    if (rows[at] != row) {
      list_spikes(state.row(row, network.columns), first, columns, lists[at]);
      rows[at] = row;
    }
    return lists[at];
  }
};

// What reaches one thread's neurons: its tables, and the spikes that their sources and delays ask for.
class Arrivals {
 public:
  Arrivals(const Network& network, std::size_t thread) {
    for (const Table& table : network.tables) {
      if (table.thread != thread) continue;
      if (sources.empty() || sources.back().first != table.source_first)
        sources.push_back({table.source_first, table.source_columns, table.delay, table.delay});
      sources.back().longest = table.delay;  // tables of a source are ordered by delay
      asked.push_back({&table, sources.size() - 1, nullptr, {}});
    }
    for (Listed& source : sources) source.make_room();
  }

  // Find out who arrives in step k, and where their synapses are.
  EQ_INLINE void list(const Network& network, const State& state, std::size_t k) {
    for (Asked& a : asked) {
      a.fired = &sources[a.source].of(network, state, state.history + k - a.table->delay);
      if (a.table->form == Form::bitmap) continue;
      a.rows.clear();
      for (const std::uint32_t source : *a.fired) a.rows.push_back(a.table->row(source));
    }
  }

  template <int width>
  EQ_INLINE void deliver(const Network& network, const State& state) const {
    for (const Asked& a : asked) {
      const std::size_t at = a.table->channel * network.neurons() + a.table->target_first * column_size;
      switch (a.table->form) {
        case Form::bitmap: add_bitmap<width>(*a.table, *a.fired, state.counts + at); break;
        case Form::list: add_list(*a.table, a.rows, state.counts + at); break;
        case Form::weighted: add_weighted(*a.table, a.rows, state.sums + at); break;
      }
    }
  }

  EQ_INLINE void look_ahead(Ahead& ahead) const {
    ahead.clear();
    for (const Asked& a : asked)
      if (a.table->form == Form::bitmap)
        ahead.add_rows(*a.table, *a.fired);
      else
        ahead.add_rows(*a.table, a.rows);
  }

 private:
  struct Asked {
    const Table* table;
    std::size_t source;
    const Fired* fired;
    Rows rows;  // of lists
  };
  std::vector<Listed> sources;
  std::vector<Asked> asked;
};

}  // namespace spiking
