// How a membrane and the words of its random stream cross the border.
#pragma once
#include <cstdint>
#include <utility>

#include "arrays.hpp"
#include "membrane.hpp"

using Words = nb::ndarray<std::uint64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

struct Silence {
  double v_reset, tau_ref;
};

inline Random load(const Words& words) {
  same_size(words.shape(0), 4);
  return Random{{words(0), words(1), words(2), words(3)}};
}

inline void store(const Random& random, const Words& words) {
  for (std::size_t i = 0; i < 4; ++i) words(i) = random.s[i];
}

// neuron = (0, v_threshold, v_reset, tau_ref, v_bound, reach) for the PIF,
//          (1, v_threshold, v_reset, tau_ref, v_leak, reach, tau_m, fine) for the LIF.
template <class Action>
auto with_membrane(const In& neuron, Action&& action) {
  const Silence after{neuron(2), neuron(3)};
  if (neuron(0) == 0.0) {
    same_size(neuron.shape(0), 6);
    return std::forward<Action>(action)(PerfectMembrane(neuron(1), neuron(4), neuron(5)), after);
  }
  same_size(neuron.shape(0), 8);
  return std::forward<Action>(action)(LeakyMembrane(neuron(1), neuron(4), neuron(6), neuron(5), neuron(7)), after);
}
