// Cross-correlograms of pairs of spike trains.
#include <cmath>

#include "arrays.hpp"
#include "parallel.hpp"

using IndexOut = nb::ndarray<std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

namespace {

// One spike train, sorted.
struct Train {
  const double* times;
  std::size_t n;
};

// Adds to row[0 .. 2 reach] the spikes of b around those of a: row[reach + k] counts lags in
// [(k - 1/2) width, (k + 1/2) width). The window of b moves along with a and never goes back.
void correlate(Train a, Train b, bool same, double width, std::int64_t reach, std::int64_t* row) {
  const double span = (static_cast<double>(reach) + 0.5) * width;
  // Spikes on a grid stay in their bins whatever rounding does to the quotient.
  constexpr double nudge = 0.5 + 1e-9;
  std::size_t first = 0;
  for (std::size_t i = 0; i < a.n; ++i) {
    const double t = a.times[i];
    while (first < b.n && b.times[first] < t - span * (1.0 + 1e-9)) ++first;
    for (std::size_t j = first; j < b.n && b.times[j] <= t + span; ++j) {
      const auto lag = static_cast<std::int64_t>(std::floor((b.times[j] - t) / width + nudge));
      if (lag >= -reach && lag <= reach && !(same && i == j)) ++row[reach + lag];
    }
  }
}

// counts (slots, n_lags), flattened; pair p of units (first[p], second[p]) adds to the row slots[p]. Each thread has
// its own rows, which are added at the end.
void cross_counts(In grouped, IndexIn offsets, IndexIn first, IndexIn second, IndexIn slots, double width,
                  std::int64_t n_lags, IndexOut counts) {
  same_size(first.size(), second.size());
  same_size(first.size(), slots.size());
  const std::size_t pairs = first.size(), lags = static_cast<std::size_t>(n_lags);
  const std::int64_t reach = n_lags / 2;
  const auto train = [&](std::int64_t u) {
    const std::int64_t begin = offsets.data()[u];
    return Train{grouped.data() + begin, static_cast<std::size_t>(offsets.data()[u + 1] - begin)};
  };
  std::size_t work = 0;
  for (std::size_t p = 0; p < pairs; ++p) work += train(first.data()[p]).n + train(second.data()[p]).n;
  const std::size_t threads = std::min({parallel::threads_for(work), std::max<std::size_t>(pairs, 1), std::size_t{2}});
  std::vector<std::int64_t> beside(counts.size() * (threads - 1), 0);
  std::fill(counts.data(), counts.data() + counts.size(), 0);
  parallel::run(threads, [&](std::size_t k) {
    std::int64_t* out = k == 0 ? counts.data() : beside.data() + (k - 1) * counts.size();
    for (std::size_t p = k; p < pairs; p += threads) {
      const std::int64_t a = first.data()[p], b = second.data()[p];
      correlate(train(a), train(b), a == b, width, reach, out + static_cast<std::size_t>(slots.data()[p]) * lags);
    }
  });
  for (std::size_t i = 0; i < beside.size(); ++i) counts.data()[i % counts.size()] += beside[i];
}

}  // namespace

void bind_correlogram(nb::module_& m) {
  m.def("cross_counts", &cross_counts, nb::call_guard<nb::gil_scoped_release>(), nb::arg("grouped"),
        nb::arg("offsets"), nb::arg("first"), nb::arg("second"), nb::arg("slots"), nb::arg("width"), nb::arg("n_lags"),
        nb::arg("counts"));
}
