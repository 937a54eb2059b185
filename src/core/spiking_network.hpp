// What the spiking step works on: views of arrays that the caller owns, gathered into one description.
//
// Neurons are numbered population after population, each padded to whole columns of 512; padding never fires. A row of
// the raster holds the spikes of one step, one bit a neuron. Arrivals are counted per channel, one channel for each
// weight a neuron distinguishes, and weighed once per step: synapses carry no weights. What a channel or a source
// brings goes to a sink: the potential itself, or a current that decays with the time constant of its synapses.
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
  typedef std::int32_t Ints __attribute__((vector_size(width)));
  static_assert(sizeof(Bits) == width && sizeof(Ints) == width, "a vector fills its register");
};

inline constexpr std::int64_t potential = -1;  // the sink that is no current

// What the neurons of one population share.
struct Cells {
  std::size_t first, last;          // columns
  bool alike;                       // whether they have the same membranes
  std::vector<float> currents;      // the decay of each synaptic current s [V/s] over one step
  std::vector<std::int64_t> sinks;  // of each channel
};

enum class Noise : std::int64_t { poisson, gaussian };

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
  std::vector<Strips> transfers;  // of each current: the potential gains transfer x s (Rotter & Diesmann 1999)
};

// External input of one population: counts times amplitude, or normal variates times amplitude. A count is the number
// of thresholds that a random word, read as signed, reaches; they are 2^32 P(count <= j) - 2^31 for j = 0, 1, ...
struct External {
  std::size_t population;
  Noise noise;
  std::uint32_t stream;
  std::int64_t sink;
  std::size_t thresholds;          // how many
  Strips amplitude;                // by columns of the population
  const std::int32_t* least;       // the lowest of all neurons, for each j
  const std::int32_t* of_neurons;  // (j, neuron) where neurons differ, else null
};

enum class Form : std::int64_t { list, bitmap };

// The synapses from one population onto one block of columns of another, ordered by the presynaptic neuron.
struct Table {
  Form form;
  std::size_t source_first, source_columns;  // where the presynaptic population stands
  std::size_t target_first, target_columns;  // the block, columns
  std::size_t channel, delay, thread;
  const std::uint16_t* targets;  // list: neurons counted from the block's first,
  const std::uint32_t* offsets;  //       those of presynaptic neuron s at offsets[s] .. offsets[s + 1]
  const std::uint64_t* bits;     // bitmap: rows of target_columns * 8 words
};

struct Network {
  std::vector<Cells> cells;
  Membranes membranes;
  std::vector<External> externals;
  std::vector<Table> tables;  // ordered by thread, then source and delay
  Key key;
  std::size_t columns, channels;
  Strips drive;                 // v_inf (1 - decay)
  Strips threshold;             // infinite for padding
  std::vector<Strips> weights;  // of each channel

  std::size_t neurons() const { return columns * column_size; }
};

struct State {
  float* v;
  std::int32_t* silent;      // steps of refractoriness left; during the run, the step of its end
  float* currents;           // (current, neuron)
  std::uint16_t* counts;     // (channel, neuron), zero between steps
  std::uint64_t* raster;     // (row, column, 8 words); row `history` is the first new step
  std::uint64_t first_step;  // its number
  std::size_t history, steps;

  std::uint64_t* row(std::size_t k, std::size_t columns) const { return raster + k * columns * words_per_column; }
};

}  // namespace spiking
