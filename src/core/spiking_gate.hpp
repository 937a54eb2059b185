// Voltage-gated adaptation: a conductance that the neuron's own potential opens, slowly and without inactivation.
//
//   m -> m_inf + (m - m_inf) e^{-dt/tau},  m_inf = 1/(1 + e^{-(V - half) steepness});  a spike: m -> m + opened (1 - m)
//
// m moves by the potential at the step's beginning, and the step is taken with what comes out: it stands for the middle
// of the step, half a step ahead of V, which makes both of second order in dt. Where synapses are conductances this is
// one of them. Elsewhere its current g m (E - V) is taken at the mean of the potential at both ends of the step, as it
// is without the arrivals at its end: with h = transfer x g m/2, and u the potential without it,
//
//   u -> u + h (2 E - V - u)/(1 + h).
#pragma once
#include "float32.hpp"
#include "spiking_network.hpp"

namespace spiking {

EQ_INLINE float* open_share(const Network& network, const Gate& gate, const State& state, std::size_t column) {
  return state.currents + gate.place * network.neurons() + column * column_size;
}

EQ_INLINE void move_gate(const Gate& gate, const float* v, float* m) {
  for (std::size_t i = 0; i < column_size; ++i) {
    const float x = (gate.half - v[i]) * gate.steepness;
    const float above = x > -87.0f ? x : -87.0f;
    const float goal = 1.0f / (1.0f + exp32(above < 87.0f ? above : 87.0f));
    m[i] = goal + (m[i] - goal) * gate.decay;
  }
}

// Among conductances: adds to what they do in a step.
EQ_INLINE void gate_conducts(const Network& network, const Gate& gate, const State& state, std::size_t column,
                             float* total, float* pull) {
  float* m = open_share(network, gate, state, column);
  move_gate(gate, state.v + column * column_size, m);
  const float transfer = network.membranes.transfers[gate.place].of(column)[0] * gate.strength;
  for (std::size_t i = 0; i < column_size; ++i) {
    const float a = transfer * m[i];
    total[i] += a;
    pull[i] += a * gate.reversal;
  }
}

// Beside currents: adds to their sum x.
template <class Values>
EQ_INLINE void gate_pulls(const Network& network, const Gate& gate, const State& state, std::size_t column, float* x) {
  float* m = open_share(network, gate, state, column);
  const float* v = state.v + column * column_size;
  move_gate(gate, v, m);
  const Values transfer(network.membranes.transfers[gate.place].of(column)), decay(network.membranes.decay.of(column));
  const float half_strength = 0.5f * gate.strength, twice = 2.0f * gate.reversal;
  for (std::size_t i = 0; i < column_size; ++i) {
    const float h = (transfer[i] * half_strength) * m[i];
    x[i] += (h * ((twice - v[i]) - (v[i] * decay[i] + x[i]))) / (1.0f + h);
  }
}

}  // namespace spiking
