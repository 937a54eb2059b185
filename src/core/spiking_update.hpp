// Update: one step of the 512 neurons of a column.
//
//   x = drive + gain e^{(v - onset) steepness} (EIF) + sum over currents of transfer x s + external input
//       + sum over channels of weight x count;
//   u = v decay + x; a silent neuron keeps its v; another takes max(u, floor); at threshold it fires, resets and falls
//   silent
//
// summed in this order. What external input or a channel brings to a current is added to s, once s has decayed.
#pragma once
#include <algorithm>
#include <cstring>
#include <limits>

#include "float32.hpp"
#include "spiking_deliver.hpp"
#include "spiking_network.hpp"

namespace spiking {

// One channel of a column: arrivals and what each weighs.
struct Channel {
  const float* weight;
  const std::uint16_t* count;
};

// A column's values on their way through the step.
struct Scratch {
  alignas(64) float x[column_size];
  alignas(64) std::uint32_t words[column_size];
  Channel channels[2];
  std::size_t left;  // how many of the channels
};

// Where a column stands: its first neuron, in all populations and in its own of n places, and the step.
struct Position {
  std::size_t column, local, n;
  std::uint64_t step;
};

// How many vectors fit into registers beside their counters.
template <int width>
inline constexpr std::size_t chunk_vectors = width == 64 ? 8 : 4;

// Poisson counts by inversion: how many of the thresholds a number reaches, some vectors at a time, ending where a
// threshold is above all of them. `differ`: each of the n neurons has thresholds of its own, from `own` on. Returns
// whether a number may have reached them all.
template <int width, bool differ>
EQ_INLINE bool count_halves(const External& external, const std::int16_t* own, std::size_t n,
                            const std::int16_t* numbers, std::int16_t* counts) {
  typedef typename Vector<width>::Shorts Shorts;
  static_assert(sizeof(Shorts) == width, "a vector fills its register");
  constexpr std::size_t lanes = width / sizeof(std::int16_t), vectors = chunk_vectors<width>;
  const Shorts none = {};
  Shorts number[vectors], count[vectors];
  for (std::size_t q = 0; q < vectors; ++q) std::memcpy(&number[q], numbers + q * lanes, width);
  for (std::size_t q = 0; q < vectors; ++q) count[q] = none;
  std::int16_t highest = std::numeric_limits<std::int16_t>::min();
  for (std::size_t i = 0; i < vectors * lanes; ++i) highest = std::max(highest, numbers[i]);
  std::size_t j = 0;
  for (; j < external.thresholds && external.least[j] <= highest; ++j)
    for (std::size_t q = 0; q < vectors; ++q) {
      Shorts threshold = none + external.least[j];
      if constexpr (differ) std::memcpy(&threshold, own + j * n + q * lanes, width);
      count[q] -= number[q] >= threshold;  // a comparison is -1 where it holds
    }
  for (std::size_t q = 0; q < vectors; ++q) std::memcpy(counts + q * lanes, &count[q], width);
  return j == external.thresholds;
}

// Counts of numbers at the top, by another word each.
EQ_INLINE void count_rest(const External& external, const Key& key, const Position& at, std::size_t first,
                          std::size_t n, std::int16_t* counts) {
  for (std::size_t i = 0; i < n; ++i)
    if (static_cast<std::size_t>(counts[i]) == external.thresholds) {
      const std::uint32_t word = extra_word(key, external.stream, at.step, at.column * column_size + first + i);
      counts[i] = static_cast<std::int16_t>(external.count_of_rest(at.local * column_size + first + i, word));
    }
}

template <int width, bool differ>
EQ_INLINE void add_poisson(const External& external, const Key& key, const Position& at, const Scratch& scratch,
                           float* sink) {
  constexpr std::size_t chunk = chunk_vectors<width> * width / sizeof(std::int16_t);
  const float* amplitude = external.amplitude.of(at.local);
  alignas(64) std::int16_t numbers[column_size], counts[chunk];
  std::memcpy(numbers, scratch.words, sizeof numbers);
  for (std::size_t first = 0; first < column_size; first += chunk) {
    const std::int16_t* own = differ ? external.of_neurons + at.local * column_size + first : nullptr;
    if (count_halves<width, differ>(external, own, at.n, numbers + first, counts))
      count_rest(external, key, at, first, chunk, counts);
    for (std::size_t i = 0; i < chunk; ++i) sink[first + i] += amplitude[first + i] * static_cast<float>(counts[i]);
  }
}

EQ_INLINE void add_gaussian(const External& external, std::size_t column, const Scratch& scratch, float* sink) {
  const float* amplitude = external.amplitude.of(column);
  for (std::size_t half = 0; half < column_size; half += 2 * blocks_of_words)
    for (std::size_t l = half; l < half + blocks_of_words; ++l) {
      const Pair32 z = normal_pair(scratch.words[l], scratch.words[l + blocks_of_words]);
      sink[l] += amplitude[l] * z.first;
      sink[l + blocks_of_words] += amplitude[l + blocks_of_words] * z.second;
    }
}

EQ_INLINE float* sink_of(std::int64_t sink, const Network& network, const State& state, std::size_t at,
                         Scratch& scratch) {
  return sink == potential ? scratch.x : state.currents + static_cast<std::size_t>(sink) * network.neurons() + at;
}

// The upstroke of the EIF, from the potential at the step's beginning.
EQ_INLINE void add_upstroke(const Upstroke& upstroke, const float* v, Scratch& scratch) {
  if (upstroke.gain == 0.0f) return;
  for (std::size_t i = 0; i < column_size; ++i) {
    const float x = (v[i] - upstroke.onset) * upstroke.steepness;
    const float above = x > -87.0f ? x : -87.0f;
    scratch.x[i] += upstroke.gain * exp32(above < 88.0f ? above : 88.0f);
  }
}

EQ_INLINE void add_currents(const Network& network, const Cells& cells, const State& state, std::size_t at,
                            Scratch& scratch) {
  for (std::size_t k = 0; k < cells.currents.size(); ++k) {
    const Current current = cells.currents[k];
    float* s = state.currents + k * network.neurons() + at;
    for (std::size_t i = 0; i < column_size; ++i) {
      scratch.x[i] += current.transfer * s[i];
      s[i] *= current.decay;
    }
  }
}

template <int width>
EQ_INLINE void add_external(const External& external, const Key& key, const Position& at, Scratch& scratch,
                            float* sink) {
  if (external.noise == Noise::gaussian) {
    column_words<blocks_of_words>(key, external.stream, at.step, at.column, scratch.words);
    add_gaussian(external, at.local, scratch, sink);
    return;
  }
  column_words<blocks_of_halves>(key, external.stream, at.step, at.column, scratch.words);
  if (external.of_neurons != nullptr)
    add_poisson<width, true>(external, key, at, scratch, sink);
  else
    add_poisson<width, false>(external, key, at, scratch, sink);
}

EQ_INLINE void add_channel(const Channel& channel, float* sink) {
  for (std::size_t i = 0; i < column_size; ++i) sink[i] += channel.weight[i] * static_cast<float>(channel.count[i]);
}

// Channels that feed currents are added to them; of the others, which act on the potential, the last two are left for
// the pass that fires.
EQ_INLINE void add_channels(const Network& network, const Cells& cells, const State& state, std::size_t column,
                            Inbox& inbox, Scratch& scratch) {
  const std::size_t at = column * column_size;
  scratch.left = 0;
  for (std::size_t c = 0; c < cells.sinks.size(); ++c) {
    const std::uint16_t* counts = inbox.arrived(network, cells, state, c, column);
    if (counts == nullptr) continue;
    const Channel channel{network.weights[c].of(column), counts};
    if (cells.sinks[c] != potential) {
      add_channel(channel, state.currents + static_cast<std::size_t>(cells.sinks[c]) * network.neurons() + at);
    } else if (scratch.left < 2) {
      scratch.channels[scratch.left++] = channel;
    } else {
      add_channel(scratch.channels[0], scratch.x);
      scratch.channels[0] = scratch.channels[1];
      scratch.channels[1] = channel;
    }
  }
}

// The values of a column that every neuron has.
struct Column {
  const float* threshold;
  float* v;
  std::int16_t* until;  // the neuron is silent until this step, counted like k
  std::uint64_t* row;
};

// Who reaches the threshold keeps a v above it until `fire`. Returns whether anyone does.
template <std::size_t channels>
EQ_INLINE bool integrate(const Cells& cells, const Column& column, std::int16_t k, const Scratch& scratch) {
  const float* x = scratch.x;
  const float *weight = scratch.channels[0].weight, *other_weight = scratch.channels[1].weight;
  const std::uint16_t *count = scratch.channels[0].count, *other_count = scratch.channels[1].count;
  const float decay = cells.decay, floor = cells.floor;
  std::int32_t any = 0;
  for (std::size_t i = 0; i < column_size; ++i) {
    float input = x[i];
    if constexpr (channels > 0) input += weight[i] * static_cast<float>(count[i]);
    if constexpr (channels > 1) input += other_weight[i] * static_cast<float>(other_count[i]);
    const float u = column.v[i] * decay + input;
    const float free = u > floor ? u : floor;
    const float now = column.until[i] <= k ? free : column.v[i];
    column.v[i] = now;
    any |= now >= column.threshold[i] ? 1 : 0;
  }
  return any != 0;
}

// Whoever is above threshold fires: eight flags, one a byte, become eight bits where any is set; the product moves flag
// f to bit 56 + f, and no two meet elsewhere.
EQ_INLINE void fire(const Cells& cells, const Column& column, std::int16_t k) {
  alignas(64) std::uint8_t above[column_size];
  for (std::size_t i = 0; i < column_size; ++i) above[i] = column.v[i] >= column.threshold[i] ? 1 : 0;
  for (std::size_t byte = 0; byte < column_size / 8; ++byte) {
    std::uint64_t flags;
    std::memcpy(&flags, above + 8 * byte, sizeof flags);
    if (flags == 0) continue;
    column.row[byte / 8] |= ((flags * 0x0102040810204080ULL) >> 56) << (8 * (byte % 8));
    for (std::size_t i = 8 * byte; i < 8 * byte + 8; ++i)
      if (above[i] != 0) {
        column.v[i] = cells.reset;
        column.until[i] = static_cast<std::int16_t>(k + 1 + cells.refractory);
      }
  }
}

// `k`: the step counted from the last one at which `until` was; `row`: where its spikes go, all zero.
template <int width>
EQ_INLINE void update_column(const Network& network, const Cells& cells, std::size_t population, const State& state,
                             std::size_t column, std::size_t k, Inbox& inbox, Scratch& scratch) {
  const std::size_t at = column * column_size;
  const Position place{column, column - cells.first, (cells.last - cells.first) * column_size, state.first_step + k};
  std::memcpy(scratch.x, network.drive.of(column), sizeof scratch.x);
  add_upstroke(cells.upstroke, state.v + at, scratch);
  add_currents(network, cells, state, at, scratch);
  for (const External& external : network.externals)
    if (external.population == population)
      add_external<width>(external, network.key, place, scratch, sink_of(external.sink, network, state, at, scratch));
  add_channels(network, cells, state, column, inbox, scratch);
  const Column values{network.threshold.of(column), state.v + at, state.silent + at,
                      state.row(state.history + k, network.columns) + column * words_per_column};
  const auto now = static_cast<std::int16_t>(k % steps_of_turn);
  const bool any = scratch.left == 2   ? integrate<2>(cells, values, now, scratch)
                   : scratch.left == 1 ? integrate<1>(cells, values, now, scratch)
                                       : integrate<0>(cells, values, now, scratch);
  if (any) fire(cells, values, now);
  inbox.empty(network, cells, state, column);
}

}  // namespace spiking
