// log P_L of the leaky integrate-and-fire neuron and its gradient, over arrays of (s, mu, sigma).
#include "lif_laplace.hpp"

#include <memory>
#include <mutex>
#include <numeric>
#include <vector>

#include "lif_arrays.hpp"

using namespace equipoise;

namespace {

// Tables of one a > 0.
class Laplace {
 public:
  double a = 0.0;
  std::uint64_t last_use = 0;

  void reset(double value) {
    a = value;
    if (a < 1.0)
      small_.reset(a);
    else
      large_.reset(a);
  }
  double exponent(const Range& y) { return a < 1.0 ? small_.exponent(y) : large_.exponent(y); }
  LogSlope difference(const Range& y) { return a < 1.0 ? small_.difference(y) : large_.difference(y); }

 private:
  SmallLaplace small_;
  LargeLaplace large_;
};

// The tables used last, by exact a. They are a cache only: what they return does not depend on it.
class Cache {
 public:
  Laplace& of(double a) {
    Laplace* oldest = nullptr;
    for (const auto& entry : entries_) {
      if (entry->a == a) return touch(*entry);
      if (!oldest || entry->last_use < oldest->last_use) oldest = entry.get();
    }
    if (entries_.size() < capacity) oldest = entries_.emplace_back(std::make_unique<Laplace>()).get();
    oldest->reset(a);
    return touch(*oldest);
  }

 private:
  static constexpr std::size_t capacity = 32;

  Laplace& touch(Laplace& entry) {
    entry.last_use = ++clock_;
    return entry;
  }

  std::vector<std::unique_ptr<Laplace>> entries_;
  std::uint64_t clock_ = 0;
};

std::mutex cache_mutex;
Cache cache;

// Order of the elements such that equal s stand together; as given if s is already in such order.
std::vector<std::size_t> order_by(const double* s, std::size_t size) {
  std::vector<std::size_t> order(size);
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (!std::is_sorted(s, s + size))
    std::stable_sort(order.begin(), order.end(), [s](auto i, auto j) { return s[i] < s[j]; });
  return order;
}

// Without noise: the clock above threshold, nothing below; for noise too small to see, its exponential order.
double noise_free_log(const LifNeuron& n, const Range& y, double s, double mu, double sigma) {
  const double interval = deterministic_interval(n, mu);
  if (s == 0.0) return 0.0;
  if (std::isfinite(interval)) return -s * interval;
  if (!(y.threshold > 0.0 && sigma > 0.0)) return -INFINITY;
  return y.reset > 0.0 ? -y.d * (y.threshold + y.reset) : -y.threshold * y.threshold;
}

Gradient noise_free_gradient(const LifNeuron& n, double s, double mu) {
  const double a = -above_mean(n, n.v_threshold, mu), d = n.v_threshold - n.v_reset;
  if (s == 0.0) return {0.0, 0.0};
  if (!(a > 0.0)) return {INFINITY, INFINITY};
  return {s * n.tau_m * n.tau_m * d / a / (a + d), 0.0};
}

double log_laplace(const LifNeuron& n, Laplace*& tables, double s, double mu, double sigma) {
  const Range y = range_of(n, mu, sigma);
  if (is_noise_free(y, sigma)) return noise_free_log(n, y, s, mu, sigma);
  const double a = s * n.tau_m;
  if (a == 0.0) return 0.0;
  if (!tables || tables->a != a) tables = &cache.of(a);
  return -s * n.tau_ref - tables->exponent(y);
}

Gradient log_laplace_gradient(const LifNeuron& n, Laplace*& tables, double s, double mu, double sigma) {
  const Range y = range_of(n, mu, sigma);
  if (is_noise_free(y, sigma)) return noise_free_gradient(n, s, mu);
  const double a = s * n.tau_m;
  if (a == 0.0) return {0.0, 0.0};
  if (!tables || tables->a != a) tables = &cache.of(a);
  const LogSlope f = tables->difference(y);
  return {std::sqrt(n.tau_m) / sigma * f.plain, f.weighted / sigma};
}

void log_isi_laplace(const In& parameters, const In& s, const In& mu, const In& sigma, const Out& out) {
  for (std::size_t size : {mu.size(), sigma.size(), out.size()}) same_size(s.size(), size);
  const std::lock_guard<std::mutex> lock(cache_mutex);
  const LifNeuron n = neuron_of(parameters);
  Laplace* tables = nullptr;
  for (std::size_t i : order_by(s.data(), s.size()))
    out.data()[i] = log_laplace(n, tables, s.data()[i], mu.data()[i], sigma.data()[i]);
}

void log_isi_laplace_gradient(const In& parameters, const In& s, const In& mu, const In& sigma, const Out& by_mu,
                              const Out& by_sigma) {
  for (std::size_t size : {mu.size(), sigma.size(), by_mu.size(), by_sigma.size()}) same_size(s.size(), size);
  const std::lock_guard<std::mutex> lock(cache_mutex);
  const LifNeuron n = neuron_of(parameters);
  Laplace* tables = nullptr;
  for (std::size_t i : order_by(s.data(), s.size())) {
    const Gradient g = log_laplace_gradient(n, tables, s.data()[i], mu.data()[i], sigma.data()[i]);
    by_mu.data()[i] = g.by_mu;
    by_sigma.data()[i] = g.by_sigma;
  }
}

// int r and the differences of r and u r, as functions of (a, y_r, y_th, d), a > 0.
void laplace_exponent(const In& a, const In& reset, const In& threshold, const In& d, const Out& exponent,
                      const Out& plain, const Out& weighted) {
  for (std::size_t size : {reset.size(), threshold.size(), d.size(), exponent.size(), plain.size(), weighted.size()})
    same_size(a.size(), size);
  const std::lock_guard<std::mutex> lock(cache_mutex);
  for (std::size_t i : order_by(a.data(), a.size())) {
    const Range y{reset.data()[i], threshold.data()[i], d.data()[i]};
    Laplace& tables = cache.of(a.data()[i]);
    exponent.data()[i] = tables.exponent(y);
    const LogSlope f = tables.difference(y);
    plain.data()[i] = f.plain;
    weighted.data()[i] = f.weighted;
  }
}

}  // namespace

void bind_lif_laplace(nb::module_& m) {
  const auto free = nb::call_guard<nb::gil_scoped_release>();
  m.def("lif_log_isi_laplace", &log_isi_laplace, free, nb::arg("neuron"), nb::arg("s"), nb::arg("mu"), nb::arg("sigma"),
        nb::arg("out"));
  m.def("lif_log_isi_laplace_gradient", &log_isi_laplace_gradient, free, nb::arg("neuron"), nb::arg("s"), nb::arg("mu"),
        nb::arg("sigma"), nb::arg("by_mu"), nb::arg("by_sigma"));
  m.def("lif_laplace_exponent", &laplace_exponent, free, nb::arg("a"), nb::arg("reset"), nb::arg("threshold"),
        nb::arg("d"), nb::arg("exponent"), nb::arg("plain"), nb::arg("weighted"));
}
