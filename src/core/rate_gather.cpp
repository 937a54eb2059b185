// Sums over presynaptic partners in networks of rate units, all synapses of a projection alike.
//
//   out[i] = sum of rates[partners[k]], starts[i] <= k < starts[i + 1]
//
// The indices stream from memory and the rates stay in cache. Eight partial sums hide the latency of addition; their
// order is fixed, so that every instruction set gives the same result.
#include <cstddef>
#include <cstdint>

#include "arrays.hpp"
#include "clones.hpp"

namespace {

using Partners = nb::ndarray<const std::int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

EQ_CLONES void gather(const std::int64_t* starts, const std::int32_t* partners, const double* rates, std::size_t n,
                      double* out) {
  constexpr std::int64_t lanes = 8;
  for (std::size_t i = 0; i < n; ++i) {
    double sums[lanes] = {};
    std::int64_t k = starts[i];
    for (; k + lanes <= starts[i + 1]; k += lanes)
      for (std::int64_t l = 0; l < lanes; ++l) sums[l] += rates[partners[k + l]];
    for (std::int64_t l = 0; k < starts[i + 1]; ++k, ++l) sums[l] += rates[partners[k]];
    out[i] = ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
  }
}

void rate_gather(IndexIn starts, Partners partners, In rates, Out out) {
  same_size(starts.size(), out.size() + 1);
  gather(starts.data(), partners.data(), rates.data(), out.size(), out.data());
}

}  // namespace

void bind_rate_gather(nb::module_& m) {
  m.def("rate_gather", &rate_gather, nb::call_guard<nb::gil_scoped_release>(), nb::arg("starts"), nb::arg("partners"),
        nb::arg("rates"), nb::arg("out"));
}
