// Neurons whose synapses are conductances, over one step.
//
//   C dV/dt = sum over k of g_k (E_k - V) + I,   the leak among them, each synaptic g_k decaying exponentially
//
// V is measured from the leak potential. With each g_k replaced by its mean over the step the equation is linear:
//
//   A = dt g_leak/C + sum of a_k,   a_k = transfer x s_k = integral of g_k/C over the step
//   V -> V + (B/A - V)(1 - e^{-A}),   B = drive + sum of a_k E_k
//
// The decay e^{-A} is exact and the error of V is of third order in dt for each step, of second order for a time (the
// first term of the expansion of Magnus 1954, Comm. Pure Appl. Math. 7:649; what is left out is that g_k moves while it
// pulls). Arrivals are added to s_k at the end of the step. A silent neuron keeps its V.
#pragma once
#include "float32.hpp"
#include "spiking_gate.hpp"
#include "spiking_network.hpp"

namespace spiking {

// What the conductances of a column do in a step: A and B.
struct Conducted {
  alignas(64) float total[column_size], pull[column_size];
};

EQ_INLINE void conduct(const Network& network, const Cells& cells, const State& state, std::size_t column,
                       Conducted& out) {
  const float *leak = network.membranes.leak.of(column), *drive = network.drive.of(column);
  for (std::size_t i = 0; i < column_size; ++i) out.total[i] = leak[i];
  for (std::size_t i = 0; i < column_size; ++i) out.pull[i] = drive[i];
  for (std::size_t k = 0; k < cells.currents.size(); ++k) {
    const Current current = cells.currents[k];
    const bool adapts = current.jump != 0.0f;
    const float transfer = network.membranes.transfers[k].of(column)[0];  // one for all, as there is no decay
    float* s = state.currents + k * network.neurons() + column * column_size;
    for (std::size_t i = 0; i < column_size; ++i) {
      const float a = transfer * s[i];
      out.total[i] += adapts ? 0.0f : a;
      out.pull[i] += adapts ? a : a * current.reversal;
      s[i] *= current.decay;
    }
  }
  for (const Gate& gate : cells.gates) gate_conducts(network, gate, state, column, out.total, out.pull);
}

// Who reaches the threshold keeps a v above it. Returns whether anyone does.
EQ_INLINE bool relax(const Column& column, std::int16_t k, const Conducted& conducted) {
  std::int32_t any = 0;
  for (std::size_t i = 0; i < column_size; ++i) {
    const float total = conducted.total[i], v = column.v[i];
    const float free = v + (conducted.pull[i] / total - v) * lost32(total);
    const float now = column.until[i] <= k ? free : v;
    column.v[i] = now;
    any |= now >= column.threshold[i] ? 1 : 0;
  }
  return any != 0;
}

}  // namespace spiking
