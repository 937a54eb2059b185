// Spike trains of many units: grouping by unit, and interval statistics with the variance of their estimates.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "arrays.hpp"

using IndexOut = nb::ndarray<std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

namespace {

// The rows of the result, in the order that Python reads them.
constexpr std::size_t n_statistics = 5;  // mean interval, C_v, CV2, LV, LvR

// Counting sort, stable: the times of unit u end up in grouped[offsets[u] .. offsets[u + 1]).
void group_by_unit(In times, IndexIn units, Out grouped, IndexOut offsets) {
  same_size(times.size(), units.size());
  same_size(times.size(), grouped.size());
  const std::size_t n = times.size(), n_units = offsets.size() - 1;
  std::int64_t* start = offsets.data();
  std::fill(start, start + n_units + 1, 0);
  for (std::size_t i = 0; i < n; ++i) ++start[units.data()[i] + 1];
  for (std::size_t u = 0; u < n_units; ++u) start[u + 1] += start[u];
  std::vector<std::int64_t> next(start, start + n_units);
  for (std::size_t i = 0; i < n; ++i) grouped.data()[next[units.data()[i]]++] = times.data()[i];
}

// Length of the blocks over which a series is taken to forget itself: Andrews (1991), AR(1) plug-in for the triangular
// window, at least n^(1/3) and at most n/5.
std::size_t block_length(const std::vector<double>& x) {
  const double n = static_cast<double>(x.size());
  double power = 0.0, lagged = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) power += x[i] * x[i];
  for (std::size_t i = 1; i < x.size(); ++i) lagged += x[i] * x[i - 1];
  const double rho = power > 0.0 ? std::min(std::abs(lagged / power), 0.97) : 0.0;
  const double ratio = 2.0 * rho / (1.0 - rho * rho);
  const double length = std::max(std::cbrt(n), 1.1447 * std::cbrt(ratio * ratio * n));
  return std::max<std::size_t>(1, static_cast<std::size_t>(std::min(std::ceil(length), n / 5.0)));
}

// Variance of the mean of a serially correlated series of mean zero, by overlapping batch means (Meketon & Schmeiser
// 1984): n b/((n - b)(n - b + 1)) sum_j (mean of block j)^2 / n.
double variance_of_mean(const std::vector<double>& x) {
  const std::size_t n = x.size(), b = block_length(x);
  if (n < 2) return std::numeric_limits<double>::quiet_NaN();
  double window = 0.0, sum = 0.0;
  for (std::size_t i = 0; i < b; ++i) window += x[i];
  for (std::size_t j = 0;; ++j) {
    sum += window * window;
    if (j + b == n) break;
    window += x[j + b] - x[j];
  }
  const double nn = static_cast<double>(n), bb = static_cast<double>(b);
  return sum / (bb * (nn - bb) * (nn - bb + 1.0));
}

struct Estimate {
  double value, variance;
};

// The mean of a series and its variance; the series is centred in place.
Estimate mean_of(std::vector<double>& x) {
  double sum = 0.0;
  for (double v : x) sum += v;
  const double mean = sum / static_cast<double>(x.size());
  for (double& v : x) v -= mean;
  return {mean, variance_of_mean(x)};
}

// C_v and its variance by the delta method, from intervals already centred on their mean m:
// d C_v = (d^2 - s^2)/(2 s m) - s d/m^2 per interval of deviation d.
Estimate cv_of(const std::vector<double>& deviation, double m, std::vector<double>& scratch) {
  double power = 0.0;
  for (double d : deviation) power += d * d;
  const double s = std::sqrt(power / static_cast<double>(deviation.size()));
  if (s == 0.0 || m == 0.0) return {m == 0.0 ? std::numeric_limits<double>::quiet_NaN() : 0.0, 0.0};
  scratch.resize(deviation.size());
  for (std::size_t i = 0; i < deviation.size(); ++i) {
    const double d = deviation[i];
    scratch[i] = (d * d - s * s) / (2.0 * s * m) - s * d / (m * m);
  }
  return {s / m, variance_of_mean(scratch)};
}

// One term of CV2 (Holt et al. 1996), LV (Shinomoto et al. 2003) or LvR (Shinomoto et al. 2009) for neighbouring
// intervals; two intervals of zero length are equal, so that their difference counts as zero.
template <int which>
double pair_term(double a, double b, double refractory) {
  const double sum = a + b, difference = a - b;
  if (sum == 0.0) return 0.0;
  if (which == 0) return 2.0 * std::abs(difference) / sum;
  const double local = 3.0 * (difference / sum) * (difference / sum);
  return which == 1 ? local : local * (1.0 + 4.0 * refractory / sum);
}

template <int which>
Estimate pairs_of(const double* t, std::size_t n_intervals, double refractory, std::vector<double>& scratch) {
  scratch.resize(n_intervals - 1);
  for (std::size_t i = 0; i + 1 < n_intervals; ++i)
    scratch[i] = pair_term<which>(t[i + 1] - t[i], t[i + 2] - t[i + 1], refractory);
  return mean_of(scratch);
}

// For each unit the mean interval [s], C_v, CV2, LV and LvR with the variances of these estimates; both results are
// (n_statistics, n_units), flattened. Units with fewer than three intervals are NaN.
void interval_statistics(In grouped, IndexIn offsets, double refractory, Out values, Out variances) {
  const std::size_t n_units = offsets.size() - 1;
  same_size(values.size(), n_statistics * n_units);
  same_size(variances.size(), n_statistics * n_units);
  std::vector<double> intervals, scratch;
  for (std::size_t u = 0; u < n_units; ++u) {
    const double* t = grouped.data() + offsets.data()[u];
    const std::int64_t spikes = offsets.data()[u + 1] - offsets.data()[u];
    const double nan = std::numeric_limits<double>::quiet_NaN();
    Estimate all[n_statistics] = {{nan, nan}, {nan, nan}, {nan, nan}, {nan, nan}, {nan, nan}};
    if (spikes >= 4) {
      const std::size_t n = static_cast<std::size_t>(spikes) - 1;
      intervals.resize(n);
      for (std::size_t i = 0; i < n; ++i) intervals[i] = t[i + 1] - t[i];
      all[0] = mean_of(intervals);
      all[1] = cv_of(intervals, all[0].value, scratch);
      all[2] = pairs_of<0>(t, n, refractory, scratch);
      all[3] = pairs_of<1>(t, n, refractory, scratch);
      all[4] = pairs_of<2>(t, n, refractory, scratch);
    }
    for (std::size_t k = 0; k < n_statistics; ++k) {
      values.data()[k * n_units + u] = all[k].value;
      variances.data()[k * n_units + u] = all[k].variance;
    }
  }
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
  m.def("group_by_unit", &group_by_unit, nb::arg("times"), nb::arg("units"), nb::arg("grouped"), nb::arg("offsets"));
  m.def("interval_statistics", &interval_statistics, nb::arg("grouped"), nb::arg("offsets"), nb::arg("refractory"),
        nb::arg("values"), nb::arg("variances"));
  m.def("count_short_intervals", &count_short_intervals, nb::arg("grouped"), nb::arg("offsets"), nb::arg("limit"),
        nb::arg("counts"));
}
