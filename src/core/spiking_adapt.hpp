// Adaptation: every spike of a neuron adds to a current of its own, which decays like those of its synapses. It is a
// current also where synapses are conductances.
#pragma once
#include "spiking_network.hpp"

namespace spiking {

// Whoever fired in this step, by the column's row of the raster.
EQ_INLINE void adapt(const Network& network, const Cells& cells, const State& state, const Column& column) {
  for (std::size_t k = 0; k < cells.currents.size(); ++k) {
    const float jump = cells.currents[k].jump;
    if (jump == 0.0f) continue;
    float* s = state.currents + k * network.neurons() + column.number * column_size;
    for (std::size_t w = 0; w < words_per_column; ++w)
      for (std::uint64_t word = column.row[w]; word != 0; word &= word - 1)
        s[64 * w + static_cast<std::size_t>(__builtin_ctzll(word))] += jump;
  }
}

}  // namespace spiking
