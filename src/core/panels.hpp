// Smooth functions on equal panels of (0, 1], a polynomial on each.
#pragma once
#include "clones.hpp"

namespace equipoise {

// The polynomial of 14 coefficients at t, summed in four short chains that run side by side.
EQ_INLINE double polynomial(const double (&c)[14], double t) {
  const double t2 = t * t, t4 = t2 * t2;
  const double low = (c[0] + c[1] * t) + (c[2] + c[3] * t) * t2;
  const double middle = (c[4] + c[5] * t) + (c[6] + c[7] * t) * t2;
  const double high = ((c[8] + c[9] * t) + (c[10] + c[11] * t) * t2) + (c[12] + c[13] * t) * t4;
  return low + (middle + high * t4) * t4;
}

// The tabulated function at z in [0, 1].
template <int panels>
EQ_INLINE double panel_value(const double (&table)[panels][14], double z) {
  const double position = z * panels;
  int panel = static_cast<int>(position);
  if (panel > panels - 1) panel = panels - 1;
  return polynomial(table[panel], 2.0 * (position - panel) - 1.0);
}

// Gauss-Legendre nodes on [0, 1] and weights, 8 points: exact to rounding on the short ranges where it is used.
inline constexpr double gauss_node[8] = {
    0.019855071751231884, 0.10166676129318664, 0.2372337950418355, 0.4082826787521751,
    0.591717321247825, 0.7627662049581645, 0.8983332387068134, 0.9801449282487681};
inline constexpr double gauss_weight[8] = {
    0.05061426814518813, 0.11119051722668724, 0.15685332293894363, 0.181341891689181,
    0.181341891689181, 0.15685332293894363, 0.11119051722668724, 0.05061426814518813};

}  // namespace equipoise
