// Networks of probabilistic units: in each step a unit that can fire does so with probability
//
//   p = drive + sum of the weights of its inputs that fired in the last step, kept in [0, 1]
//
// and then cannot for `refractory` steps. Only units that fired are followed to their targets. Where all act on all, p is
// the same for all, so that the numbers of firing units suffice: two binomial draws a step, exactly the same law.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "arrays.hpp"
#include "bind_membrane.hpp"
#include "variates.hpp"

namespace {

using IndexOut = nb::ndarray<std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Targets = nb::ndarray<const std::int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Clocks = nb::ndarray<std::int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

// The targets of unit j are targets[starts[j] .. starts[j + 1]), its weight weights[j]. clocks[i] is -1 where unit i
// fired in the last step of a network without refractoriness, `refractory` where it did in one with it, and counts
// down to 0, where the unit can fire.
class Excitable {
  IndexIn starts_;
  Targets targets_;
  In weights_;
  std::vector<double> input_;
  std::vector<std::int32_t> fired_;

 public:
  Excitable(IndexIn starts, Targets targets, In weights)
      : starts_(starts), targets_(targets), weights_(weights), input_(weights.size(), 0.0) {}

  void begin(const Clocks& clocks, std::int32_t at_firing) {
    for (std::size_t i = 0; i < clocks.size(); ++i)
      if (clocks(i) == at_firing) fired_.push_back(static_cast<std::int32_t>(i));
  }

  std::int64_t step(double drive, std::int32_t at_firing, const Clocks& clocks, Random& random) {
    for (const std::int32_t j : fired_)
      for (std::int64_t k = starts_(j); k < starts_(j + 1); ++k) input_[targets_(k)] += weights_(j);
    fired_.clear();
    for (std::size_t i = 0; i < input_.size(); ++i) {
      const double p = drive + input_[i];
      input_[i] = 0.0;
      if (clocks(i) > 0) {
        --clocks(i);
        continue;
      }
      const bool fires = p > 0.0 && random.uniform() < p;
      clocks(i) = fires ? at_firing : 0;
      if (fires) fired_.push_back(static_cast<std::int32_t>(i));
    }
    return static_cast<std::int64_t>(fired_.size());
  }
};

void run(Words words, IndexIn starts, Targets targets, In weights, double drive, std::int64_t refractory, Clocks clocks,
         IndexOut counts) {
  same_size(starts.size(), weights.size() + 1);
  same_size(clocks.size(), weights.size());
  Random random = load(words);
  const auto at_firing = static_cast<std::int32_t>(refractory > 0 ? refractory : -1);
  Excitable network(starts, targets, weights);
  network.begin(clocks, at_firing);
  for (std::size_t t = 0; t < counts.size(); ++t) counts(t) = network.step(drive, at_firing, clocks, random);
  store(random, words);
}

// network = (E units, I units, J, g J); fired (E and I, refractory + 1): how many fired in the last steps, latest first.
void run_all_to_all(Words words, In network, double drive, IndexOut fired, IndexOut counts) {
  Random random = load(words);
  const std::size_t memory = fired.size() / 2;
  for (std::size_t t = 0; t < counts.size(); ++t) {
    const double input = network(2) * static_cast<double>(fired(0)) - network(3) * static_cast<double>(fired(memory));
    const double p = std::fmin(std::fmax(drive + input, 0.0), 1.0);
    counts(t) = 0;
    for (std::size_t k = 0; k < 2; ++k) {
      std::int64_t* mine = fired.data() + k * memory;
      double ready = network(k);
      for (std::size_t i = 0; i + 1 < memory; ++i) ready -= static_cast<double>(mine[i]);
      std::copy_backward(mine, mine + memory - 1, mine + memory);
      mine[0] = variates::binomial(ready, p, random);
      counts(t) += mine[0];
    }
  }
  store(random, words);
}

}  // namespace

void bind_excitable(nb::module_& m) {
  m.def("excitable_run", &run, nb::call_guard<nb::gil_scoped_release>(), nb::arg("words"), nb::arg("starts"),
        nb::arg("targets"), nb::arg("weights"), nb::arg("drive"), nb::arg("refractory"), nb::arg("clocks"),
        nb::arg("counts"));
  m.def("excitable_run_all_to_all", &run_all_to_all, nb::call_guard<nb::gil_scoped_release>(), nb::arg("words"),
        nb::arg("network"), nb::arg("drive"), nb::arg("fired"), nb::arg("counts"));
}
