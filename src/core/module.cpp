// The one extension of the package. Each subject has its file and its bind function.
#include <nanobind/nanobind.h>

namespace nb = nanobind;

void bind_avalanches(nb::module_& m);
void bind_branching(nb::module_& m);
void bind_calcium(nb::module_& m);
void bind_cell_loop(nb::module_& m);
void bind_correlogram(nb::module_& m);
void bind_count_windows(nb::module_& m);
void bind_driven(nb::module_& m);
void bind_excitable(nb::module_& m);
void bind_isi_sampler(nb::module_& m);
void bind_lif(nb::module_& m);
void bind_lif_laplace(nb::module_& m);
void bind_pif(nb::module_& m);
void bind_power_laws(nb::module_& m);
void bind_rate_gather(nb::module_& m);
void bind_spiking_calcium(nb::module_& m);
void bind_spiking_run(nb::module_& m);
void bind_spiking_wiring(nb::module_& m);
void bind_threshold(nb::module_& m);
void bind_trains(nb::module_& m);

NB_MODULE(_core, m) {
  m.doc() = "Compiled core: arrays and scalars in and out.";
  bind_avalanches(m);
  bind_branching(m);
  bind_calcium(m);
  bind_cell_loop(m);
  bind_correlogram(m);
  bind_count_windows(m);
  bind_driven(m);
  bind_excitable(m);
  bind_isi_sampler(m);
  bind_lif(m);
  bind_lif_laplace(m);
  bind_pif(m);
  bind_power_laws(m);
  bind_rate_gather(m);
  bind_spiking_calcium(m);
  bind_spiking_run(m);
  bind_spiking_wiring(m);
  bind_threshold(m);
  bind_trains(m);
}
