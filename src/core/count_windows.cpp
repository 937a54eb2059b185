// Spike counts in windows: the counts themselves, and how much they vary.
#include "arrays.hpp"
#include "long_run.hpp"
#include "parallel.hpp"

namespace {

using long_run::Estimate;

constexpr std::size_t n_statistics = 3;  // mean count, Fano factor, Allan factor

// counts[u * n_bins + k]: spikes of unit u in [start + k width, start + (k + 1) width). Spikes on a grid stay in their
// bins whatever rounding does to the quotient; one beyond the last bin is left out.
void bin_counts(In grouped, IndexIn offsets, double start, double width, Out counts) {
  const std::size_t n_units = offsets.size() - 1, n_bins = n_units ? counts.size() / n_units : 0;
  same_size(counts.size(), n_units * n_bins);
  std::fill(counts.data(), counts.data() + counts.size(), 0.0);
  for (std::size_t u = 0; u < n_units; ++u) {
    double* row = counts.data() + u * n_bins;
    for (std::int64_t i = offsets.data()[u]; i < offsets.data()[u + 1]; ++i) {
      const double place = (grouped.data()[i] - start) / width + 1e-9;
      if (place < static_cast<double>(n_bins)) row[static_cast<std::size_t>(place)] += 1.0;
    }
  }
}

// Room for one stretch on one thread: the counts without their mean, the terms of a statistic, and their running sums.
struct Room {
  std::vector<double> deviations, terms, sums;

  explicit Room(std::size_t n) : deviations(n), terms(n), sums(n + 1) {}
};

// Mean m, Fano factor F = s^2/m and Allan factor A = <(N_i+1 - N_i)^2>/(2 m) of n counts, with their variances by the
// delta method: per count of deviation d, dF = (d^2 - s^2 - F d)/m, and dA = (e^2/2 - A N)/m of neighbours that differ
// by e.
EQ_CLONES
void statistics_of(const double* count, std::size_t n, Room& room, Estimate* all) {
  double *d = room.deviations.data(), *term = room.terms.data(), *sums = room.sums.data();
  std::copy(count, count + n, d);
  all[0] = long_run::mean_of(d, n, sums);
  const double m = all[0].value, size = static_cast<double>(n);
  if (!(m > 0.0) || n < 2) return;
  const double power = long_run::sum_of(n, [d](std::size_t i) { return d[i] * d[i]; }) / size;
  const double fano = power / m;
  for (std::size_t i = 0; i < n; ++i) term[i] = (d[i] * d[i] - power - fano * d[i]) / m;
  all[1] = {fano * size / (size - 1.0), long_run::variance_of_mean(term, n, sums)};
  const double steps = long_run::sum_of(n - 1, [count](std::size_t i) {
    const double e = count[i + 1] - count[i];
    return e * e;
  });
  const double allan = steps / (2.0 * m * (size - 1.0));
  for (std::size_t i = 0; i + 1 < n; ++i) {
    const double e = count[i + 1] - count[i];
    term[i] = (0.5 * e * e - allan * 0.5 * (count[i] + count[i + 1])) / m;
  }
  all[2] = {allan, long_run::mean_of(term, n - 1, sums).variance};
}

// Mean, Fano and Allan factor of each unit in each stretch of `per` bins, with the variances of these estimates; both
// results are (n_statistics, n_units, stretches), flattened. A rest shorter than a stretch is left out.
void count_statistics(In counts, std::int64_t n_bins, std::int64_t per, Out values, Out variances) {
  const std::size_t bins = static_cast<std::size_t>(n_bins), length = static_cast<std::size_t>(per);
  const std::size_t n_units = counts.size() / bins, stretches = bins / length, n = n_units * stretches;
  same_size(counts.size(), n_units * bins);
  same_size(values.size(), n_statistics * n);
  same_size(variances.size(), n_statistics * n);
  const std::size_t threads = std::min(parallel::threads_for(counts.size()), std::max<std::size_t>(n, 1));
  std::vector<Room> rooms(threads, Room(length));
  parallel::run(threads, [&](std::size_t k) {
    for (std::size_t i = n * k / threads; i < n * (k + 1) / threads; ++i) {
      Estimate all[n_statistics];
      statistics_of(counts.data() + i / stretches * bins + i % stretches * length, length, rooms[k], all);
      for (std::size_t row = 0; row < n_statistics; ++row) {
        values.data()[row * n + i] = all[row].value;
        variances.data()[row * n + i] = all[row].variance;
      }
    }
  });
}

}  // namespace

void bind_count_windows(nb::module_& m) {
  const auto free = nb::call_guard<nb::gil_scoped_release>();
  m.def("bin_counts", &bin_counts, free, nb::arg("grouped"), nb::arg("offsets"), nb::arg("start"), nb::arg("width"),
        nb::arg("counts"));
  m.def("count_statistics", &count_statistics, free, nb::arg("counts"), nb::arg("n_bins"), nb::arg("per"),
        nb::arg("values"), nb::arg("variances"));
}
