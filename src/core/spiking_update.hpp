// Update: one step of the 512 neurons of a column.
//
//   x = drive + gain e^{(v - onset) steepness} (EIF) + sum over currents of transfer x s
//       + what a gate draws (spiking_gate.hpp) + external input + sum over channels of weight x count;
//   u = v decay + x; a silent neuron keeps its v; another takes max(u, floor); at threshold it fires, resets and falls
//   silent
//
// summed in this order. What external input or a channel brings to a current is added to s, once s has decayed. Neurons
// with conductances take another step: spiking_conduct.hpp.
#pragma once
#include <algorithm>
#include <cstring>
#include <limits>

#include "float32.hpp"
#include "spiking_adapt.hpp"
#include "spiking_conduct.hpp"
#include "spiking_deliver.hpp"
#include "spiking_gate.hpp"
#include "spiking_network.hpp"
#include "spiking_probe.hpp"

namespace spiking {

// Counts of a column and what each weighs: arrivals of a channel, or of a source.
struct Channel {
  const float* weight;
  const std::uint16_t* count;
};

EQ_INLINE void add_channel(const Channel& channel, float* sink) {
  for (std::size_t i = 0; i < column_size; ++i) sink[i] += channel.weight[i] * static_cast<float>(channel.count[i]);
}

// The sum x of a column. It starts as the drive, and its last terms, if they are counts, wait for the pass that uses x.
struct Input {
  static constexpr std::size_t most = 3;
  alignas(64) float own[column_size];
  const float* x;
  Channel waiting[most];
  std::size_t left;

  EQ_INLINE void begin(const float* drive) {
    x = drive;
    left = 0;
  }

  EQ_INLINE float* open() {
    if (x != own) std::memcpy(own, x, sizeof own);
    x = own;
    for (std::size_t c = 0; c < left; ++c) add_channel(waiting[c], own);
    left = 0;
    return own;
  }

  EQ_INLINE void add(const Channel& channel) {
    if (left == most) open();
    waiting[left++] = channel;
  }
};

// A column's values on their way through the step.
struct Scratch {
  Input input;
  alignas(64) std::uint32_t words[column_size];
  alignas(64) std::uint16_t counts[column_size];  // of a source
  Conducted conducted;
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
                            const std::int16_t* numbers, std::uint16_t* counts) {
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
      if constexpr (width == 64)
        count[q] = number[q] >= threshold ? count[q] + 1 : count[q];  // one masked sum
      else
        count[q] -= number[q] >= threshold;  // a comparison is -1 where it holds
    }
  for (std::size_t q = 0; q < vectors; ++q) std::memcpy(counts + q * lanes, &count[q], width);
  return j == external.thresholds;
}

// Counts of numbers at the top, by another word each.
EQ_INLINE void count_rest(const External& external, const Key& key, const Position& at, std::size_t first,
                          std::size_t n, std::uint16_t* counts) {
  for (std::size_t i = 0; i < n; ++i)
    if (static_cast<std::size_t>(counts[i]) == external.thresholds) {
      const std::uint32_t word = extra_word(key, external.stream, at.step, at.column * column_size + first + i);
      counts[i] = static_cast<std::uint16_t>(external.count_of_rest(at.local * column_size + first + i, word));
    }
}

template <int width, bool differ>
EQ_INLINE void count_poisson(const External& external, const Key& key, const Position& at, Scratch& scratch) {
  constexpr std::size_t chunk = chunk_vectors<width> * width / sizeof(std::int16_t);
  alignas(64) std::int16_t numbers[column_size];
  std::memcpy(numbers, scratch.words, sizeof numbers);
  for (std::size_t first = 0; first < column_size; first += chunk) {
    const std::int16_t* own = differ ? external.of_neurons + at.local * column_size + first : nullptr;
    if (count_halves<width, differ>(external, own, at.n, numbers + first, scratch.counts + first))
      count_rest(external, key, at, first, chunk, scratch.counts + first);
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

// The upstroke of the EIF, from the potential at the step's beginning. As in all that follows, values are those of each
// neuron, or one for all.
template <class Values>
EQ_INLINE void add_upstroke(const Membranes& membranes, std::size_t column, const float* v, Input& input) {
  const Values gain(membranes.gain.of(column)), onset(membranes.onset.of(column));
  const Values steepness(membranes.steepness.of(column));
  if (gain[0] == 0.0f) return;  // a column begins with a neuron, and all of a population are of one kind
  float* sum = input.open();
  for (std::size_t i = 0; i < column_size; ++i) {
    const float x = (v[i] - onset[i]) * steepness[i];
    const float above = x > -87.0f ? x : -87.0f;
    sum[i] += gain[i] * exp32(above < 88.0f ? above : 88.0f);
  }
}

template <class Values>
EQ_INLINE void add_currents(const Network& network, const Cells& cells, const State& state, std::size_t column,
                            Input& input) {
  for (std::size_t k = 0; k < cells.currents.size(); ++k) {
    const float decay = cells.currents[k].decay;
    const Values transfer(network.membranes.transfers[k].of(column));
    float *s = state.currents + k * network.neurons() + column * column_size, *sum = input.open();
    for (std::size_t i = 0; i < column_size; ++i) {
      sum[i] += transfer[i] * s[i];
      s[i] *= decay;
    }
  }
}

// `current`: where the input goes if it is not the potential.
template <int width>
EQ_INLINE void add_external(const External& external, const Key& key, const Position& at, float* current,
                            Scratch& scratch) {
  if (external.noise == Noise::gaussian) {
    column_words<blocks_of_words>(key, external.stream, at.step, at.column, scratch.words);
    add_gaussian(external, at.local, scratch, current == nullptr ? scratch.input.open() : current);
    return;
  }
  if (scratch.input.left > 0) scratch.input.open();  // the counts of another source may be waiting
  if (external.noise == Noise::given) {
    std::memset(scratch.counts, 0, sizeof scratch.counts);
    external.counts_given(at.local, at.n / column_size, at.step, scratch.counts);
  } else {
    column_words<blocks_of_halves>(key, external.stream, at.step, at.column, scratch.words);
    if (external.of_neurons != nullptr)
      count_poisson<width, true>(external, key, at, scratch);
    else
      count_poisson<width, false>(external, key, at, scratch);
  }
  const Channel channel{external.amplitude.of(at.local), scratch.counts};
  if (current == nullptr)
    scratch.input.add(channel);
  else
    add_channel(channel, current);
}

EQ_INLINE float* current_of(std::int64_t sink, const Network& network, const State& state, std::size_t at) {
  return sink == potential ? nullptr : state.currents + static_cast<std::size_t>(sink) * network.neurons() + at;
}

EQ_INLINE void add_channels(const Network& network, const Cells& cells, const State& state, std::size_t column,
                            const Inbox& inbox, Input& input) {
  for (std::size_t c = 0; c < cells.sinks.size(); ++c) {
    if (cells.summed[c] != 0) {
      float* current = current_of(cells.sinks[c], network, state, column * column_size);
      add_sums(network.weights[c].of(column), inbox.sums(network, state, c, column),
               current == nullptr ? input.open() : current);
      continue;
    }
    const std::uint16_t* counts = inbox.arrived(network, cells, state, c, column);
    if (counts == nullptr) continue;
    const Channel channel{network.weights[c].of(column), counts};
    float* current = current_of(cells.sinks[c], network, state, column * column_size);
    if (current == nullptr)
      input.add(channel);
    else
      add_channel(channel, current);
  }
}

// Who reaches the threshold keeps a v above it until `fire`. Returns whether anyone does. `waiting`: of the input.
template <class Values, std::size_t waiting>
EQ_INLINE bool integrate(const Membranes& membranes, const Column& column, std::int16_t k, const Input& input) {
  const Channel *a = input.waiting, *b = a + 1, *c = a + 2;
  const Values decay(membranes.decay.of(column.number)), floor(membranes.floor.of(column.number));
  std::int32_t any = 0;
  for (std::size_t i = 0; i < column_size; ++i) {
    float x = input.x[i];
    if constexpr (waiting > 0) x += a->weight[i] * static_cast<float>(a->count[i]);
    if constexpr (waiting > 1) x += b->weight[i] * static_cast<float>(b->count[i]);
    if constexpr (waiting > 2) x += c->weight[i] * static_cast<float>(c->count[i]);
    const float u = column.v[i] * decay[i] + x;
    const float free = u > floor[i] ? u : floor[i];
    const float now = column.until[i] <= k ? free : column.v[i];
    column.v[i] = now;
    any |= now >= column.threshold[i] ? 1 : 0;
  }
  return any != 0;
}

template <class Values>
EQ_INLINE bool integrate(const Membranes& membranes, const Column& column, std::int16_t k, const Input& input) {
  switch (input.left) {
    case 3: return integrate<Values, 3>(membranes, column, k, input);
    case 2: return integrate<Values, 2>(membranes, column, k, input);
    case 1: return integrate<Values, 1>(membranes, column, k, input);
    default: return integrate<Values, 0>(membranes, column, k, input);
  }
}

// Whoever is above threshold fires. Eight flags, one a byte, become eight bits: the product moves flag f to bit 56 + f,
// and no two meet elsewhere.
EQ_INLINE void fire(const Membranes& membranes, const Column& column, std::int16_t k) {
  const float *reset = membranes.reset.of(column.number), *refractory = membranes.refractory.of(column.number);
  for (std::size_t first = 0; first < column_size; first += 64) {
    const float *v = column.v + first, *threshold = column.threshold + first;
    std::int32_t any = 0;
    for (std::size_t i = 0; i < 64; ++i) any |= v[i] >= threshold[i] ? 1 : 0;
    if (any == 0) continue;
    alignas(64) std::uint8_t above[64];
    for (std::size_t i = 0; i < 64; ++i) above[i] = v[i] >= threshold[i] ? 1 : 0;
    std::uint64_t word = 0, flags;
    for (std::size_t byte = 0; byte < 8; ++byte) {
      std::memcpy(&flags, above + 8 * byte, sizeof flags);
      word |= ((flags * 0x0102040810204080ULL) >> 56) << (8 * byte);
    }
    column.row[first / 64] = word;
    for (; word != 0; word &= word - 1) {
      const std::size_t i = first + static_cast<std::size_t>(__builtin_ctzll(word));
      column.v[i] = reset[i];
      column.until[i] = static_cast<std::int16_t>(k + 1 + static_cast<std::int32_t>(refractory[i]));
    }
  }
}

// What moves the potentials but arrivals. Conductances are left aside with what they do to the potential.
template <class Values>
EQ_INLINE void begin_input(const Network& network, const Cells& cells, const State& state, std::size_t column,
                           Scratch& scratch) {
  scratch.input.begin(network.drive.of(column));
  if (cells.conduct) {
    conduct(network, cells, state, column, scratch.conducted);
    return;
  }
  add_upstroke<Values>(network.membranes, column, state.v + column * column_size, scratch.input);
  add_currents<Values>(network, cells, state, column, scratch.input);
  for (const Gate& gate : cells.gates) gate_pulls<Values>(network, gate, state, column, scratch.input.open());
}

// The row of the raster that takes the spikes is zero. `looked`: there are probes, in this column or others.
template <int width, bool looked>
EQ_INLINE void update_column(const Network& network, const Cells& cells, std::size_t population, const State& state,
                             const Probes& probes, std::size_t column, std::size_t k, Inbox& inbox, Scratch& scratch) {
  const std::size_t at = column * column_size;
  const Position place{column, column - cells.first, (cells.last - cells.first) * column_size, state.first_step + k};
  const Look look(probes, column, k);
  if constexpr (looked) look.start(cells);
  if (cells.alike)
    begin_input<Same>(network, cells, state, column, scratch);
  else
    begin_input<Each>(network, cells, state, column, scratch);
  for (const External& external : network.externals)
    if (external.population == population) {
      add_external<width>(external, network.key, place, current_of(external.sink, network, state, at), scratch);
      if constexpr (looked) look.source(external, place.local, scratch.words, scratch.counts);
    }
  add_channels(network, cells, state, column, inbox, scratch.input);
  for (std::size_t c = 0; looked && c < cells.sinks.size(); ++c)
    if (cells.summed[c] != 0)
      look.arriving(cells.sinks[c], network.weights[c].of(column), inbox.sums(network, state, c, column));
    else if (const std::uint16_t* counts = inbox.arrived(network, cells, state, c, column))
      look.arriving(cells.sinks[c], network.weights[c].of(column), counts);
  const Column values{column, network.threshold.of(column), state.v + at, state.silent + at,
                      state.row(state.history + k, network.columns) + column * words_per_column};
  const auto now = static_cast<std::int16_t>(k % steps_of_turn);
  const bool any = cells.conduct ? relax(values, now, scratch.conducted)
                   : cells.alike ? integrate<Same>(network.membranes, values, now, scratch.input)
                                 : integrate<Each>(network.membranes, values, now, scratch.input);
  if (any) {
    fire(network.membranes, values, now);
    adapt(network, cells, state, values);
  }
  if constexpr (looked) look.finish(cells, values.v, state.currents + at, network.neurons());
  inbox.empty(network, cells, state, column);
}

}  // namespace spiking
