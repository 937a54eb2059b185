// Adaptation: every spike of a neuron adds to a current of its own, which decays like those of its synapses, or opens
// gates. The current is one also where synapses are conductances.
#pragma once
#include "spiking_gate.hpp"
#include "spiking_network.hpp"

namespace spiking {

// s of whoever fired in this step, by the column's row of the raster: s -> s + jump - left s.
EQ_INLINE void add_at_spikes(const Column& column, float jump, float left, float* s) {
  for (std::size_t w = 0; w < words_per_column; ++w)
    for (std::uint64_t word = column.row[w]; word != 0; word &= word - 1) {
      float& own = s[64 * w + static_cast<std::size_t>(__builtin_ctzll(word))];
      own += jump - left * own;
    }
}

EQ_INLINE void adapt(const Network& network, const Cells& cells, const State& state, const Column& column) {
  for (std::size_t k = 0; k < cells.currents.size(); ++k) {
    const float jump = cells.currents[k].jump;
    if (jump == 0.0f) continue;
    add_at_spikes(column, jump, 0.0f, state.currents + k * network.neurons() + column.number * column_size);
  }
  for (const Gate& gate : cells.gates)
    add_at_spikes(column, gate.opened, gate.opened, open_share(network, gate, state, column.number));
}

}  // namespace spiking
