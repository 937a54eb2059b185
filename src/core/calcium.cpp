#include "arrays.hpp"
void bind_calcium(nb::module_& m) { (void)m; }
