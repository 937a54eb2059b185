// Update: one step of the 512 neurons of a column.
//
//   x = drive + gain e^{(v - onset) steepness} (EIF) + sum over currents of transfer x s + external input;
//   u = v decay + x + sum over channels of weight x count;
//   a silent neuron keeps its v; another takes max(u, floor); at threshold it fires, resets and falls silent
//
// summed in this order. What external input or a channel brings to a current is added to s, once s has decayed.
#pragma once
#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include "float32.hpp"
#include "spiking_network.hpp"

namespace spiking {

// One channel of a column: arrivals and what each weighs.
struct Channel {
  const float* weight;
  std::uint16_t* count;
};

// A column's values on their way through the step.
struct Scratch {
  alignas(64) float x[column_size];
  alignas(64) std::uint32_t words[column_size];
  std::vector<Channel> channels;
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

EQ_INLINE void add_channel(const Channel& channel, float* s) {
  for (std::size_t i = 0; i < column_size; ++i) {
    s[i] += channel.weight[i] * static_cast<float>(channel.count[i]);
    channel.count[i] = 0;
  }
}

// Channels that feed currents are added to them; the others, which act on the potential, are listed.
EQ_INLINE void list_channels(const Network& network, const Cells& cells, const State& state, std::size_t column,
                             std::vector<Channel>& fast) {
  const std::size_t n = network.neurons(), at = column * column_size;
  fast.clear();
  for (std::size_t c = 0; c < cells.sinks.size(); ++c) {
    const Channel channel{network.weights[c].of(column), state.counts + c * n + at};
    if (cells.sinks[c] == potential)
      fast.push_back(channel);
    else
      add_channel(channel, state.currents + static_cast<std::size_t>(cells.sinks[c]) * n + at);
  }
}

// Flags of 0 or -1, one a byte, as bits. Eight at a time: the product moves flag k to bit 56 + k, and no two meet
// elsewhere.
template <int width>
EQ_INLINE void write_bits(const std::int8_t* flags, std::uint64_t* row, std::size_t first) {
  std::uint64_t words[width / 8], any = 0;
  std::memcpy(words, flags, sizeof words);
  for (std::size_t k = 0; k < width / 8; ++k) any |= words[k];
  std::uint8_t bits[width / 8] = {};
  for (std::size_t k = 0; any != 0 && k < width / 8; ++k)
    bits[k] = static_cast<std::uint8_t>(((words[k] & 0x0101010101010101ULL) * 0x0102040810204080ULL) >> 56);
  std::memcpy(reinterpret_cast<char*>(row) + first / 8, bits, sizeof bits);
}

// The values of a column that every neuron has.
struct Column {
  const float* threshold;
  float* v;
  std::int32_t* until;  // the neuron is silent until this step, counted like k
  std::uint64_t* row;
};

// Four vectors of neurons at a time: as many neurons as a vector has bytes.
template <int width>
EQ_INLINE void integrate_and_fire(const Cells& cells, const Column& column, const std::vector<Channel>& channels,
                                  std::int32_t k, const float* x) {
  typedef typename Vector<width>::Floats Floats;
  typedef typename Vector<width>::Ints Ints;
  typedef typename Vector<width>::HalfCounts HalfCounts;
  typedef typename Vector<width>::QuarterFlags QuarterFlags;
  constexpr std::size_t lanes = width / sizeof(float);
  const Floats floor = Floats{} + cells.floor, reset = Floats{} + cells.reset;
  const Ints now = Ints{} + k, next = now + 1 + cells.refractory;
  const HalfCounts none = {};
  for (std::size_t first = 0; first < column_size; first += 4 * lanes) {
    Floats u[4], v, other;
    Ints until;
    HalfCounts count;
    alignas(64) std::int8_t flags[4 * lanes];
#pragma GCC unroll 4
    for (std::size_t q = 0; q < 4; ++q) {
      std::memcpy(&v, column.v + first + q * lanes, width);
      std::memcpy(&other, x + first + q * lanes, width);
      u[q] = v * cells.decay + other;
    }
    for (const Channel& channel : channels)
#pragma GCC unroll 4
      for (std::size_t q = 0; q < 4; ++q) {
        const std::size_t i = first + q * lanes;
        std::memcpy(&count, channel.count + i, sizeof count);
        std::memcpy(&other, channel.weight + i, width);
        u[q] += other * __builtin_convertvector(__builtin_convertvector(count, Ints), Floats);
        std::memcpy(channel.count + i, &none, sizeof none);
      }
#pragma GCC unroll 4
    for (std::size_t q = 0; q < 4; ++q) {
      const std::size_t i = first + q * lanes;
      std::memcpy(&v, column.v + i, width);
      std::memcpy(&until, column.until + i, width);
      std::memcpy(&other, column.threshold + i, width);
      u[q] = u[q] > floor ? u[q] : floor;
      v = until <= now ? u[q] : v;
      const Ints fires = v >= other;
      v = fires ? reset : v;
      until = fires ? next : until;
      const QuarterFlags flag = __builtin_convertvector(fires, QuarterFlags);
      std::memcpy(column.v + i, &v, width);
      std::memcpy(column.until + i, &until, width);
      std::memcpy(flags + q * lanes, &flag, sizeof flag);
    }
    write_bits<width>(flags, column.row, first);
  }
}

template <int width>
EQ_INLINE void update_column(const Network& network, const Cells& cells, std::size_t population, const State& state,
                             std::size_t column, std::size_t k, Scratch& scratch) {
  const std::size_t at = column * column_size;
  const Position place{column, column - cells.first, (cells.last - cells.first) * column_size, state.first_step + k};
  std::memcpy(scratch.x, network.drive.of(column), sizeof scratch.x);
  add_upstroke(cells.upstroke, state.v + at, scratch);
  add_currents(network, cells, state, at, scratch);
  for (const External& external : network.externals)
    if (external.population == population)
      add_external<width>(external, network.key, place, scratch, sink_of(external.sink, network, state, at, scratch));
  list_channels(network, cells, state, column, scratch.channels);
  const Column values{network.threshold.of(column), state.v + at, state.silent + at,
                      state.row(state.history + k, network.columns) + column * words_per_column};
  integrate_and_fire<width>(cells, values, scratch.channels, static_cast<std::int32_t>(k), scratch.x);
}

}  // namespace spiking
