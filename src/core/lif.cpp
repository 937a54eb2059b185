// Rate, C_v and their gradients of the leaky integrate-and-fire neuron, over arrays of (mu, sigma).
#include "lif_arrays.hpp"

using namespace equipoise;

namespace {

EQ_CLONES void fill_rate(std::size_t size, LifNeuron n, const double* mu, const double* sigma, double* out) {
  for (std::size_t i = 0; i < size; ++i) out[i] = rate(n, mu[i], sigma[i]);
}

EQ_CLONES void fill_log_rate(std::size_t size, LifNeuron n, const double* mu, const double* sigma, double* out) {
  for (std::size_t i = 0; i < size; ++i) out[i] = log_rate(n, mu[i], sigma[i]);
}

EQ_CLONES void fill_cv(std::size_t size, LifNeuron n, const double* mu, const double* sigma, double* out) {
  for (std::size_t i = 0; i < size; ++i) out[i] = cv(n, mu[i], sigma[i]);
}

void fill_log_rate_gradient(std::size_t size, LifNeuron n, const double* mu, const double* sigma, double* by_mu,
                            double* by_sigma) {
  for (std::size_t i = 0; i < size; ++i) {
    const Gradient g = log_rate_gradient(n, mu[i], sigma[i]);
    by_mu[i] = g.by_mu;
    by_sigma[i] = g.by_sigma;
  }
}

void fill_cv_gradient(std::size_t size, LifNeuron n, const double* mu, const double* sigma, double* by_mu,
                      double* by_sigma) {
  for (std::size_t i = 0; i < size; ++i) {
    const Gradient g = cv_gradient(n, mu[i], sigma[i]);
    by_mu[i] = g.by_mu;
    by_sigma[i] = g.by_sigma;
  }
}

void fill_integrals(std::size_t size, const double* reset, const double* threshold, const double* d, double* q,
                    double* h) {
  for (std::size_t i = 0; i < size; ++i) {
    const Range y{reset[i], threshold[i], d[i]};
    const double scale = scale_of(y);
    q[i] = q_integral(y, scale);
    h[i] = h_integral(y, scale);
  }
}

template <auto fill>
void one_output(const In& parameters, const In& mu, const In& sigma, const Out& out) {
  same_size(mu.size(), sigma.size());
  same_size(mu.size(), out.size());
  fill(mu.size(), neuron_of(parameters), mu.data(), sigma.data(), out.data());
}

template <auto fill>
void gradient_output(const In& parameters, const In& mu, const In& sigma, const Out& by_mu, const Out& by_sigma) {
  same_size(mu.size(), sigma.size());
  same_size(mu.size(), by_mu.size());
  same_size(mu.size(), by_sigma.size());
  fill(mu.size(), neuron_of(parameters), mu.data(), sigma.data(), by_mu.data(), by_sigma.data());
}

void integrals(const In& reset, const In& threshold, const In& d, const Out& q, const Out& h) {
  for (std::size_t size : {threshold.size(), d.size(), q.size(), h.size()}) same_size(reset.size(), size);
  fill_integrals(reset.size(), reset.data(), threshold.data(), d.data(), q.data(), h.data());
}

}  // namespace

void bind_lif(nb::module_& m) {
  const auto free = nb::call_guard<nb::gil_scoped_release>();
  m.def("lif_rate", &one_output<fill_rate>, free, nb::arg("neuron"), nb::arg("mu"), nb::arg("sigma"), nb::arg("out"));
  m.def("lif_log_rate", &one_output<fill_log_rate>, free, nb::arg("neuron"), nb::arg("mu"), nb::arg("sigma"),
        nb::arg("out"));
  m.def("lif_cv", &one_output<fill_cv>, free, nb::arg("neuron"), nb::arg("mu"), nb::arg("sigma"), nb::arg("out"));
  m.def("lif_log_rate_gradient", &gradient_output<fill_log_rate_gradient>, free, nb::arg("neuron"), nb::arg("mu"),
        nb::arg("sigma"), nb::arg("by_mu"), nb::arg("by_sigma"));
  m.def("lif_cv_gradient", &gradient_output<fill_cv_gradient>, free, nb::arg("neuron"), nb::arg("mu"), nb::arg("sigma"),
        nb::arg("by_mu"), nb::arg("by_sigma"));
  m.def("lif_integrals", &integrals, free, nb::arg("reset"), nb::arg("threshold"), nb::arg("d"), nb::arg("q"),
        nb::arg("h"));
}
