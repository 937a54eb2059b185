// The five parameters of a leaky integrate-and-fire neuron as they cross the border.
#pragma once
#include "arrays.hpp"
#include "lif.hpp"

namespace equipoise {

// v_threshold, v_reset, v_leak [V], tau_m, tau_ref [s].
inline LifNeuron neuron_of(const In& parameters) {
  same_size(parameters.size(), 5);
  const double* p = parameters.data();
  return {p[0], p[1], p[2], p[3], p[4]};
}

}  // namespace equipoise
