// Update: one step of the 512 neurons of a column.
//
//   u = v decay + drive + sum over currents of transfer x s, and each s takes its decay; then to u or to a current
//   external input and weight x count of each channel, in this order;
//   a silent neuron keeps its v; another takes max(u, floor), and at threshold it fires, resets and falls silent
#pragma once
#include <algorithm>
#include <cstring>
#include <limits>

#include "normal32.hpp"
#include "spiking_network.hpp"

namespace spiking {

// A column's values on their way through the step.
struct Scratch {
  alignas(64) float u[column_size];
  alignas(64) std::uint32_t words[column_size];
  alignas(64) std::uint8_t fired[column_size];
};

// How many of the thresholds from `same` (one for all neurons) or `own` (rows of n) four vectors of words reach; it ends
// where a threshold is above all of them.
template <int width, bool differ>
EQ_INLINE void count_thresholds(const External& external, const std::int32_t* own, std::size_t n, std::int32_t highest,
                                const typename Vector<width>::Ints (&word)[4], typename Vector<width>::Ints (&count)[4]) {
  typedef typename Vector<width>::Ints Ints;
  static_assert(sizeof(Ints) == width, "a vector fills its register");
  constexpr std::size_t lanes = width / sizeof(std::int32_t);
  const Ints none = {};
  for (std::size_t j = 0; j < external.thresholds && external.least[j] <= highest; ++j)
    for (std::size_t q = 0; q < 4; ++q) {
      Ints threshold = none + external.least[j];
      if constexpr (differ) std::memcpy(&threshold, own + j * n + q * lanes, width);
      count[q] -= word[q] >= threshold;  // a comparison is -1 where it holds
    }
}

// Poisson counts by inversion. `differ`: each neuron has thresholds of its own.
template <int width, bool differ>
EQ_INLINE void add_poisson(const External& external, std::size_t column, std::size_t n, const Scratch& scratch,
                           float* sink) {
  constexpr std::size_t lanes = width / sizeof(std::int32_t), chunk = 4 * lanes;
  const float* amplitude = external.amplitude.of(column);
  for (std::size_t first = 0; first < column_size; first += chunk) {
    alignas(64) std::int32_t plain[chunk];
    std::int32_t highest = std::numeric_limits<std::int32_t>::min();
    for (std::size_t i = 0; i < chunk; ++i) {
      plain[i] = static_cast<std::int32_t>(scratch.words[first + i] ^ 0x80000000U);
      highest = std::max(highest, plain[i]);
    }
    typename Vector<width>::Ints word[4], count[4] = {};
    for (std::size_t q = 0; q < 4; ++q) std::memcpy(&word[q], plain + q * lanes, width);
    const std::int32_t* own = differ ? external.of_neurons + column * column_size + first : nullptr;
    count_thresholds<width, differ>(external, own, n, highest, word, count);
    for (std::size_t q = 0; q < 4; ++q) std::memcpy(plain + q * lanes, &count[q], width);
    for (std::size_t i = 0; i < chunk; ++i) sink[first + i] += amplitude[first + i] * static_cast<float>(plain[i]);
  }
}

EQ_INLINE void add_gaussian(const External& external, std::size_t column, const Scratch& scratch, float* sink) {
  const float* amplitude = external.amplitude.of(column);
  for (std::size_t half = 0; half < column_size; half += 2 * quarter)
    for (std::size_t l = half; l < half + quarter; ++l) {
      const Pair32 z = normal_pair(scratch.words[l], scratch.words[l + quarter]);
      sink[l] += amplitude[l] * z.first;
      sink[l + quarter] += amplitude[l + quarter] * z.second;
    }
}

EQ_INLINE float* sink_of(std::int64_t sink, const Network& network, const State& state, std::size_t at, Scratch& scratch) {
  return sink == potential ? scratch.u : state.currents + static_cast<std::size_t>(sink) * network.neurons() + at;
}

EQ_INLINE void add_currents(const Network& network, const Cells& cells, const State& state, std::size_t at,
                            Scratch& scratch) {
  for (std::size_t k = 0; k < cells.currents.size(); ++k) {
    const Current current = cells.currents[k];
    float* s = state.currents + k * network.neurons() + at;
    for (std::size_t i = 0; i < column_size; ++i) {
      scratch.u[i] += current.transfer * s[i];
      s[i] *= current.decay;
    }
  }
}

EQ_INLINE void add_channel(const float* weight, std::uint16_t* count, float* sink) {
  for (std::size_t i = 0; i < column_size; ++i) sink[i] += weight[i] * static_cast<float>(count[i]);
  std::memset(count, 0, column_size * sizeof *count);
}

// Two channels of one sink in one pass, as most neurons have excitation and inhibition; the order of the sum stays.
EQ_INLINE void add_two_channels(const float* weight, const float* other_weight, std::uint16_t* count,
                                std::uint16_t* other_count, float* sink) {
  for (std::size_t i = 0; i < column_size; ++i) {
    const float first = sink[i] + weight[i] * static_cast<float>(count[i]);
    sink[i] = first + other_weight[i] * static_cast<float>(other_count[i]);
  }
  std::memset(count, 0, column_size * sizeof *count);
  std::memset(other_count, 0, column_size * sizeof *count);
}

EQ_INLINE void add_channels(const Network& network, const Cells& cells, const State& state, std::size_t column,
                            Scratch& scratch) {
  const std::size_t n = network.neurons(), at = column * column_size;
  for (std::size_t c = 0; c < cells.sinks.size(); ++c) {
    const float* weight = network.weights[c].of(column);
    std::uint16_t* count = state.counts + c * n + at;
    float* sink = sink_of(cells.sinks[c], network, state, at, scratch);
    if (c + 1 < cells.sinks.size() && cells.sinks[c + 1] == cells.sinks[c]) {
      add_two_channels(weight, network.weights[c + 1].of(column), count, count + n, sink);
      ++c;
    } else {
      add_channel(weight, count, sink);
    }
  }
}

// Returns whether anyone fired. A silent neuron is compared with a potential below every threshold.
EQ_INLINE bool fire(const Cells& cells, const float* threshold, float* v, std::int32_t* silent, Scratch& scratch) {
  constexpr float lowest = std::numeric_limits<float>::lowest();
  std::int32_t any = 0;
  for (std::size_t i = 0; i < column_size; ++i) {
    const float free = scratch.u[i] > cells.floor ? scratch.u[i] : cells.floor;
    const float next = silent[i] == 0 ? free : v[i];
    const float seen = silent[i] == 0 ? free : lowest;
    const std::int32_t fires = seen >= threshold[i] ? 1 : 0;
    v[i] = seen >= threshold[i] ? cells.reset : next;
    silent[i] = seen >= threshold[i] ? cells.refractory : std::max(silent[i] - 1, 0);
    scratch.fired[i] = static_cast<std::uint8_t>(fires);
    any |= fires;
  }
  return any != 0;
}

// Eight flags, one a byte, become eight bits: the product moves flag k to bit 56 + k, and no two meet elsewhere.
EQ_INLINE void write_row(const Scratch& scratch, bool any, std::uint64_t* row) {
  for (std::size_t w = 0; w < words_per_column; ++w) {
    std::uint64_t word = 0, flags;
    for (std::size_t byte = 0; any && byte < 8; ++byte) {
      std::memcpy(&flags, scratch.fired + 64 * w + 8 * byte, sizeof flags);
      word |= ((flags * 0x0102040810204080ULL) >> 56) << (8 * byte);
    }
    row[w] = word;
  }
}

template <int width>
EQ_INLINE void update_column(const Network& network, const Cells& cells, std::size_t population, const State& state,
                             std::size_t column, std::size_t k, Scratch& scratch) {
  const std::size_t at = column * column_size, local = column - cells.first;
  const std::size_t n = (cells.last - cells.first) * column_size;
  const std::uint64_t step = state.first_step + k;
  const float* drive = network.drive.of(column);
  float* v = state.v + at;
  for (std::size_t i = 0; i < column_size; ++i) scratch.u[i] = v[i] * cells.decay + drive[i];
  add_currents(network, cells, state, at, scratch);
  for (const External& external : network.externals) {
    if (external.population != population) continue;
    column_words(network.key, external.stream, step, column, scratch.words);
    float* sink = sink_of(external.sink, network, state, at, scratch);
    if (external.noise == Noise::gaussian)
      add_gaussian(external, local, scratch, sink);
    else if (external.of_neurons != nullptr)
      add_poisson<width, true>(external, local, n, scratch, sink);
    else
      add_poisson<width, false>(external, local, n, scratch, sink);
  }
  add_channels(network, cells, state, column, scratch);
  const bool any = fire(cells, network.threshold.of(column), v, state.silent + at, scratch);
  write_row(scratch, any, state.row(state.history + k, network.columns) + column * words_per_column);
}

}  // namespace spiking
