// Short-term plasticity: how much of its weight a synapse brings depends on the spikes before (Tsodyks & Markram 1997;
// Tsodyks, Pawelzik & Markram 1998).
//
//   at each spike   u = f + U (1 - f),   it brings u (1 - d) of the weight,   then f = u,   d = d + u (1 - d)
//
// where f is the facilitation left and d the part of the resources that is spent; both decay to 0. They depend on the
// presynaptic train alone, and so are kept once for each neuron, delay and block.
#pragma once
#include "spiking_network.hpp"

namespace spiking {

// At the beginning of a step.
EQ_INLINE void fade(const Release& release) {
  for (std::size_t i = 0; i < release.n; ++i) release.facilitated[i] *= release.facilitated_decay;
  for (std::size_t i = 0; i < release.n; ++i) release.depleted[i] *= release.depleted_decay;
}

// Spikes that arrive through one table, by `rows`: what each brings.
EQ_INLINE void give(const Release& release, std::size_t trace, Rows& rows) {
  for (Row& row : rows) {
    float &f = release.facilitated[trace + row.source], &d = release.depleted[trace + row.source];
    const float u = f + release.use * (1.0f - f), given = u * (1.0f - d);
    f = u;
    d += given;
    row.share = given;
  }
}

}  // namespace spiking
