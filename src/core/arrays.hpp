// Arrays as they cross the border: contiguous, one-dimensional, of float64, broadcast by the caller.
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <stdexcept>

namespace nb = nanobind;

using In = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Out = nb::ndarray<double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using IndexIn = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

// Sizes are the caller's contract; a violation is a bug of the package, never of the user.
inline void same_size(std::size_t a, std::size_t b) {
  if (a != b) throw std::invalid_argument("equipoise._core: array sizes differ");
}
