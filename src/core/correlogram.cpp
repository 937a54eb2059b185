// Cross-correlograms of pairs of spike trains.
#include <algorithm>
#include <atomic>
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

// A stretch of the spikes of the first train of a pair.
struct Part {
  std::size_t pair, begin, end;
};

constexpr std::size_t part_size = 65'536;

// Adds to row[0 .. 2 reach] the spikes of b around those of a from `begin` to `end`: row[reach + k] counts lags in
// [(k - 1/2) width, (k + 1/2) width). The window of b moves along with a and never goes back. Spikes on a grid stay in
// their bins whatever rounding does to the quotient.
void correlate(Train a, std::size_t begin, std::size_t end, Train b, bool same, double width, std::size_t n_lags,
               std::int64_t* row) {
  const double per_width = 1.0 / width, span = 0.5 * static_cast<double>(n_lags) * width;
  const double reach = span * (1.0 + 1e-9), origin = 0.5 * static_cast<double>(n_lags) + 1e-9;
  const auto bin_of = [&](double lag) { return static_cast<std::ptrdiff_t>(std::floor(lag * per_width + origin)); };
  const auto last_bin = static_cast<std::ptrdiff_t>(n_lags);
  std::size_t first = static_cast<std::size_t>(std::lower_bound(b.times, b.times + b.n, a.times[begin] - reach) - b.times);
  for (std::size_t i = begin; i < end; ++i) {
    const double t = a.times[i];
    while (first < b.n && b.times[first] < t - reach) ++first;
    for (std::size_t j = first; j < b.n && b.times[j] <= t + reach; ++j) {
      const std::ptrdiff_t bin = bin_of(b.times[j] - t);
      if (bin >= 0 && bin < last_bin) ++row[bin];
    }
  }
  if (same) row[n_lags / 2] -= static_cast<std::int64_t>(end - begin);
}

// counts (slots, n_lags), flattened; pair p of units (first[p], second[p]) adds to the row slots[p], and a spike is no
// partner of itself. Each thread has its own rows, which are added at the end.
void cross_counts(In grouped, IndexIn offsets, IndexIn first, IndexIn second, IndexIn slots, double width,
                  std::int64_t n_lags, IndexOut counts) {
  same_size(first.size(), second.size());
  same_size(first.size(), slots.size());
  const std::size_t lags = static_cast<std::size_t>(n_lags);
  const auto train = [&](std::int64_t u) {
    const std::int64_t begin = offsets.data()[u];
    return Train{grouped.data() + begin, static_cast<std::size_t>(offsets.data()[u + 1] - begin)};
  };
  std::vector<Part> parts;
  std::size_t work = 0;
  for (std::size_t p = 0; p < first.size(); ++p) {
    const std::size_t n = train(first.data()[p]).n;
    for (std::size_t i = 0; i < n; i += part_size) parts.push_back({p, i, std::min(n, i + part_size)});
    work += n + train(second.data()[p]).n;
  }
  const std::size_t threads = std::min(parallel::threads_for(work), std::max<std::size_t>(parts.size(), 1));
  std::vector<std::vector<std::int64_t>> beside(threads - 1, std::vector<std::int64_t>(counts.size(), 0));
  std::fill(counts.data(), counts.data() + counts.size(), 0);
  std::atomic<std::size_t> next{0};
  parallel::run(threads, [&](std::size_t k) {
    std::int64_t* out = k == 0 ? counts.data() : beside[k - 1].data();
    for (std::size_t i = next++; i < parts.size(); i = next++) {
      const Part& part = parts[i];
      const std::int64_t a = first.data()[part.pair], b = second.data()[part.pair];
      correlate(train(a), part.begin, part.end, train(b), a == b, width, lags,
                out + static_cast<std::size_t>(slots.data()[part.pair]) * lags);
    }
  });
  for (const auto& rows : beside)
    for (std::size_t i = 0; i < rows.size(); ++i) counts.data()[i] += rows[i];
}

}  // namespace

void bind_correlogram(nb::module_& m) {
  m.def("cross_counts", &cross_counts, nb::call_guard<nb::gil_scoped_release>(), nb::arg("grouped"),
        nb::arg("offsets"), nb::arg("first"), nb::arg("second"), nb::arg("slots"), nb::arg("width"), nb::arg("n_lags"),
        nb::arg("counts"));
}
