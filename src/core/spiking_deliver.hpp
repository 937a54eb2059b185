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

// Cache lines of the rows that the next step will read, to be asked for a few at a time while this one computes.
struct Ahead {
  std::vector<const char*> lines;
  std::size_t asked = 0;

  EQ_INLINE void add_rows(const Table& table, const std::vector<std::uint32_t>& fired) {
    const std::size_t words = table.target_columns * words_per_column;
    for (const std::uint32_t source : fired) {
      if (table.form == Form::bitmap) {
        add(table.bits + source * words, table.bits + (source + 1) * words);
        continue;
      }
      const Row row = table.row(source);
      add(table.targets + row.begin, table.targets + row.end);
      if (table.form == Form::weighted) add(table.weights + row.begin, table.weights + row.end);
    }
  }

  EQ_INLINE void add(const void* begin, const void* end) {
    constexpr std::size_t line = 64;
    const char* at = static_cast<const char*>(begin);
    for (; at < static_cast<const char*>(end); at += line) lines.push_back(at);
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

// The last rows of the raster of one population as lists, made once for all delays and tables that ask for them.
struct Listed {
  std::size_t first, columns, shortest, longest;  // columns of the population; delays at which it is asked
  std::vector<std::vector<std::uint32_t>> lists{};  // of row r at r modulo their number
  std::vector<std::size_t> rows{};                  // which row a list is of

  void make_room() {
    lists.resize(longest - shortest + 1);
    rows.assign(lists.size(), ~std::size_t{0});
  }

  EQ_INLINE const std::vector<std::uint32_t>& of(const Network& network, const State& state, std::size_t row) {
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
      if (groups.empty() || groups.back().source != sources.size() - 1 || groups.back().delay != table.delay)
        groups.push_back({sources.size() - 1, table.delay, nullptr});
      tables.push_back({&table, groups.size() - 1});
    }
    for (Listed& source : sources) source.make_room();
  }

  EQ_INLINE void list(const Network& network, const State& state, std::size_t k) {
    for (Group& group : groups)
      group.fired = &sources[group.source].of(network, state, state.history + k - group.delay);
  }

  template <int width>
  EQ_INLINE void deliver(const Network& network, const State& state) const {
    for (const Asked& asked : tables) {
      const Table& table = *asked.table;
      const std::vector<std::uint32_t>& fired = *groups[asked.group].fired;
      const std::size_t at = table.channel * network.neurons() + table.target_first * column_size;
      switch (table.form) {
        case Form::bitmap: add_bitmap<width>(table, fired, state.counts + at); break;
        case Form::list: add_list(table, fired, state.counts + at); break;
        case Form::weighted: add_weighted(table, fired, state.sums + at); break;
      }
    }
  }

  EQ_INLINE void look_ahead(Ahead& ahead) const {
    ahead.lines.clear();
    ahead.asked = 0;
    for (const Asked& asked : tables) ahead.add_rows(*asked.table, *groups[asked.group].fired);
  }

 private:
  struct Group {
    std::size_t source, delay;
    const std::vector<std::uint32_t>* fired;
  };
  struct Asked {
    const Table* table;
    std::size_t group;
  };
  std::vector<Listed> sources;
  std::vector<Group> groups;
  std::vector<Asked> tables;
};

}  // namespace spiking
