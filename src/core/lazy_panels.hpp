// Several smooth functions on equal panels of [0, 1], each panel computed when it is first asked for.
#pragma once
#include <array>
#include <cmath>

#include "panels.hpp"

namespace equipoise {

inline constexpr int panel_nodes = 14;

// Coefficients of the polynomial through values at the Chebyshev points cos(pi (2 j + 1)/28).
inline void interpolate(const double (&value)[panel_nodes], double (&coefficient)[panel_nodes]) {
  double previous[panel_nodes] = {}, current[panel_nodes] = {};  // T_{k-1} and T_k as powers of t
  previous[1] = current[0] = 1.0;                                // T_{-1} = t and T_0 = 1 start the recursion
  for (double& c : coefficient) c = 0.0;
  for (int k = 0; k < panel_nodes; ++k) {
    double weight = 0.0;
    for (int j = 0; j < panel_nodes; ++j) weight += value[j] * std::cos(M_PI * k * (2 * j + 1) / (2 * panel_nodes));
    weight *= (k == 0 ? 1.0 : 2.0) / panel_nodes;
    double next[panel_nodes] = {};
    for (int i = 0; i < panel_nodes; ++i) {
      coefficient[i] += weight * current[i];
      next[i] = (i > 0 ? 2.0 * current[i - 1] : 0.0) - previous[i];
    }
    for (int i = 0; i < panel_nodes; ++i) {
      previous[i] = current[i];
      current[i] = next[i];
    }
  }
}

template <int functions, int panels>
class LazyPanels {
 public:
  using Values = std::array<double, functions>;

  void clear() { filled_.fill(false); }

  // Value of one function at z in [0, 1]; `compute(z)` gives all functions exactly and fills a panel at first need.
  template <class Compute>
  double value(int function, double z, const Compute& compute) {
    const double position = z * panels;
    int panel = static_cast<int>(position);
    if (panel > panels - 1) panel = panels - 1;
    if (!filled_[panel]) fill(panel, compute);
    return polynomial(table_[panel][function], 2.0 * (position - panel) - 1.0);
  }

 private:
  template <class Compute>
  void fill(int panel, const Compute& compute) {
    double value[functions][panel_nodes];
    for (int j = 0; j < panel_nodes; ++j) {
      const double t = std::cos(M_PI * (2 * j + 1) / (2 * panel_nodes));
      const Values all = compute((2 * panel + 1 + t) / (2.0 * panels));
      for (int f = 0; f < functions; ++f) value[f][j] = all[f];
    }
    for (int f = 0; f < functions; ++f) interpolate(value[f], table_[panel][f]);
    filled_[panel] = true;
  }

  double table_[panels][functions][panel_nodes];
  std::array<bool, panels> filled_{};
};

}  // namespace equipoise
