// Spike trains of many units: grouping by unit, and interval statistics with the variance of their estimates.
#include <atomic>

#include "arrays.hpp"
#include "long_run.hpp"
#include "parallel.hpp"

using IndexOut = nb::ndarray<std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

namespace {

using long_run::Estimate;

// The rows of the result, in the order that Python reads them; `wanted` has a bit for each.
constexpr std::size_t n_statistics = 5;  // mean interval, C_v, CV2, LV, LvR

// Counting sort, stable: the times of unit u end up in grouped[offsets[u] .. offsets[u + 1]). Each thread has a stretch
// of the spikes, and within a unit its places lie behind those of the stretch before.
void group_by_unit(In times, IndexIn units, Out grouped, IndexOut offsets) {
  same_size(times.size(), units.size());
  same_size(times.size(), grouped.size());
  const std::size_t n = times.size(), n_units = offsets.size() - 1;
  const std::size_t threads = n_units < 100'000 ? parallel::threads_for(n) : 1;
  std::vector<std::vector<std::int64_t>> next(threads, std::vector<std::int64_t>(n_units, 0));
  const std::int64_t* unit = units.data();
  parallel::run(threads, [&](std::size_t k) {
    for (std::size_t i = n * k / threads; i < n * (k + 1) / threads; ++i) ++next[k][unit[i]];
  });
  std::int64_t place = 0;
  for (std::size_t u = 0; u < n_units; ++u) {
    offsets.data()[u] = place;
    for (std::size_t k = 0; k < threads; ++k) {
      const std::int64_t count = next[k][u];
      next[k][u] = place;
      place += count;
    }
  }
  offsets.data()[n_units] = place;
  parallel::run(threads, [&](std::size_t k) {
    std::int64_t* to = next[k].data();
    const double* from = times.data();
    double* out = grouped.data();
    for (std::size_t i = n * k / threads; i < n * (k + 1) / threads; ++i) out[to[unit[i]]++] = from[i];
  });
}

// Room for one unit on one thread: its intervals, the terms of a statistic, and their running sums.
struct Room {
  std::vector<double> intervals, terms, sums;

  explicit Room(std::size_t most) : intervals(most), terms(most), sums(most + 1) {}
};

// C_v and its variance by the delta method, from intervals already centred on their mean m:
// d C_v = (d^2 - s^2)/(2 s m) - s d/m^2 per interval of deviation d.
EQ_INLINE Estimate cv_of(const double* deviation, std::size_t n, double m, Room& room) {
  const double power = long_run::sum_of(n, [deviation](std::size_t i) { return deviation[i] * deviation[i]; });
  const double s = std::sqrt(power / static_cast<double>(n));
  if (s == 0.0 || m == 0.0) return {m == 0.0 ? long_run::nan : 0.0, 0.0};
  double* term = room.terms.data();
  for (std::size_t i = 0; i < n; ++i) {
    const double d = deviation[i];
    term[i] = (d * d - s * s) / (2.0 * s * m) - s * d / (m * m);
  }
  return {s / m, long_run::variance_of_mean(term, n, room.sums.data())};
}

// One term of CV2 (Holt et al. 1996), LV (Shinomoto et al. 2003) or LvR (Shinomoto et al. 2009) for neighbouring
// intervals; two intervals of zero length are equal, so that their difference counts as zero.
template <int which>
EQ_INLINE double pair_term(double a, double b, double refractory) {
  const double sum = a + b == 0.0 ? 1.0 : a + b, contrast = (a - b) / sum;
  if (which == 2) return 2.0 * std::abs(contrast);
  const double local = 3.0 * contrast * contrast;
  return which == 3 ? local : local * (1.0 + 4.0 * refractory / sum);
}

template <int which>
EQ_INLINE Estimate pairs_of(const double* interval, std::size_t n, double refractory, Room& room) {
  double* term = room.terms.data();
  for (std::size_t i = 0; i + 1 < n; ++i) term[i] = pair_term<which>(interval[i], interval[i + 1], refractory);
  return long_run::mean_of(term, n - 1, room.sums.data());
}

// All wanted statistics of the n + 1 spikes of one unit. The pairs come before the intervals are centred.
EQ_CLONES
void statistics_of(const double* t, std::size_t n, double refractory, std::int64_t wanted, Room& room, Estimate* all) {
  double* interval = room.intervals.data();
  for (std::size_t i = 0; i < n; ++i) interval[i] = t[i + 1] - t[i];
  if (wanted & 4) all[2] = pairs_of<2>(interval, n, refractory, room);
  if (wanted & 8) all[3] = pairs_of<3>(interval, n, refractory, room);
  if (wanted & 16) all[4] = pairs_of<4>(interval, n, refractory, room);
  if (wanted & 3) all[0] = long_run::mean_of(interval, n, room.sums.data());
  if (wanted & 2) all[1] = cv_of(interval, n, all[0].value, room);
}

// For each unit the wanted ones of mean interval [s], C_v, CV2, LV and LvR with the variances of these estimates; both
// results are (n_statistics, n_units), flattened. What is not wanted, and units below two intervals, are NaN.
void interval_statistics(In grouped, IndexIn offsets, double refractory, std::int64_t wanted, Out values,
                         Out variances) {
  const std::size_t n_units = offsets.size() - 1;
  same_size(values.size(), n_statistics * n_units);
  same_size(variances.size(), n_statistics * n_units);
  const std::int64_t* offset = offsets.data();
  std::size_t most = 0;
  for (std::size_t u = 0; u < n_units; ++u) most = std::max(most, static_cast<std::size_t>(offset[u + 1] - offset[u]));
  const std::size_t threads = std::min(parallel::threads_for(grouped.size()), std::max<std::size_t>(n_units, 1));
  std::vector<Room> rooms(threads, Room(most));
  std::atomic<std::size_t> next{0};
  parallel::run(threads, [&](std::size_t k) {
    for (std::size_t u = next++; u < n_units; u = next++) {
      const std::int64_t spikes = offset[u + 1] - offset[u];
      Estimate all[n_statistics];
      if (spikes >= 3)
        statistics_of(grouped.data() + offset[u], static_cast<std::size_t>(spikes) - 1, refractory, wanted, rooms[k],
                      all);
      for (std::size_t row = 0; row < n_statistics; ++row) {
        const Estimate found = (wanted >> row) & 1 ? all[row] : Estimate{};
        values.data()[row * n_units + u] = found.value;
        variances.data()[row * n_units + u] = found.variance;
      }
    }
  });
}

// Number of intervals shorter than `limit` [s] in each unit.
void count_short_intervals(In grouped, IndexIn offsets, double limit, IndexOut counts) {
  same_size(counts.size() + 1, offsets.size());
  for (std::size_t u = 0; u < counts.size(); ++u) {
    std::int64_t count = 0;
    for (std::int64_t i = offsets.data()[u] + 1; i < offsets.data()[u + 1]; ++i)
      count += grouped.data()[i] - grouped.data()[i - 1] < limit;
    counts.data()[u] = count;
  }
}

}  // namespace

void bind_trains(nb::module_& m) {
  const auto free = nb::call_guard<nb::gil_scoped_release>();
  m.def("group_by_unit", &group_by_unit, free, nb::arg("times"), nb::arg("units"), nb::arg("grouped"),
        nb::arg("offsets"));
  m.def("interval_statistics", &interval_statistics, free, nb::arg("grouped"), nb::arg("offsets"), nb::arg("refractory"),
        nb::arg("wanted"), nb::arg("values"), nb::arg("variances"));
  m.def("count_short_intervals", &count_short_intervals, nb::arg("grouped"), nb::arg("offsets"), nb::arg("limit"),
        nb::arg("counts"));
}
