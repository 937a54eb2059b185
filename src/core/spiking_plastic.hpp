// Synapses that move with the spikes on both their sides (Vogels et al. 2011, Science 334:1569).
//
//   a spike arrives:  w += eta (x_after - offset), and w is what it brings;  x_before += 1
//   its target fires: w += eta x_before;                                     x_after += 1
//
// Both traces decay with tau. Arrivals of a step come before the spikes at its end. Weights are relative to that of their
// channel and keep to [0, most]. Who owns the target owns the synapse and has traces of its own, so that nobody waits.
#pragma once
#include "spiking_network.hpp"

namespace spiking {

// At the beginning of a step.
EQ_INLINE void fade(const Plasticity& rule) {
  for (std::size_t i = 0; i < rule.traces; ++i) rule.before[i] *= rule.decay;
  for (std::size_t i = 0; i < rule.columns * column_size; ++i) rule.after[i] *= rule.decay;
}

EQ_INLINE float moved(const Plasticity& rule, float weight, float by) {
  const float now = weight + rule.eta * by;
  const float above = now > 0.0f ? now : 0.0f;
  return above < rule.most ? above : rule.most;
}

// Spikes arrive through one table, by `rows`.
EQ_INLINE void arrive(const Plasticity& rule, const Table& table, const Rows& rows) {
  for (const Row row : rows) {
    for (std::size_t k = row.begin; k < row.end; ++k)
      rule.weights[k] = moved(rule, rule.weights[k], rule.after[table.targets[k]] - rule.offset);
    rule.before[table.trace + row.source] += 1.0f;
  }
}

// The neurons of the block that fired in a step, by its row of the raster.
EQ_INLINE void answer(const Plasticity& rule, const std::uint64_t* row) {
  const std::uint64_t* words = row + rule.first * words_per_column;
  for (std::size_t w = 0; w < rule.columns * words_per_column; ++w)
    for (std::uint64_t word = words[w]; word != 0; word &= word - 1) {
      const std::size_t neuron = 64 * w + static_cast<std::size_t>(__builtin_ctzll(word));
      for (std::size_t k = rule.begins[neuron]; k < rule.begins[neuron + 1]; ++k) {
        float& weight = rule.weights[rule.synapses[k]];
        weight = moved(rule, weight, rule.before[rule.from[k]]);
      }
      rule.after[neuron] += 1.0f;
    }
}

}  // namespace spiking
