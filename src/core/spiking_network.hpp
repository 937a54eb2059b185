// What the spiking step works on: views of arrays that the caller owns, gathered into one description.
//
// Neurons are numbered population after population, each padded to whole columns of 512; padding never fires. A row of
// the raster holds the spikes of one step, one bit a neuron. What arrives is gathered per channel, one channel for each
// weight a neuron distinguishes, and weighed once per step by the neuron's own weight: counts where synapses are alike,
// sums of relative weights where each has its own. What a channel or a source brings goes to a sink: the potential
// itself, or a current that decays with the time constant of its synapses. Where neurons have conductances these stand
// in place of currents, over the capacitance [1/s].
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "threefry.hpp"

namespace spiking {

inline constexpr std::size_t words_per_column = column_size / 64;

// Vectors of as many bytes as the machine handles at once. (GCC forgets the size where such a type is an alias or a
// template argument; hence typedefs, and widths as arguments.)
template <int width>
struct Vector {
  typedef std::uint64_t Bits __attribute__((vector_size(width)));
  typedef std::int16_t Shorts __attribute__((vector_size(width)));
  static_assert(sizeof(Bits) == width && sizeof(Shorts) == width, "a vector fills its register");
};

inline constexpr std::int64_t potential = -1;  // the sink that is no current

// A synaptic current s [V/s], or a conductance over capacitance [1/s] of this reversal; currents have none.
struct Current {
  float decay;     // over one step
  float reversal;  // from the leak potential
  bool inhibits;
  float jump;  // at each spike of the neuron itself, where it is no synaptic current but adaptation; else 0
};

// A conductance that the neuron's own potential opens: spiking_gate.hpp. Its state is the open share m.
struct Gate {
  std::size_t place;  // of its state, behind the currents
  float decay;        // of what is left of m_inf - m, over one step
  float reversal, half, steepness;  // potentials from the leak
  float strength;     // with all gates open, over the capacitance [1/s]
  float opened;       // by a spike, of the share that is closed
};

// What the neurons of one population share.
struct Cells {
  std::size_t first, last;           // columns
  bool alike;                        // whether they have the same membranes
  bool conduct;                      // whether their synapses are conductances
  std::vector<Current> currents;
  std::vector<Gate> gates;
  std::vector<std::int64_t> sinks;   // of each channel
  std::vector<std::int64_t> summed;  // whether a channel holds sums; else counts,
  std::vector<bool> listed;          // some of which lists bring
};

enum class Noise : std::int64_t { poisson, gaussian, given };

// Values of neurons come in strips of one column each; columns with the same values may share a strip, so that what is
// uniform stays in the nearest cache.
struct Strips {
  const float* pool;
  const std::int64_t* index;  // which strip each column uses

  EQ_INLINE const float* of(std::size_t column) const {
    return pool + static_cast<std::size_t>(index[column]) * column_size;
  }
};

// A column's values: of each neuron, or one in a register where all are alike.
using Each = const float*;
struct Same {
  float value;

  EQ_INLINE explicit Same(const float* values) : value(values[0]) {}
  EQ_INLINE float operator[](std::size_t) const { return value; }
};

// How neurons take a step. Potentials are measured from the leak potential.
struct Membranes {
  Strips decay;       // of the potential; 1 without leak
  Strips floor;       // reflecting lower bound; far below everything where there is none
  Strips reset;
  Strips refractory;  // steps of silence after a spike, a whole number
  // What the spike-generating current of the EIF adds, gain e^{(v - onset) steepness}; gain is 0 for other neurons.
  Strips gain, onset, steepness;
  Strips leak;                    // dt g_leak/C of neurons with conductances, which have no decay; else 0
  std::vector<Strips> transfers;  // of each current: the potential gains transfer x s (Rotter & Diesmann 1999); of
                                  // gates, what a constant input brings it
};

// External input of one population: counts times amplitude, or normal variates times amplitude. A count is the number
// of thresholds that a random number of 16 bits, read as signed, reaches. Of the 2^16 numbers each count has as many as
// its probability fills; the numbers at the top, those that are left over, share what the rounding left out: another
// 32 bits then choose among the counts by `rest`.
// Given counts stand in `rest`: where the events of each column begin, and of the last end, counted in events; then
// the events, those of a column by step: step, neuron, count.
struct External {
  std::size_t population;
  Noise noise;
  std::uint32_t stream;
  std::int64_t sink;
  Strips amplitude;                // by columns of the population
  std::size_t thresholds;          // how many
  const std::int16_t* least;       // the lowest of all neurons, for each threshold
  const std::int16_t* of_neurons;  // (threshold, neuron) where neurons differ, else null
  std::size_t rests;               // how many thresholds of 32 bits a law has
  const std::int32_t* rest;        // (law, threshold)
  const std::int32_t* law;         // of each neuron where they differ, else null

  // Fills in the counts of a step; columns are those of the population.
  EQ_INLINE void counts_given(std::size_t column, std::size_t all_columns, std::uint64_t now,
                              std::uint16_t* counts) const {
    constexpr std::size_t fields = 3;
    const std::int32_t* events = rest + all_columns + 1;
    std::size_t low = static_cast<std::size_t>(rest[column]), high = static_cast<std::size_t>(rest[column + 1]);
    const std::size_t end = high;
    while (low < high) {  // the first that is not before now
      const std::size_t middle = (low + high) / 2;
      if (static_cast<std::uint64_t>(events[middle * fields]) < now)
        low = middle + 1;
      else
        high = middle;
    }
    for (; low < end && static_cast<std::uint64_t>(events[low * fields]) == now; ++low)
      counts[events[low * fields + 1]] = static_cast<std::uint16_t>(events[low * fields + 2]);
  }

  EQ_INLINE std::int32_t count_of_rest(std::size_t neuron, std::uint32_t word) const {
    const std::int32_t* own = rest + (law == nullptr ? 0 : static_cast<std::size_t>(law[neuron]) * rests);
    std::int32_t count = 0;
    for (std::size_t j = 0; j < rests; ++j) count += static_cast<std::int32_t>(word) >= own[j] ? 1 : 0;
    return count;
  }
};

enum class Form : std::int64_t { list, bitmap, weighted };

// Presynaptic neurons that fired, counted from the first of their population, in ascending order.
using Fired = std::vector<std::uint32_t>;

// Where the synapses of one of them are in a list, who it is, and how much of their weights a spike brings.
struct Row {
  std::uint32_t begin, end, source;
  float share;
};
using Rows = std::vector<Row>;

// The synapses of one delay from one population onto one block of columns of another, a row for each presynaptic
// neuron.
struct Table {
  Form form;
  std::size_t source_first, source_columns;  // where the presynaptic population stands
  std::size_t target_first, target_columns;  // the block, columns
  std::size_t channel, delay, thread;
  std::size_t stride;            // lists: how many delays share them; a neuron's rows stand side by side
  const std::uint16_t* targets;  // lists: neurons counted from the block's first,
  const std::uint32_t* offsets;  //        where the row of presynaptic neuron s begins at [s stride], and ends
  const std::uint64_t* bits;     // bitmap: rows of target_columns * 8 words
  const float* weights;          // weighted: of each synapse, relative to that of its channel
  std::int64_t plastic;          // the number of their plasticity, or -1
  std::int64_t release;          // the number of their short-term plasticity, or -1
  std::size_t trace;             // where the traces of its arrivals begin in both

  EQ_INLINE Row row(std::uint32_t source) const {
    const std::uint32_t* at = offsets + source * stride;
    return {at[0], at[1], source, 1.0f};
  }
};

// How the synapses of one projection onto one block move: spiking_plastic.hpp.
struct Plasticity {
  std::size_t thread, first, columns;  // the block, columns
  std::size_t traces;                  // presynaptic neurons times delays
  float decay, eta, offset, most;      // decay over one step; weights are relative
  const std::uint32_t* begins;         // where the synapses onto each neuron begin, and the last ones end, in
  const std::uint32_t* synapses;       // where each is in the lists,
  const std::uint32_t* from;           // and its trace
  float *weights, *before, *after;     // of each synapse; traces of arrivals and of the block's neurons
};

// What the presynaptic neurons of one projection onto one block have to give: spiking_release.hpp.
struct Release {
  std::size_t thread, n;  // presynaptic neurons times delays
  float facilitated_decay, depleted_decay, use;
  float *facilitated, *depleted;
};

struct Network {
  std::vector<Cells> cells;
  Membranes membranes;
  std::vector<External> externals;
  std::vector<Table> tables;  // ordered by thread, then source and delay
  std::vector<Plasticity> plastic;
  std::vector<Release> releases;
  Key key;
  std::size_t columns, channels;
  Strips drive;                 // v_inf (1 - decay)
  Strips threshold;             // infinite for padding
  std::vector<Strips> weights;  // of each channel

  std::size_t neurons() const { return columns * column_size; }
};

// Steps are counted anew after a turn, so that the ends of refractory periods keep to 16 bits.
inline constexpr std::size_t steps_of_turn = 8192;

// The values of a column that every neuron has.
struct Column {
  std::size_t number;
  const float* threshold;
  float* v;
  std::int16_t* until;  // the neuron is silent until this step, counted like k
  std::uint64_t* row;
};

struct State {
  float* v;
  std::int16_t* silent;      // steps of refractoriness left; during the run, the step of its end within a turn
  float* currents;           // (current, neuron); or conductances; open shares of gates behind them
  std::uint16_t* counts;     // (channel, neuron) of what lists bring, zero between steps
  float* sums;               // likewise of weighted lists; null where there are none
  std::uint64_t* raster;     // (row, column, 8 words); row `history` is the first new step
  std::uint64_t first_step;  // its number
  std::size_t history, steps;

  std::uint64_t* row(std::size_t k, std::size_t columns) const { return raster + k * columns * words_per_column; }
};

}  // namespace spiking
