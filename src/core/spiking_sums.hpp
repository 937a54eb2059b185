// Summing arrivals: every synapse has a weight of its own, relative to that of its channel, which the neuron that
// receives it may move.
//
// A neuron's sum is taken over the tables in their order (presynaptic population, then delay) and over presynaptic
// neurons in ascending order, so that its rounding depends neither on blocks nor on threads.
#pragma once
#include "spiking_network.hpp"

namespace spiking {

EQ_INLINE void add_weighted(const Table& table, const Rows& rows, float* __restrict sums) {
  const std::uint16_t* __restrict targets = table.targets;
  const float* __restrict weights = table.weights;
  for (const Row row : rows)
    for (std::size_t k = row.begin; k < row.end; ++k) sums[targets[k]] += row.share * weights[k];
}

// What the sums of a column weigh.
EQ_INLINE void add_sums(const float* weight, const float* sums, float* sink) {
  for (std::size_t i = 0; i < column_size; ++i) sink[i] += weight[i] * sums[i];
}

}  // namespace spiking
