// Update: one step of the 512 neurons of a column.
//
//   u = v decay + drive + gain e^{(v - onset) steepness} (EIF) + sum over currents of transfer x s;
//   each s takes its decay; then to u or to a current external input and weight x count of each channel, in this order;
//   a silent neuron keeps its v; another takes max(u, floor); at threshold it fires, resets and falls silent
#pragma once
#include <algorithm>
#include <cstring>
#include <limits>

#include "float32.hpp"
#include "spiking_network.hpp"

namespace spiking {

// A column's values on their way through the step.
struct Scratch {
  alignas(64) float u[column_size];
  alignas(64) std::uint32_t words[column_size];
};

// How many vectors fit into registers beside their counters.
template <int width>
inline constexpr std::size_t chunk_vectors = width == 64 ? 8 : 4;

// Poisson counts by inversion: how many of the thresholds a word reaches, some vectors at a time, ending where a
// threshold is above all of them. `differ`: each of the n neurons has thresholds of its own, from `own` on.
template <int width, bool differ>
EQ_INLINE void count_words(const External& external, const std::int32_t* own, std::size_t n, const std::uint32_t* words,
                           std::int32_t* counts) {
  typedef typename Vector<width>::Ints Ints;
  static_assert(sizeof(Ints) == width, "a vector fills its register");
  constexpr std::size_t lanes = width / sizeof(std::int32_t), vectors = chunk_vectors<width>;
  const Ints none = {};
  Ints word[vectors], count[vectors];
  for (std::size_t q = 0; q < vectors; ++q) std::memcpy(&word[q], words + q * lanes, width);
  for (std::size_t q = 0; q < vectors; ++q) count[q] = none;
  std::int32_t highest = std::numeric_limits<std::int32_t>::min();
  for (std::size_t i = 0; i < vectors * lanes; ++i) highest = std::max(highest, static_cast<std::int32_t>(words[i]));
  for (std::size_t j = 0; j < external.thresholds && external.least[j] <= highest; ++j)
    for (std::size_t q = 0; q < vectors; ++q) {
      Ints threshold = none + external.least[j];
      if constexpr (differ) std::memcpy(&threshold, own + j * n + q * lanes, width);
      count[q] -= word[q] >= threshold;  // a comparison is -1 where it holds
    }
  for (std::size_t q = 0; q < vectors; ++q) std::memcpy(counts + q * lanes, &count[q], width);
}

template <int width, bool differ>
EQ_INLINE void add_poisson(const External& external, std::size_t column, std::size_t n, const Scratch& scratch,
                           float* sink) {
  constexpr std::size_t chunk = chunk_vectors<width> * width / sizeof(std::int32_t);
  const float* amplitude = external.amplitude.of(column);
  alignas(64) std::int32_t counts[chunk];
  for (std::size_t first = 0; first < column_size; first += chunk) {
    const std::int32_t* own = differ ? external.of_neurons + column * column_size + first : nullptr;
    count_words<width, differ>(external, own, n, scratch.words + first, counts);
    for (std::size_t i = 0; i < chunk; ++i) sink[first + i] += amplitude[first + i] * static_cast<float>(counts[i]);
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

EQ_INLINE float* sink_of(std::int64_t sink, const Network& network, const State& state, std::size_t at,
                         Scratch& scratch) {
  return sink == potential ? scratch.u : state.currents + static_cast<std::size_t>(sink) * network.neurons() + at;
}

template <class Values>
EQ_INLINE void add_currents(const Network& network, const Cells& cells, const State& state, std::size_t column,
                            Scratch& scratch) {
  for (std::size_t k = 0; k < cells.currents.size(); ++k) {
    const float decay = cells.currents[k];
    const Values transfer(network.membranes.transfers[k].of(column));
    float* s = state.currents + k * network.neurons() + column * column_size;
    for (std::size_t i = 0; i < column_size; ++i) {
      scratch.u[i] += transfer[i] * s[i];
      s[i] *= decay;
    }
  }
}

EQ_INLINE void add_channel(const float* weight, std::uint16_t* count, float* sink) {
  for (std::size_t i = 0; i < column_size; ++i) {
    sink[i] += weight[i] * static_cast<float>(count[i]);
    count[i] = 0;
  }
}

// Two channels of one sink in one pass, as most neurons have excitation and inhibition; the order of the sum stays.
EQ_INLINE void add_two_channels(const float* weight, const float* other_weight, std::uint16_t* count,
                                std::uint16_t* other_count, float* sink) {
  for (std::size_t i = 0; i < column_size; ++i) {
    const float first = sink[i] + weight[i] * static_cast<float>(count[i]);
    sink[i] = first + other_weight[i] * static_cast<float>(other_count[i]);
    count[i] = 0;
    other_count[i] = 0;
  }
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

// The upstroke of the EIF, from the potential at the step's beginning.
template <class Values>
EQ_INLINE void add_upstroke(const Membranes& membranes, std::size_t column, const float* v, Scratch& scratch) {
  const Values gain(membranes.gain.of(column)), onset(membranes.onset.of(column));
  const Values steepness(membranes.steepness.of(column));
  if (gain[0] == 0.0f) return;  // a column begins with a neuron, and all of a population are of one kind
  for (std::size_t i = 0; i < column_size; ++i) {
    const float x = (v[i] - onset[i]) * steepness[i];
    const float above = x > -87.0f ? x : -87.0f;
    scratch.u[i] += gain[i] * exp32(above < 88.0f ? above : 88.0f);
  }
}

// All that moves the potential but arrivals. As in `end_step` the values are those of each neuron, or one for all.
template <class Values>
EQ_INLINE void begin_step(const Network& network, const Cells& cells, const State& state, std::size_t column,
                          Scratch& scratch) {
  const Values decay(network.membranes.decay.of(column));
  const float *drive = network.drive.of(column), *v = state.v + column * column_size;
  for (std::size_t i = 0; i < column_size; ++i) scratch.u[i] = v[i] * decay[i] + drive[i];
  add_upstroke<Values>(network.membranes, column, v, scratch);
  add_currents<Values>(network, cells, state, column, scratch);
}

// The neuron is silent until step `until`, counted like k; its v is then below threshold. Returns whether anyone fired.
template <class Values>
EQ_INLINE bool fire(const float* threshold, Values floor, Values reset, Values refractory, std::int32_t k, float* v,
                    std::int32_t* until, const Scratch& scratch) {
  std::int32_t any = 0;
  for (std::size_t i = 0; i < column_size; ++i) {
    const float free = scratch.u[i] > floor[i] ? scratch.u[i] : floor[i];
    const float now = until[i] <= k ? free : v[i];
    const bool fires = now >= threshold[i];
    v[i] = fires ? reset[i] : now;
    until[i] = fires ? k + 1 + static_cast<std::int32_t>(refractory[i]) : until[i];
    any |= fires ? 1 : 0;
  }
  return any != 0;
}

// Who fired in step k is silent for its refractory time from the next on. Eight flags, one a byte, become eight bits:
// the product moves flag j to bit 56 + j, and no two meet elsewhere.
template <class Values>
EQ_INLINE void write_row(bool any, std::int32_t k, Values refractory, const std::int32_t* until, std::uint64_t* row) {
  alignas(64) std::uint8_t fired[column_size];
  for (std::size_t i = 0; any && i < column_size; ++i)
    fired[i] = until[i] == k + 1 + static_cast<std::int32_t>(refractory[i]) ? 1 : 0;
  for (std::size_t w = 0; w < words_per_column; ++w) {
    std::uint64_t word = 0, flags;
    for (std::size_t byte = 0; any && byte < 8; ++byte) {
      std::memcpy(&flags, fired + 64 * w + 8 * byte, sizeof flags);
      word |= ((flags * 0x0102040810204080ULL) >> 56) << (8 * byte);
    }
    row[w] = word;
  }
}

// Fire, and write down who did.
template <class Values>
EQ_INLINE void end_step(const Network& network, const State& state, std::size_t column, std::size_t k,
                        const Scratch& scratch) {
  const Membranes& of = network.membranes;
  const Values refractory(of.refractory.of(column));
  const auto now = static_cast<std::int32_t>(k);
  float* v = state.v + column * column_size;
  std::int32_t* until = state.silent + column * column_size;
  const bool any = fire<Values>(network.threshold.of(column), Values(of.floor.of(column)), Values(of.reset.of(column)),
                                refractory, now, v, until, scratch);
  std::uint64_t* row = state.row(state.history + k, network.columns) + column * words_per_column;
  write_row<Values>(any, now, refractory, until, row);
}

template <int width>
EQ_INLINE void update_column(const Network& network, const Cells& cells, std::size_t population, const State& state,
                             std::size_t column, std::size_t k, Scratch& scratch) {
  const std::size_t at = column * column_size, local = column - cells.first;
  const std::size_t n = (cells.last - cells.first) * column_size;
  const std::uint64_t step = state.first_step + k;
  if (cells.alike)
    begin_step<Same>(network, cells, state, column, scratch);
  else
    begin_step<Each>(network, cells, state, column, scratch);
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
  if (cells.alike)
    end_step<Same>(network, state, column, k, scratch);
  else
    end_step<Each>(network, state, column, k, scratch);
}

}  // namespace spiking
