// The one extension of the package. Each subject has its file and its bind function.
#include <nanobind/nanobind.h>

namespace nb = nanobind;

void bind_lif(nb::module_& m);
void bind_trains(nb::module_& m);

NB_MODULE(_core, m) {
  m.doc() = "Compiled core: arrays and scalars in and out.";
  bind_lif(m);
  bind_trains(m);
}
