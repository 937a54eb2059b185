// Membranes under constant mu + sigma xi, stepped without a time grid. A step's end is drawn from the exact transition
// density; whether and when the path between its ends crossed the threshold is drawn from the law of the Brownian
// bridge. The PIF is exact in law but for paths that travel more than `reach` standard deviations within a step. The
// LIF is a Brownian motion in the time s = sigma^2 (tau/2)(e^{2t/tau} - 1), where its threshold is curved; the chord
// replaces the curve over one step, an error of order (h/tau)^2, h <= `fine` tau wherever a crossing is likely.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "clones.hpp"
#include "random.hpp"

struct Step {
  double dt;
  bool spike;
};

// Longest step [s] where nothing else limits it; finite, so that mu = sigma = 0 stays a number.
constexpr double unlimited = 1e6;

// exp(-x) of larger x is taken for zero.
constexpr double negligible = 40.0;

// Largest root = sqrt(h) with reach sigma sqrt(h) + drift h <= distance.
EQ_INLINE double root_step(double distance, double drift, double reach_sigma) {
  return 2.0 * distance / (reach_sigma + std::sqrt(reach_sigma * reach_sigma + 4.0 * drift * distance));
}

// Whether a bridge of variance q crossed a level that lies z0 > 0 above its start and z1 above its end.
EQ_INLINE bool crosses(double z0, double z1, double q, Random& random) {
  if (z1 <= 0.0) return true;
  const double exponent = 2.0 * z0 * z1;
  return exponent < negligible * q && random.uniform() < std::exp(-exponent / q);
}

// When it did, as a fraction f of the step: f/(1 - f) is inverse Gaussian with mean z0/|z1| and shape z0^2/q, sampled
// after Michael, Schucany & Haas (1976) in a form without cancellation; q = 0 gives the straight line.
inline double crossing_fraction(double z0, double z1, double q, Random& random) {
  const double mean = z0 / std::max(std::fabs(z1), 1e-100 * z0);
  const double n = random.normal();
  const double half = 0.5 * mean * n * n * (q / (z0 * z0));
  const double small = mean / (1.0 + half + std::sqrt(half * (2.0 + half)));
  const double odds = random.uniform() * (mean + small) <= mean ? small : mean * (mean / small);
  return 1.0 / (1.0 + 1.0 / odds);
}

class PerfectMembrane {
 public:
  PerfectMembrane(double threshold, double bound, double reach_) : v_threshold(threshold), v_bound(bound), reach(reach_) {}

  // The longest step in which no path visits both boundaries.
  void set_input(double new_mu, double new_sigma) {
    mu = new_mu;
    sigma = new_sigma;
    const double root = root_step(v_threshold - v_bound, std::fabs(mu), reach * sigma);
    full = stride_of(std::min(root * root, unlimited));
  }

  EQ_INLINE Step step(double& v, double longest, Random& random) const {
    const Stride stride = full.h <= longest ? full : stride_of(longest);
    const double q = stride.sd * stride.sd, rise = stride.drift + stride.sd * random.normal();
    const double up = v_threshold - v, down = v - v_bound, up_end = up - rise, down_end = down + rise;
    if (up_end <= 0.0) return {stride.h * crossing_fraction(up, up_end, q, random), true};
    if (down_end <= 0.0) return reflect(v, stride, down, rise, random.exponential());
    const double to_threshold = 2.0 * up * up_end, to_bound = 2.0 * down * down_end;
    v += rise;
    if (std::min(to_threshold, to_bound) >= negligible * q) return {stride.h, false};
    // Threshold and bound exclude each other within a step, so one uniform number decides on both.
    const double u = random.uniform();
    if (u < std::exp(-to_threshold / q)) return {stride.h * crossing_fraction(up, up_end, q, random), true};
    if (1.0 - u >= std::exp(-to_bound / q)) return {stride.h, false};
    v -= rise;
    return reflect(v, stride, down, rise, -std::log(1.0 - u));
  }

 private:
  struct Stride {
    double h, drift, sd;
  };

  Stride stride_of(double h) const { return {h, mu * h, sigma * std::sqrt(h)}; }

  // Skorokhod: the reflected path is the free one lifted by the depth of its minimum below the bound; the minimum of a
  // bridge from a to b with variance q is (a + b - sqrt((a - b)^2 + 2 q E))/2 with E exponential.
  Step reflect(double& v, const Stride& stride, double down, double rise, double e) const {
    const double lowest = 0.5 * (2.0 * down + rise - std::sqrt(rise * rise + 2.0 * stride.sd * stride.sd * e));
    v = v_bound + down + rise + std::max(0.0, -lowest);
    return {stride.h, v >= v_threshold};
  }

  double v_threshold, v_bound, reach;
  double mu = 0.0, sigma = 0.0;
  Stride full{};
};

struct LeakyMembrane {
  double v_threshold, v_leak, tau, reach;
  double sigma = 0.0, v_mean = 0.0;

  LeakyMembrane(double threshold, double leak, double tau_m, double reach_, double fine)
      : v_threshold(threshold), v_leak(leak), tau(tau_m), reach(reach_) {
    double h = fine * tau;
    for (auto& kernel : kernels) {
      kernel = kernel_of(h);
      if (h < 4.0 * tau) h *= 2.0;
    }
  }

  void set_input(double mu, double new_sigma) {
    v_mean = v_leak + mu * tau;
    sigma = new_sigma;
  }

  EQ_INLINE Step step(double& v, double longest, Random& random) const {
    const double gap = v_threshold - v;
    const double root = root_step(gap, std::max(v_mean - v, 0.0) / tau, reach * sigma);
    const Kernel& regular = kernel_below(root * root);
    return regular.h <= longest ? step_by(regular, v, random) : step_by(kernel_of(longest), v, random);
  }

 private:
  struct Kernel {
    double h, decay, noise, stretched;  // stretched = s/sigma^2 of one step
  };
  std::array<Kernel, 24> kernels{};

  Kernel kernel_of(double h) const {
    const double decay = std::exp(-h / tau);
    return {h, decay, std::sqrt(-0.5 * tau * std::expm1(-2.0 * h / tau)), 0.5 * tau * std::expm1(2.0 * h / tau)};
  }

  // Steps are the finest one times powers of two, so that their exponentials are tabulated.
  EQ_INLINE const Kernel& kernel_below(double h) const {
    const double ratio = h / kernels[0].h;
    if (!(ratio >= 2.0)) return kernels[0];
    return kernels[static_cast<std::size_t>(std::min(std::ilogb(std::min(ratio, 1e9)), 23))];
  }

  EQ_INLINE Step step_by(const Kernel& kernel, double& v, Random& random) const {
    const double distance = v - v_mean, level = v_threshold - v_mean;
    const double end = distance * kernel.decay + sigma * kernel.noise * random.normal();
    const double z0 = level - distance, z1 = (level - end) / kernel.decay, q = sigma * sigma * kernel.stretched;
    if (!crosses(z0, z1, q, random)) {
      v = v_mean + end;
      return {kernel.h, false};
    }
    if (sigma == 0.0) return {std::min(kernel.h, tau * std::log(distance / level)), true};
    const double f = crossing_fraction(z0, z1, q, random);
    return {0.5 * tau * std::log1p(2.0 * f * kernel.stretched / tau), true};
  }
};
