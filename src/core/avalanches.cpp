// Avalanches straight from sorted spikes, bin after bin that holds any: no array of bins is ever made.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "arrays.hpp"

namespace {

using IndexOut = nb::ndarray<std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

// The bin of a spike. Spikes on a grid of bins stay in theirs whatever rounding does to the quotient, and one at the
// end of the window belongs to the bin that the window ends in.
struct Bins {
  double start, stop, width, slack;
  std::int64_t last;

  Bins(double t_start, double t_stop, double bin)
      : start(t_start),
        stop(t_stop),
        width(bin),
        slack(1e-9 + 1e-15 * std::max(std::fabs(t_start), std::fabs(t_stop)) / bin),
        last(static_cast<std::int64_t>(std::ceil((t_stop - t_start) / bin - slack)) - 1) {}

  std::int64_t operator()(double t) const {
    return t == stop ? last : static_cast<std::int64_t>(std::floor((t - start) / width + slack));
  }
};

void count_spikes(In times, double t_start, double t_stop, double bin, IndexOut counts) {
  const Bins place(t_start, t_stop, bin);
  const auto n_bins = static_cast<std::int64_t>(counts.size());
  std::fill(counts.data(), counts.data() + counts.size(), 0);
  for (std::size_t i = 0; i < times.size(); ++i) {
    const std::int64_t k = place(times.data()[i]);
    if (k < n_bins) ++counts.data()[k];
  }
}

// The avalanches that are found, and the one that is under way.
struct Found {
  IndexOut sizes, durations;
  std::vector<std::int64_t> seen;  // avalanche in which a unit was seen last, where distinct units are counted
  std::int64_t n = 0, first = 0, last = -2, size = 0;

  Found(IndexOut sizes_out, IndexOut durations_out, std::size_t units)
      : sizes(sizes_out), durations(durations_out), seen(units, -1) {}

  // One that begins with the window is cut off, as one that ends with it.
  void close() {
    if (size > 0 && first > 0) {
      sizes.data()[n] = size;
      durations.data()[n] = last - first + 1;
      ++n;
    }
    size = 0;
  }

  void add(std::int64_t bin, const std::int64_t* units, std::int64_t spikes) {
    if (bin != last + 1 || size == 0) {
      close();
      first = bin;
    }
    last = bin;
    if (seen.empty()) {
      size += spikes;
      return;
    }
    for (std::int64_t i = 0; i < spikes; ++i) {
      std::int64_t& mark = seen[static_cast<std::size_t>(units[i])];
      size += mark != first;
      mark = first;
    }
  }
};

// Runs of bins with more than `threshold` spikes within the first n_bins; the size is spikes, or distinct units where
// n_units > 0. Returns how many there are; sizes and durations have room for one a spike.
std::int64_t spike_avalanches(In times, IndexIn units, std::int64_t n_units, double t_start, double t_stop, double bin,
                              std::int64_t n_bins, double threshold, IndexOut sizes, IndexOut durations) {
  same_size(times.size(), units.size());
  same_size(times.size(), sizes.size());
  same_size(times.size(), durations.size());
  const Bins place(t_start, t_stop, bin);
  Found found(sizes, durations, static_cast<std::size_t>(n_units));
  const std::size_t n = times.size();
  for (std::size_t i = 0; i < n;) {
    const std::int64_t here = place(times.data()[i]);
    if (here >= n_bins) break;
    std::size_t j = i + 1;
    while (j < n && place(times.data()[j]) == here) ++j;
    const auto spikes = static_cast<std::int64_t>(j - i);
    if (static_cast<double>(spikes) > threshold) found.add(here, units.data() + i, spikes);
    i = j;
  }
  if (found.size > 0 && found.last < n_bins - 1) found.close();
  return found.n;
}

}  // namespace

void bind_avalanches(nb::module_& m) {
  m.def("count_spikes", &count_spikes, nb::arg("times"), nb::arg("t_start"), nb::arg("t_stop"), nb::arg("width"),
        nb::arg("counts"));
  m.def("spike_avalanches", &spike_avalanches, nb::arg("times"), nb::arg("units"), nb::arg("n_units"),
        nb::arg("t_start"), nb::arg("t_stop"), nb::arg("width"), nb::arg("n_bins"), nb::arg("threshold"),
        nb::arg("sizes"), nb::arg("durations"));
}
