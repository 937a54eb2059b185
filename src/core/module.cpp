// The one extension of the package. Each subject has its file and its bind function.
#include <nanobind/nanobind.h>

namespace nb = nanobind;

void bind_calcium(nb::module_&);
void bind_pif(nb::module_&);

NB_MODULE(_core, m) {
  m.doc() = "Compiled core: arrays and scalars in and out.";
  bind_calcium(m);
  bind_pif(m);
}
