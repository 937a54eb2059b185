// Perfect integrate-and-fire neuron dv = mu dt + sigma dW, reflected at v_B (Eqs. 39-42): closed forms in which every
// sum has terms of one sign, so that no regime of the drift cancels.
//
// Lengths are in units of d = v_th - v_r: w = 2 mu d/sigma^2, rho = (v_r - v_B)/d, v = |w| rho. Mean and variance of
// the ISI are 2 d^2 g1/sigma^2 and 8 d^4 g2/sigma^4 with
//   g1 = int_rho^{1+rho} (1 - e^{-wx})/w dx,   g2 = int_rho^{1+rho} dx int_0^x e^{-w(x-y)} ((1 - e^{-wy})/w)^2 dy
// (first and second order in s of the Riccati equation for u'/u, where P_L = u(v_r)/u(v_th)). For w < 0 they are scaled
// by e^{w(1+rho)} and its square, which drops out of C_v.
#include <algorithm>
#include <cmath>
#include <limits>

#include "arrays.hpp"
#include "exponential_moments.hpp"

namespace {

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double noise_free = 1e17;  // beyond this |w| the leading term is exact in double precision
constexpr double huge = 1e250;       // stands for infinite wave numbers, so that 0 * huge stays 0
constexpr double no_noise = 1e-120;  // sigma/d below this counts as zero: its square would underflow

struct Cell {
  double a, d, tau_ref;  // v_r - v_B, v_th - v_r, refractory period
};

double drift_number(const Cell& c, double mu, double sigma) {
  if (sigma == 0.0) return mu > 0.0 ? inf : mu < 0.0 ? -inf : 0.0;
  return 2.0 * c.d * (mu / sigma) / sigma;
}

bool silent(double mu, double sigma) { return sigma == 0.0 && mu <= 0.0; }

struct Moments {
  double g1, g2;              // scaled by e^{-v-|w|} and its square for w < 0
  double g1_slope, g2_slope;  // -d/d|w| of the two as they are scaled
};

double first(double w, double rho) {
  using namespace moments;
  const double z = std::fabs(w), v = z * rho, r = rho * flat(v);
  if (w >= 0.0) return r + std::exp(-v) * falling(z);
  return r * std::exp(-z) + rising(z);
}

Moments forward_moments(double z, double rho) {
  using namespace moments;
  const double v = z * rho, q = std::exp(-v);
  const double r = rho * flat(v), r_slope = rho * rho * rising(v);
  const double h = rho * rho * rho * square(v), h_slope = rho * rho * rho * rho * square_slope(v);
  const double f = flat(z), up = rising(z), down = falling(z), b = bump(z), o = area(z);
  Moments m;
  m.g1 = r + q * down;
  m.g1_slope = r_slope + q * (b + rho * down);
  m.g2 = h * f + r * r * down + 2 * r * q * b + q * q * o;
  m.g2_slope = h_slope * f + h * up + 2 * r * r_slope * down + r * r * b +
               2 * q * (r_slope * b + r * rho * b + r * bump2(z)) + q * q * (2 * rho * o + area_slope(z));
  return m;
}

Moments backward_moments(double z, double rho) {
  using namespace moments;
  const double v = z * rho, p = std::exp(-z);
  const double r = rho * flat(v), r_slope = rho * rho * rising(v);
  const double h = rho * rho * rho * square(v), h_slope = rho * rho * rho * rho * square_slope(v);
  const double f = flat(z), up = rising(z), up2 = rising2(z), b = bump(z);
  Moments m;
  m.g1 = r * p + up;
  m.g1_slope = p * (r_slope + r) + up2;
  m.g2 = p * (h * f + r * r * up + 2 * r * b) + mirror(z);
  m.g2_slope = p * (h_slope * f + h * (up + f) + 2 * r * r_slope * up + r * r * (up2 + up) +
                    2 * (r_slope * b + r * (bump2(z) + b))) +
               mirror_slope(z);
  return m;
}

Moments moments_of(double w, double rho) { return w >= 0.0 ? forward_moments(w, rho) : backward_moments(-w, rho); }

// C_v^2 without refractory period.
double cv2_of(double w, double rho) {
  if (w > noise_free) return 2.0 / w;
  if (w < -noise_free) return 1.0;
  const Moments m = moments_of(w, rho);
  return 2.0 * m.g2 / (m.g1 * m.g1);
}

// d log C_v^2/dw
double log_cv2_slope(double w, const Moments& m) {
  const double by_size = -m.g2_slope / m.g2 + 2.0 * m.g1_slope / m.g1;
  return w >= 0.0 ? by_size : -by_size;
}

// Rate and log rate without refractory period.
double bare_rate(const Cell& c, double mu, double sigma) {
  const double w = drift_number(c, mu, sigma), rho = c.a / c.d;
  if (silent(mu, sigma) || w == -inf) return 0.0;
  if (w > noise_free) return mu / c.d;
  if (w > 1.0) return (mu / c.d) / (w * first(w, rho));
  const double scale = sigma / c.d;
  if (w >= 0.0) return 0.5 * scale * scale / first(w, rho);
  if (w > -noise_free) return 0.5 * scale * scale * std::exp(w * (1.0 + rho)) / first(w, rho);
  return 0.0;
}

double bare_log_rate(const Cell& c, double mu, double sigma) {
  const double w = drift_number(c, mu, sigma), rho = c.a / c.d;
  if (silent(mu, sigma)) return -inf;
  if (w > noise_free) return std::log(mu / c.d);
  if (w > 1.0) return std::log(mu / c.d) - std::log(w * first(w, rho));
  const double barrier = w < 0.0 ? w * (1.0 + rho) : 0.0;
  if (w < -noise_free) return barrier + std::log(2.0) + 2.0 * std::log(-mu / sigma);
  return barrier + 2.0 * std::log(sigma / c.d) - std::log(2.0 * first(w, rho));
}

// Refractory time per interval between refractory periods; finite where the bare rate overflows.
double load_of(const Cell& c, double mu, double sigma) {
  return c.tau_ref == 0.0 ? 0.0 : std::min(c.tau_ref * bare_rate(c, mu, sigma), huge);
}

double log_rate_of(const Cell& c, double mu, double sigma) {
  const double load = load_of(c, mu, sigma);
  return load == huge ? -std::log(c.tau_ref) : bare_log_rate(c, mu, sigma) - std::log1p(load);
}

double rate_of(const Cell& c, double mu, double sigma) {
  const double load = load_of(c, mu, sigma);
  return load == huge ? 1.0 / c.tau_ref : bare_rate(c, mu, sigma) / (1.0 + load);
}

double cv_of(const Cell& c, double mu, double sigma) {
  const double bare = std::sqrt(cv2_of(drift_number(c, mu, sigma), c.a / c.d));
  return bare / (1.0 + load_of(c, mu, sigma));
}

struct Gradient {
  double by_mu, by_sigma;
};

Gradient bare_log_rate_gradient(const Cell& c, double mu, double sigma) {
  using namespace moments;
  const double w = drift_number(c, mu, sigma), rho = c.a / c.d, z = std::fabs(w), v = z * rho;
  if (silent(mu, sigma)) return {inf, inf};
  if (w > noise_free) {
    const double kept = v < 800.0 ? std::exp(-v) * (1.0 + v) : 0.0;
    return {1.0 / mu, sigma == 0.0 ? 0.0 : kept * sigma / (mu * c.d)};
  }
  if (w < -noise_free) return {2.0 * (c.a + c.d) / sigma / sigma, 2.0 / sigma * z * (1.0 + rho)};
  const double g1 = first(w, rho), unit = 2.0 * c.d / sigma / sigma;
  if (w >= 0.0) {
    const double q = std::exp(-v), slope = rho * rho * rising(v) + q * (bump(z) + rho * falling(z));
    return {unit * slope / g1, 2.0 / sigma * q * (rho * flat(z) + rising(z)) / g1};
  }
  const double slope = rho * rho * falling(v) * std::exp(-z) + bump(z) + rho * rising(z);
  return {unit * slope / g1, 2.0 / sigma * (rho * flat(z) + falling(z)) / g1};
}

Gradient log_rate_gradient_of(const Cell& c, double mu, double sigma) {
  const Gradient g = bare_log_rate_gradient(c, mu, sigma);
  const double active = 1.0 / (1.0 + load_of(c, mu, sigma));
  return {active * g.by_mu, active * g.by_sigma};
}

Gradient bare_cv_gradient(const Cell& c, double mu, double sigma) {
  const double w = drift_number(c, mu, sigma), rho = c.a / c.d;
  if (w > noise_free) return {-0.5 * std::sqrt(2.0 / w) / mu, 1.0 / std::sqrt(mu * c.d)};
  if (w < -noise_free) return {0.0, 0.0};
  const Moments m = moments_of(w, rho);
  const double slope = 0.5 * std::sqrt(2.0 * m.g2) / m.g1 * log_cv2_slope(w, m);
  if (sigma == 0.0) return {-inf, 0.0};
  return {slope * 2.0 * c.d / sigma / sigma, -slope * 2.0 * w / sigma};
}

Gradient cv_gradient_of(const Cell& c, double mu, double sigma) {
  const Gradient g = bare_cv_gradient(c, mu, sigma);
  const double load = load_of(c, mu, sigma);
  if (load == 0.0) return g;
  const Gradient r = bare_log_rate_gradient(c, mu, sigma);
  const double active = 1.0 / (1.0 + load), lost = cv_of(c, mu, sigma) * load * active;
  return {active * g.by_mu - lost * r.by_mu, active * g.by_sigma - lost * r.by_sigma};
}

// Wave numbers of u(x) = kappa e^{lambda x} + lambda e^{-kappa x}, the solution with u'(v_B) = 0.
struct Waves {
  double lambda, kappa, gamma, m;  // gamma = (lambda + kappa)/2, m = (kappa - lambda)/2 = mu/sigma^2
  double e;                        // e^{-2 gamma a}
};

Waves waves_of(const Cell& c, double s, double mu, double sigma) {
  const double root = std::hypot(mu, sigma * std::sqrt(2.0 * s)), sum = std::fabs(mu) + root;
  const double fast = std::min(sum / sigma / sigma, huge), slow = 2.0 * s / sum;
  Waves k;
  k.lambda = mu >= 0.0 ? slow : fast;
  k.kappa = mu >= 0.0 ? fast : slow;
  k.gamma = std::min(root / sigma / sigma, huge);
  k.m = std::copysign(std::min(std::fabs(mu) / sigma / sigma, huge), mu);
  k.e = std::exp(-2.0 * k.gamma * c.a);
  return k;
}

// e^{-lambda d} (E(lambda d) - e phi(kappa d)) with E(z) = (e^z - 1)/z and phi(z) = E(-z): the growth of u between reset
// and threshold, over kappa lambda d e^{lambda (a + d)}.
double growth(const Cell& c, const Waves& k) {
  using namespace moments;
  const double l = k.lambda * c.d, n = k.kappa * c.d;
  const double lift = n < 1.0 ? n * falling(n) : 1.0 - flat(n);
  const double drop = l < small ? l * rising(l) : flat(l) - std::exp(-l);  // the product underflows for huge l
  return -std::expm1(-2.0 * k.gamma * c.a) * flat(l) + k.e * (drop + std::exp(-l) * lift);
}

// -log P_L = log(1 + X), X = kappa lambda d growth e^{lambda d}/(kappa + lambda e).
double minus_log_laplace(const Cell& c, double s, double mu, double sigma) {
  if (s == 0.0) return 0.0;
  if (silent(mu, sigma)) return inf;
  if (sigma == 0.0) return s * c.d / mu + s * c.tau_ref;
  const Waves k = waves_of(c, s, mu, sigma);
  const double l = k.lambda * c.d, n = growth(c, k);
  if (l < 600.0 && 2.0 * k.gamma * c.a < 600.0) {
    const double x = mu >= 0.0 ? l * n / (1.0 + k.lambda / k.kappa * k.e)
                               : k.kappa * c.d * n / (k.kappa / k.lambda + k.e);
    return std::log1p(x * std::exp(l)) + s * c.tau_ref;
  }
  const double log_kappa = std::log(k.kappa), reflected = std::log(k.lambda) - 2.0 * k.gamma * c.a;
  const double top = std::max(log_kappa, reflected);
  const double below = top + std::log1p(std::exp(-std::fabs(log_kappa - reflected)));
  const double t = l + (log_kappa - below) + std::log(k.lambda * c.d * n);
  return (t > 0.0 ? t + std::log1p(std::exp(-t)) : std::log1p(std::exp(t))) + s * c.tau_ref;
}

constexpr double nodes[8] = {0.0950125098376374401853, 0.2816035507792589132305, 0.4580167776572273863424,
                             0.6178762444026437484467, 0.7554044083550030338951, 0.8656312023878317438805,
                             0.9445750230732325760779, 0.9894009349916499325962};
constexpr double weights[8] = {0.1894506104550684962854, 0.1826034150449235888668, 0.1691565193950025381893,
                               0.1495959888165767320815, 0.1246289712555338720525, 0.0951585116824927848099,
                               0.0622535239386478928628, 0.0271524594117540948518};

// d log P_L/dk at fixed s/sigma^2 per unit length, k = 2 mu/sigma^2: the linearised Riccati equation, one sign.
double sensitivity(const Waves& k, double x) {
  using namespace moments;
  const double z = 2.0 * k.gamma * x, f = std::exp(-z), u = k.kappa + k.lambda * f;
  return k.kappa / u * ((k.kappa * rising(z) + k.lambda * f * falling(z)) / u) * (2.0 * k.gamma * x) * (k.lambda * x);
}

double log_laplace_by_mu(const Cell& c, const Waves& k, double sigma) {
  const double range = 2.0 * k.gamma * (c.a + c.d), unit = 1.0 / (sigma * sigma);
  if (range < 4.0) {  // the closed form below cancels; 16 Gauss nodes hold full accuracy here
    double total = 0.0;
    for (int i = 0; i < 8; ++i)
      total += weights[i] * (sensitivity(k, c.a + 0.5 * c.d * (1.0 + nodes[i])) +
                             sensitivity(k, c.a + 0.5 * c.d * (1.0 - nodes[i])));
    return 2.0 * unit * 0.5 * c.d * total;
  }
  const double f = std::exp(-2.0 * k.gamma * c.d), e = k.e;
  const double top = k.kappa + e * (k.lambda + f * (k.kappa + k.lambda * e)) -
                     2.0 * e / c.d * (1.0 + c.a * k.m) * -std::expm1(-2.0 * k.gamma * c.d);
  return k.lambda / (k.kappa + k.lambda * e) * (k.kappa / (k.kappa + k.lambda * e * f)) * (c.d / k.gamma * unit) * top;
}

double log_laplace_by_sigma(const Cell& c, const Waves& k, double sigma, double minus_log) {
  using namespace moments;
  const double l = k.lambda * c.d, n = k.kappa * c.d, near = k.m / k.gamma;
  const double twist = 2.0 * c.a * k.e * (near * k.m + k.gamma);  // a-terms, gamma' = -(m^2 + gamma^2)/(sigma gamma)
  const double lift = k.lambda / k.gamma * l * falling(l) +
                      std::exp(-l) * (twist * flat(n) + k.e * (k.kappa / k.gamma) * n * rising(n));
  const double fall = k.kappa * (k.lambda / k.gamma) * (1.0 + k.e) + k.lambda * twist;
  return -std::expm1(-minus_log) / sigma * (lift / growth(c, k) + fall / (k.kappa + k.lambda * k.e));
}

Gradient log_laplace_gradient_of(const Cell& c, double s, double mu, double sigma) {
  if (s == 0.0) return {0.0, 0.0};
  if (silent(mu, sigma)) return {inf, inf};
  if (sigma == 0.0) return {s * (c.d / mu) / mu, 0.0};
  const Waves k = waves_of(c, s, mu, sigma);
  const double bare = minus_log_laplace({c.a, c.d, 0.0}, s, mu, sigma);
  return {log_laplace_by_mu(c, k, sigma), log_laplace_by_sigma(c, k, sigma, bare)};
}

// w with C_v(w) = cv in [low, inf): Newton on 1/C_v^2, which is nearly linear for large w, inside a bracket.
double drift_number_for(double cv2, double rho, double low) {
  double high = std::max(1.0, 4.0 / cv2), w = std::max(2.0 / cv2 - 1.0, low);
  while (cv2_of(high, rho) > cv2) high *= 2.0;
  if (w > noise_free) return 2.0 / cv2;
  for (int i = 0; i < 200; ++i) {
    const Moments m = moments_of(w, rho);
    const double here = 2.0 * m.g2 / (m.g1 * m.g1), slope = -log_cv2_slope(w, m);
    (here > cv2 ? low : high) = w;
    double next = w - (1.0 - here / cv2) / slope;
    if (!(next > low && next < high)) next = 0.5 * (low + high);
    if (std::fabs(next - w) <= 4e-16 * std::max(1e-3 / (1.0 + rho), std::fabs(w))) return next;
    w = next;
  }
  return w;
}

double noise_of(const Cell& c, double sigma) { return sigma < no_noise * c.d ? 0.0 : sigma; }

template <class F>
void fill(const Cell& c, In mu, In sigma, Out out, F f) {
  same_size(mu.size(), sigma.size());
  same_size(mu.size(), out.size());
  for (std::size_t i = 0; i < mu.size(); ++i) out.data()[i] = f(mu.data()[i], noise_of(c, sigma.data()[i]));
}

template <class F>
void fill_gradient(const Cell& c, In mu, In sigma, Out by_mu, Out by_sigma, F f) {
  same_size(mu.size(), sigma.size());
  same_size(mu.size(), by_mu.size());
  same_size(mu.size(), by_sigma.size());
  for (std::size_t i = 0; i < mu.size(); ++i) {
    const Gradient g = f(mu.data()[i], noise_of(c, sigma.data()[i]));
    by_mu.data()[i] = g.by_mu;
    by_sigma.data()[i] = g.by_sigma;
  }
}

void pif_rate(double a, double d, double tau_ref, In mu, In sigma, Out out) {
  const Cell c{a, d, tau_ref};
  fill(c, mu, sigma, out, [&](double m, double g) { return rate_of(c, m, g); });
}

void pif_log_rate(double a, double d, double tau_ref, In mu, In sigma, Out out) {
  const Cell c{a, d, tau_ref};
  fill(c, mu, sigma, out, [&](double m, double g) { return log_rate_of(c, m, g); });
}

void pif_cv(double a, double d, double tau_ref, In mu, In sigma, Out out) {
  const Cell c{a, d, tau_ref};
  fill(c, mu, sigma, out, [&](double m, double g) { return cv_of(c, m, g); });
}

void pif_log_rate_gradient(double a, double d, double tau_ref, In mu, In sigma, Out by_mu, Out by_sigma) {
  const Cell c{a, d, tau_ref};
  fill_gradient(c, mu, sigma, by_mu, by_sigma, [&](double m, double g) { return log_rate_gradient_of(c, m, g); });
}

void pif_cv_gradient(double a, double d, double tau_ref, In mu, In sigma, Out by_mu, Out by_sigma) {
  const Cell c{a, d, tau_ref};
  fill_gradient(c, mu, sigma, by_mu, by_sigma, [&](double m, double g) { return cv_gradient_of(c, m, g); });
}

void pif_log_laplace(double a, double d, double tau_ref, In s, In mu, In sigma, Out out) {
  same_size(s.size(), mu.size());
  const Cell c{a, d, tau_ref};
  const double* at = s.data();
  fill(c, mu, sigma, out, [&](double m, double g) { return -minus_log_laplace(c, *at++, m, g); });
}

void pif_log_laplace_gradient(double a, double d, In s, In mu, In sigma, Out by_mu, Out by_sigma) {
  same_size(s.size(), mu.size());
  const Cell c{a, d, 0.0};
  const double* at = s.data();
  fill_gradient(c, mu, sigma, by_mu, by_sigma,
                [&](double m, double g) { return log_laplace_gradient_of(c, *at++, m, g); });
}

// C_v^2 as a function of the drift number w = 2 mu d/sigma^2, without refractory period.
void pif_cv_squared(double rho, In w, Out out) {
  same_size(w.size(), out.size());
  for (std::size_t i = 0; i < w.size(); ++i) out.data()[i] = cv2_of(w.data()[i], rho);
}

// Input for rate and C_v > 0 below the maximum (both without refractory period), which is reached at w = low.
void pif_input(double a, double d, double low, In rate, In cv, Out mu, Out sigma) {
  same_size(rate.size(), cv.size());
  same_size(rate.size(), mu.size());
  same_size(rate.size(), sigma.size());
  const double rho = a / d;
  for (std::size_t i = 0; i < rate.size(); ++i) {
    const double r = rate.data()[i], w = drift_number_for(cv.data()[i] * cv.data()[i], rho, low);
    const double wg = w > noise_free ? 1.0 : w * first(w, rho) * (w < 0.0 ? std::exp(-w * (1.0 + rho)) : 1.0);
    mu.data()[i] = r * d * wg;
    if (std::fabs(w) > 1.0) {
      sigma.data()[i] = std::sqrt(2.0 * mu.data()[i] * d / w);
    } else {
      sigma.data()[i] = d * std::sqrt(2.0 * r * first(w, rho) * (w < 0.0 ? std::exp(-w * (1.0 + rho)) : 1.0));
    }
  }
}

}  // namespace

void bind_pif(nb::module_& m) {
  m.def("pif_rate", &pif_rate, nb::arg("a"), nb::arg("d"), nb::arg("tau_ref"), nb::arg("mu"), nb::arg("sigma"),
        nb::arg("out"));
  m.def("pif_log_rate", &pif_log_rate, nb::arg("a"), nb::arg("d"), nb::arg("tau_ref"), nb::arg("mu"), nb::arg("sigma"),
        nb::arg("out"));
  m.def("pif_cv", &pif_cv, nb::arg("a"), nb::arg("d"), nb::arg("tau_ref"), nb::arg("mu"), nb::arg("sigma"),
        nb::arg("out"));
  m.def("pif_log_rate_gradient", &pif_log_rate_gradient, nb::arg("a"), nb::arg("d"), nb::arg("tau_ref"), nb::arg("mu"),
        nb::arg("sigma"), nb::arg("by_mu"), nb::arg("by_sigma"));
  m.def("pif_cv_gradient", &pif_cv_gradient, nb::arg("a"), nb::arg("d"), nb::arg("tau_ref"), nb::arg("mu"),
        nb::arg("sigma"), nb::arg("by_mu"), nb::arg("by_sigma"));
  m.def("pif_log_laplace", &pif_log_laplace, nb::arg("a"), nb::arg("d"), nb::arg("tau_ref"), nb::arg("s"),
        nb::arg("mu"), nb::arg("sigma"), nb::arg("out"));
  m.def("pif_log_laplace_gradient", &pif_log_laplace_gradient, nb::arg("a"), nb::arg("d"), nb::arg("s"), nb::arg("mu"),
        nb::arg("sigma"), nb::arg("by_mu"), nb::arg("by_sigma"));
  m.def("pif_cv_squared", &pif_cv_squared, nb::arg("rho"), nb::arg("w"), nb::arg("out"));
  m.def("pif_input", &pif_input, nb::arg("a"), nb::arg("d"), nb::arg("low"), nb::arg("rate"), nb::arg("cv"),
        nb::arg("mu"), nb::arg("sigma"));
}
