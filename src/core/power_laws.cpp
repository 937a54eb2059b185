// Power laws x^-a on [low, high], discrete or continuous: normalisation, maximum likelihood, Kolmogorov-Smirnov.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "arrays.hpp"
#include "zeta.hpp"

namespace {

using powers::Jet;

constexpr double steepest = 100.0;
constexpr int most_steps = 200;

// The law that is fitted: the weight of values from x on, relative to low^-a.
struct Law {
  bool continuous;
  double high;

  Jet from(double a, double x, double low) const {
    return continuous ? powers::area(a, x, high, low) : powers::sum(a, x, high, low);
  }
};

struct Peak {
  double exponent, curvature;
};

// The a at which a <log(x/low)> + log Z(a) is least: Newton's method, within a bracket that every step narrows.
Peak most_likely(const Law& law, double mean_log, double low) {
  double left = std::isinf(law.high) ? 1.0 : -steepest, right = steepest;
  double a = std::min(1.0 + 1.0 / std::max(mean_log, 1e-3), 0.5 * steepest);
  double curvature = 0.0;
  for (int step = 0; step < most_steps; ++step) {
    const Jet z = law.from(a, low, low);
    const double mean = z.first / z.value, slope = mean_log + mean;
    curvature = z.second / z.value - mean * mean;
    (slope < 0.0 ? left : right) = a;
    double next = a - slope / curvature;
    if (!(next > left && next < right)) next = 0.5 * (left + right);
    const bool done = std::fabs(next - a) < 1e-13 * (1.0 + std::fabs(a));
    a = next;
    if (done) break;
  }
  return {a, curvature};
}

// Weights of the values from x = each of `starts` on, sum (k/low)^-a or its integral.
void power_law_weights(double exponent, double low, double high, int continuous, In starts, Out weights) {
  same_size(starts.size(), weights.size());
  const Law law{continuous != 0, high};
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const double x = starts.data()[i];
    weights.data()[i] = x > high ? 0.0 : law.from(exponent, x, low).value;
  }
}

// Exponents, and the curvatures of minus the log likelihood per value, that belong to means of log(x/low).
void power_law_exponents(In mean_logs, double low, double high, int continuous, Out exponents, Out curvatures) {
  same_size(mean_logs.size(), exponents.size());
  same_size(mean_logs.size(), curvatures.size());
  const Law law{continuous != 0, high};
  for (std::size_t i = 0; i < mean_logs.size(); ++i) {
    const Peak peak = most_likely(law, mean_logs.data()[i], low);
    exponents.data()[i] = peak.exponent;
    curvatures.data()[i] = peak.curvature;
  }
}

// Distinct values in rising order with how often each occurs; tails of both sums.
struct Sample {
  const double* x;
  std::size_t n;
  std::vector<double> number, logs;

  Sample(In values, In counts) : x(values.data()), n(values.size()), number(n + 1, 0.0), logs(n + 1, 0.0) {
    for (std::size_t i = n; i-- > 0;) {
      number[i] = number[i + 1] + counts.data()[i];
      logs[i] = logs[i + 1] + counts.data()[i] * std::log(x[i]);
    }
  }
};

class Distance {
  const Sample& sample_;
  const Law law_;
  const double a_, low_, total_;
  const std::size_t first_;

  // The larger difference of the distributions just below and at x_j; `before` is the law's P(X >= x_j).
  double at(std::size_t j, double before) const {
    const double n = sample_.number[first_];
    const double below = std::fabs(before - sample_.number[j] / n);
    const double after = law_.continuous ? before : before - mass(sample_.x[j]);
    return std::max(below, std::fabs(after - sample_.number[j + 1] / n));
  }

  double mass(double x) const { return powers::power(std::log(x / low_), a_).value / total_; }
  double survival(double x) const { return law_.from(a_, x, low_).value / total_; }

 public:
  Distance(const Sample& sample, const Law& law, double a, double low, std::size_t first)
      : sample_(sample), law_(law), a_(a), low_(low), total_(law.from(a, low, low).value), first_(first) {}

  // The largest difference, or some number above `enough` as soon as it is known to be above that. A few places are
  // looked at before all others: most lower ends are refused there.
  double operator()(double enough) const {
    const std::size_t stride = std::max<std::size_t>(1, (sample_.n - first_) / 32);
    double most = 0.0;
    if (stride > 1)
      for (std::size_t j = first_; j < sample_.n && most <= enough; j += stride)
        most = std::max(most, at(j, survival(sample_.x[j])));
    double before = 1.0;
    for (std::size_t j = first_; j < sample_.n && most <= enough; ++j) {
      const double x = sample_.x[j], previous = j == first_ ? low_ : sample_.x[j - 1];
      if (!law_.continuous && x - previous <= 4.0)
        for (double k = previous; k < x; ++k) before -= mass(k);
      else
        before = survival(x);
      most = std::max(most, at(j, before));
    }
    return most;
  }
};

// Of the lower ends `lows` the one with the least Kolmogorov-Smirnov distance: result = (its place in the list, the
// exponent, the distance). Each must have values above it.
void power_law_scan(In values, In counts, In lows, double high, int continuous, Out result) {
  same_size(values.size(), counts.size());
  same_size(result.size(), 3);
  const Sample sample(values, counts);
  const Law law{continuous != 0, high};
  double best = HUGE_VAL;
  for (std::size_t i = 0; i < lows.size(); ++i) {
    const double low = lows.data()[i];
    const auto first = static_cast<std::size_t>(std::lower_bound(sample.x, sample.x + sample.n, low) - sample.x);
    const double mean_log = sample.logs[first] / sample.number[first] - std::log(low);
    const double a = most_likely(law, mean_log, low).exponent;
    const double distance = Distance(sample, law, a, low, first)(best);
    if (!(distance < best)) continue;
    best = distance;
    result.data()[0] = static_cast<double>(i);
    result.data()[1] = a;
    result.data()[2] = distance;
  }
}

}  // namespace

void bind_power_laws(nb::module_& m) {
  m.def("power_law_weights", &power_law_weights, nb::arg("exponent"), nb::arg("low"), nb::arg("high"),
        nb::arg("continuous"), nb::arg("starts"), nb::arg("weights"));
  m.def("power_law_exponents", &power_law_exponents, nb::arg("mean_logs"), nb::arg("low"), nb::arg("high"),
        nb::arg("continuous"), nb::arg("exponents"), nb::arg("curvatures"));
  m.def("power_law_scan", &power_law_scan, nb::arg("values"), nb::arg("counts"), nb::arg("lows"), nb::arg("high"),
        nb::arg("continuous"), nb::arg("result"));
}
