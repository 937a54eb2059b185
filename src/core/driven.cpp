// Leaky and perfect integrate-and-fire cells on a time grid, under inputs given step by step (coloured noise, say).
//
//   u = v decay + input;  silent cells keep v;  others take max(u, floor), and at threshold fire and reset
//
// The same step as in spiking networks: the threshold is looked at once per step, at its end.
#include <algorithm>
#include <cstdint>

#include "arrays.hpp"

using Bytes = nb::ndarray<std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Counters = nb::ndarray<std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

// Cells one after the other: inputs and spikes (cell, step), v and silent (cell,) carried on to the next stretch.
static void driven_spikes(double decay, double threshold, double reset, double floor, std::int64_t refractory,
                          In inputs, Out v, Counters silent, Bytes spikes) {
  const std::size_t cells = v.size(), steps = cells ? inputs.size() / cells : 0;
  same_size(inputs.size(), cells * steps);
  same_size(silent.size(), cells);
  same_size(spikes.size(), inputs.size());
  for (std::size_t i = 0; i < cells; ++i) {
    const double* input = inputs.data() + i * steps;
    std::uint8_t* fired = spikes.data() + i * steps;
    double potential = v(i);
    std::int64_t left = silent(i);
    for (std::size_t k = 0; k < steps; ++k) {
      fired[k] = 0;
      if (left > 0) {
        --left;
        continue;
      }
      potential = std::max(potential * decay + input[k], floor);
      if (potential < threshold) continue;
      fired[k] = 1;
      potential = reset;
      left = refractory;
    }
    v(i) = potential;
    silent(i) = left;
  }
}

void bind_driven(nb::module_& m) {
  m.def("driven_spikes", &driven_spikes, nb::call_guard<nb::gil_scoped_release>(), nb::arg("decay"),
        nb::arg("threshold"), nb::arg("reset"), nb::arg("floor"), nb::arg("refractory"), nb::arg("inputs"),
        nb::arg("v"), nb::arg("silent"), nb::arg("spikes"));
}
