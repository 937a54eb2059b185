// Update: one step of the 512 neurons of a column.
//
//   u = v decay + drive + external input + sum over channels of weight x count        (in this order)
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

// Poisson counts by inversion: thresholds are counted that a word reaches, four at a time, until one is above all words
// of the chunk. `differ`: each neuron has thresholds of its own.
template <bool differ>
EQ_INLINE void add_poisson(const External& external, std::size_t at, std::size_t n, Scratch& scratch) {
  constexpr std::size_t chunk = 128;
  alignas(64) std::int32_t word[chunk], count[chunk];
  for (std::size_t first = 0; first < column_size; first += chunk) {
    std::int32_t highest = std::numeric_limits<std::int32_t>::min();
    for (std::size_t i = 0; i < chunk; ++i) {
      word[i] = static_cast<std::int32_t>(scratch.words[first + i] ^ 0x80000000U);
      highest = std::max(highest, word[i]);
      count[i] = 0;
    }
    for (std::size_t j = 0; j < external.thresholds && external.least[j] <= highest; j += 4) {
      const std::int32_t* same = external.least + j;
      const std::int32_t* own = external.of_neurons + (differ ? j * n + at + first : 0);
      for (std::size_t i = 0; i < chunk; ++i)
        for (std::size_t k = 0; k < 4; ++k) count[i] += word[i] >= (differ ? own[k * n + i] : same[k]) ? 1 : 0;
    }
    for (std::size_t i = 0; i < chunk; ++i)
      scratch.u[first + i] += external.amplitude[at + first + i] * static_cast<float>(count[i]);
  }
}

EQ_INLINE void add_gaussian(const External& external, std::size_t at, Scratch& scratch) {
  const float* amplitude = external.amplitude + at;
  for (std::size_t half = 0; half < column_size; half += 2 * quarter)
    for (std::size_t l = half; l < half + quarter; ++l) {
      const Pair32 z = normal_pair(scratch.words[l], scratch.words[l + quarter]);
      scratch.u[l] += amplitude[l] * z.first;
      scratch.u[l + quarter] += amplitude[l + quarter] * z.second;
    }
}

// Two channels at a time, as most neurons have excitation and inhibition; the order of the sum is that of the channels.
EQ_INLINE void add_channels(const Network& network, const State& state, std::size_t at, Scratch& scratch) {
  const std::size_t n = network.neurons();
  const float* weight = network.weights + at;
  std::uint16_t* count = state.counts + at;
  std::size_t c = 0;
  for (; c + 2 <= network.channels; c += 2, weight += 2 * n, count += 2 * n) {
    for (std::size_t i = 0; i < column_size; ++i) {
      const float first = scratch.u[i] + weight[i] * static_cast<float>(count[i]);
      scratch.u[i] = first + weight[n + i] * static_cast<float>(count[n + i]);
    }
    std::memset(count, 0, column_size * sizeof *count);
    std::memset(count + n, 0, column_size * sizeof *count);
  }
  if (c == network.channels) return;
  for (std::size_t i = 0; i < column_size; ++i) scratch.u[i] += weight[i] * static_cast<float>(count[i]);
  std::memset(count, 0, column_size * sizeof *count);
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

EQ_INLINE void update_column(const Network& network, const Cells& cells, std::size_t population, const State& state,
                             std::size_t column, std::size_t k, Scratch& scratch) {
  const std::size_t at = column * column_size, local = (column - cells.first) * column_size;
  const std::uint64_t step = state.first_step + k;
  float* v = state.v + at;
  for (std::size_t i = 0; i < column_size; ++i) scratch.u[i] = v[i] * cells.decay + network.drive[at + i];
  for (const External& external : network.externals) {
    if (external.population != population) continue;
    column_words(network.key, external.stream, step, column, scratch.words);
    const std::size_t n = (cells.last - cells.first) * column_size;
    if (external.noise == Noise::gaussian)
      add_gaussian(external, local, scratch);
    else if (external.of_neurons != nullptr)
      add_poisson<true>(external, local, n, scratch);
    else
      add_poisson<false>(external, local, n, scratch);
  }
  add_channels(network, state, at, scratch);
  const bool any = fire(cells, network.threshold + at, v, state.silent + at, scratch);
  write_row(scratch, any, state.row(state.history + k, network.columns) + column * words_per_column);
}

}  // namespace spiking
