// Calcium of the neurons of one population along a raster of spikes, and the integrals that homeostatic rules sense.
//
// Events fall on the ends of steps, so that every decay e^{-k dt/tau} comes from a table over k. Between events the time
// integrals of C, C^2, C/(K + C) and C^2/(D + C^2) are exact (see calcium.cpp); summed here are
//   C+ - C-,  C+^2 - C-^2,  ln((K + C+)/(K + C-)),  ln((D + C+^2)/(D + C-^2)),
// each the integral in units of tau, tau/2, tau and tau/2. A NaN for K leaves the last two out.
#include <cmath>
#include <cstdint>

#include "arrays.hpp"
#include "spiking_network.hpp"

namespace {

using IndexOut = nb::ndarray<std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Raster = nb::ndarray<const std::uint64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

constexpr std::size_t n_sums = 4;

struct Traces {
  const double* decays;
  std::size_t reach;  // entries of the table
  double kept, influx, k_m, k_d;
  double* level;       // C after the last event
  std::int64_t* since;  // the step at whose end that was
  double* sums;         // (sum, neuron)
  std::int64_t* spikes;
  std::size_t n;

  // Bring neuron i to the end of the step before `now`.
  void decay(std::size_t i, std::int64_t now) const {
    auto steps = static_cast<std::size_t>(now - since[i]);
    const double high = level[i];
    double low = high;
    for (; steps >= reach; steps -= reach - 1) low *= decays[reach - 1];  // longer than the table
    low *= decays[steps];
    const double drop = high - low, both = drop * (high + low);
    sums[i] += drop;
    sums[n + i] += both;
    if (k_m == k_m) {
      sums[2 * n + i] += std::log1p(drop / (k_m + low));
      sums[3 * n + i] += std::log1p(both / (k_d + low * low));
    }
    level[i] = low;
    since[i] = now;
  }

  void spike(std::size_t i, std::int64_t now) const {
    decay(i, now);
    level[i] = kept * level[i] + influx;
    ++spikes[i];
  }
};

void spiking_calcium(Raster raster, std::int64_t columns, std::int64_t first_column, std::int64_t first_step, In decays,
                     double kept, double influx, double k_m, double k_d, int flush, Out level, IndexOut since, Out sums,
                     IndexOut spikes) {
  const std::size_t n = level.size(), row = static_cast<std::size_t>(columns) * spiking::words_per_column;
  const std::size_t first = static_cast<std::size_t>(first_column) * spiking::words_per_column, words = n / 64;
  same_size(since.size(), n);
  same_size(sums.size(), n_sums * n);
  same_size(spikes.size(), n);
  same_size(raster.size() % row, 0);
  if (decays.size() < 2) same_size(decays.size(), 2);
  const std::size_t steps = raster.size() / row;
  if (first + words > row) same_size(first + words, row);
  const Traces traces{decays.data(), decays.size(), kept,        influx,        k_m, k_d,
                      level.data(),  since.data(),  sums.data(), spikes.data(), n};
  for (std::size_t k = 0; k < steps; ++k) {
    const std::uint64_t* bits = raster.data() + k * row + first;
    const std::int64_t now = first_step + static_cast<std::int64_t>(k) + 1;
    for (std::size_t w = 0; w < words; ++w)
      for (std::uint64_t word = bits[w]; word != 0; word &= word - 1)
        traces.spike(64 * w + static_cast<std::size_t>(__builtin_ctzll(word)), now);
  }
  if (flush == 0) return;
  for (std::size_t i = 0; i < n; ++i) traces.decay(i, first_step + static_cast<std::int64_t>(steps));
}

}  // namespace

void bind_spiking_calcium(nb::module_& m) {
  m.def("spiking_calcium", &spiking_calcium, nb::call_guard<nb::gil_scoped_release>(), nb::arg("raster"),
        nb::arg("columns"), nb::arg("first_column"), nb::arg("first_step"), nb::arg("decays"), nb::arg("kept"),
        nb::arg("influx"), nb::arg("k_m"), nb::arg("k_d"), nb::arg("flush"), nb::arg("level"), nb::arg("since"),
        nb::arg("sums"), nb::arg("spikes"));
}
