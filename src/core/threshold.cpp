// First-passage statistics of dv = (f(v) + mu) dt + sigma dW by threshold integration, for any drift f.
//
// With D = sigma^2/2 and g = f + mu, upward from the reflecting end v_low (backward Kolmogorov equations):
//   D u' + g u = 1               u(v_low) = 0      mean <T>   = INT u dv from reset to threshold, u = -d<T>/dv
//   D w' + g w = 2 D u^2         w(v_low) = 0      Var T      = INT w dv
//   D (rho' + rho^2) + g rho = s rho(v_low) = 0    log<e^-sT> = -INT rho dv
// u, w and rho stay positive, so nothing cancels, however small s is. Each step is Radau IIA collocation (8 nodes, order
// 15, L-stable: where the drift is steep u follows 1/g); rho = q/p with p' = q, D q' = s p - g q makes its step linear.
// u and w carry their own power of two: they may rise by e^1000 and more before the threshold.
// Derivatives by mu and D come from the variational equations, which share the matrices.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "arrays.hpp"
#include "clones.hpp"

namespace {

constexpr int N = 8;          // collocation nodes of a step
constexpr int DEGREE = 16;    // Chebyshev coefficients of a panel of the drift
constexpr int RECORD = 13;    // numbers returned per element
constexpr std::size_t FEW = 5000;  // steps after which the barrier is asked for before going on
using Vec = std::array<double, N>;
using Mat = std::array<Vec, N>;

enum Wanted { MOMENTS = 1, LAPLACE = 2, GRADIENTS = 4 };
enum Code { CONVERGED = 0, NOT_CONVERGED = 1, SILENT = 2, DEEP = 3 };

// Radau IIA on [0, 1]: nodes c, integration matrix a (a[N-1] are the weights), a^2, and the rows that give the two
// highest Legendre coefficients of nodal values.
struct Radau {
  Vec c, high, next;
  Mat a, a2;

  static void legendre(double x, std::array<double, N + 1>& p) {
    p[0] = 1.0;
    p[1] = x;
    for (int k = 1; k < N; ++k) p[k + 1] = ((2 * k + 1) * x * p[k] - k * p[k - 1]) / (k + 1);
  }

  // Roots of P_N - P_{N-1}, by bisection between sign changes; 1 is the last.
  static Vec roots() {
    auto value = [](double x) {
      std::array<double, N + 1> p;
      legendre(x, p);
      return p[N] - p[N - 1];
    };
    Vec x;
    int found = 0;
    constexpr int grid = 500;
    for (int i = 0; i < grid - 1 && found < N - 1; ++i) {
      double lo = -1.0 + 2.0 * i / grid, hi = -1.0 + 2.0 * (i + 1) / grid;
      if (value(lo) * value(hi) > 0.0) continue;
      const bool rising = value(lo) < 0.0;
      for (int k = 0; k < 60; ++k) {
        const double mid = 0.5 * (lo + hi);
        ((value(mid) < 0.0) == rising ? lo : hi) = mid;
      }
      x[found++] = 0.5 * (lo + hi);
    }
    x[N - 1] = 1.0;
    return x;
  }

  Radau() {
    const Vec x = roots();
    std::array<std::array<double, N + 1>, N> p;
    for (int i = 0; i < N; ++i) legendre(x[i], p[i]);
    for (int j = 0; j < N; ++j) {
      const double w = (1.0 + x[j]) / (N * N * p[j][N - 1] * p[j][N - 1]);
      c[j] = 0.5 * (1.0 + x[j]);
      high[j] = 0.5 * (2 * N - 1) * w * p[j][N - 1];
      next[j] = 0.5 * (2 * N - 3) * w * p[j][N - 2];
      for (int i = 0; i < N; ++i) {
        double sum = 1.0 + x[i];
        for (int k = 1; k < N; ++k) sum += p[j][k] * (p[i][k + 1] - p[i][k - 1]);
        a[i][j] = 0.25 * w * sum;
      }
    }
    for (int i = 0; i < N; ++i)
      for (int j = 0; j < N; ++j) {
        a2[i][j] = 0.0;
        for (int k = 0; k < N; ++k) a2[i][j] += a[i][k] * a[k][j];
      }
  }
};

const Radau R;

// LU with partial pivoting; rows are swapped in place and in `order`.
struct Lu {
  Mat m;
  std::array<int, N> order;

  EQ_INLINE void factor() {
    for (int i = 0; i < N; ++i) order[i] = i;
    for (int k = 0; k < N - 1; ++k) {
      int best = k;
      for (int i = k + 1; i < N; ++i)
        if (std::fabs(m[i][k]) > std::fabs(m[best][k])) best = i;
      if (best != k) {
        std::swap(m[k], m[best]);
        std::swap(order[k], order[best]);
      }
      const double inverse = 1.0 / m[k][k];
      for (int i = k + 1; i < N; ++i) {
        const double factor_ik = m[i][k] *= inverse;
        for (int j = k + 1; j < N; ++j) m[i][j] -= factor_ik * m[k][j];
      }
    }
  }

  EQ_INLINE Vec solve(const Vec& b) const {
    Vec y;
    for (int i = 0; i < N; ++i) {
      double sum = b[order[i]];
      for (int j = 0; j < i; ++j) sum -= m[i][j] * y[j];
      y[i] = sum;
    }
    for (int i = N - 1; i >= 0; --i) {
      for (int j = i + 1; j < N; ++j) y[i] -= m[i][j] * y[j];
      y[i] /= m[i][i];
    }
    return y;
  }
};

// scale * a * source + start: the right-hand side of y = start + scale * a (source - g y).
EQ_INLINE Vec integrated(const Vec& source, double scale, double start) {
  Vec b;
  for (int i = 0; i < N; ++i) {
    double sum = 0.0;
    for (int j = 0; j < N; ++j) sum += R.a[i][j] * source[j];
    b[i] = start + scale * sum;
  }
  return b;
}

EQ_INLINE double dot(const Vec& x, const Vec& y) {
  double sum = 0.0;
  for (int i = 0; i < N; ++i) sum += x[i] * y[i];
  return sum;
}

// How well a polynomial of the step resolves y: its two highest Legendre coefficients beside the largest value.
EQ_INLINE double roughness(const Vec& y) {
  double largest = 0.0;
  for (int i = 0; i < N; ++i) {
    if (!(y[i] > 0.0) || !std::isfinite(y[i])) return std::numeric_limits<double>::infinity();
    largest = std::max(largest, y[i]);
  }
  return (std::fabs(dot(R.high, y)) + std::fabs(dot(R.next, y))) / largest;
}

// value * 2^exponent, with derivatives by mu and D on the same scale.
struct Scaled {
  double value = 0.0, by_mu = 0.0, by_d = 0.0;
  int exponent = 0;

  void normalise() {
    if (value > 0.0 && std::isfinite(value)) shift(std::ilogb(value));
  }
  void shift(int by) {
    value = std::ldexp(value, -by);
    by_mu = std::ldexp(by_mu, -by);
    by_d = std::ldexp(by_d, -by);
    exponent += by;
  }
  void add(double v, double m, double d, int at) {
    if (value == 0.0) exponent = at;
    if (at > exponent) shift(at - exponent);
    const int by = at - exponent;
    value += std::ldexp(v, by);
    by_mu += std::ldexp(m, by);
    by_d += std::ldexp(d, by);
  }
  double log() const { return std::log(value) + exponent * 0.6931471805599453; }
};

struct Problem {
  const double* edges;
  const double* coefficients;
  std::size_t panels;
  double v_low, v_reset, mu, d, s;
  int wanted;
};

struct Step {
  double x, h;  // measured from v_low
  std::size_t panel;
};

struct State {
  Scaled u, w, mean, variance;
  double rho = 0.0, rho_mu = 0.0, rho_d = 0.0;
  double log_p = 0.0, log_p_mu = 0.0, log_p_d = 0.0;
};

EQ_INLINE Vec drift_at(const Problem& q, const Step& t) {
  const double lo = q.edges[t.panel], hi = q.edges[t.panel + 1];
  const double* c = q.coefficients + t.panel * DEGREE;
  const double offset = q.v_low - lo + t.x, scale = 2.0 / (hi - lo);
  Vec z, b1{}, b2{}, g;
  for (int i = 0; i < N; ++i) z[i] = scale * (offset + R.c[i] * t.h) - 1.0;
  for (int k = DEGREE - 1; k > 0; --k)
    for (int i = 0; i < N; ++i) {
      const double b = c[k] + 2.0 * z[i] * b1[i] - b2[i];
      b2[i] = b1[i];
      b1[i] = b;
    }
  for (int i = 0; i < N; ++i) g[i] = c[0] + z[i] * b1[i] - b2[i] + q.mu;
  return g;
}

// One step of u and w (and of their derivatives); returns how rough they are, infinite if the step is unusable.
EQ_INLINE double step_moments(const Problem& q, const Step& t, const Vec& g, bool counts, State& y) {
  const double z = t.h / q.d;
  Lu lu;
  for (int i = 0; i < N; ++i)
    for (int j = 0; j < N; ++j) lu.m[i][j] = (i == j) + z * R.a[i][j] * g[j];
  lu.factor();
  const double one = std::ldexp(1.0, -y.u.exponent);
  Vec source;
  source.fill(one);
  const Vec u = lu.solve(integrated(source, z, y.u.value));
  const double rough_u = roughness(u);
  if (!std::isfinite(rough_u)) return rough_u;
  const double square = std::ldexp(1.0, 2 * y.u.exponent - y.w.exponent);  // the scale of u^2 on that of w
  for (int i = 0; i < N; ++i) source[i] = 2.0 * square * u[i] * u[i];
  const Vec w = lu.solve(integrated(source, t.h, y.w.value));
  Vec u_mu{}, u_d{}, w_mu{}, w_d{};
  if (q.wanted & GRADIENTS) {
    for (int i = 0; i < N; ++i) source[i] = -u[i];
    u_mu = lu.solve(integrated(source, z, y.u.by_mu));
    for (int i = 0; i < N; ++i) source[i] = (g[i] * u[i] - one) / q.d;
    u_d = lu.solve(integrated(source, z, y.u.by_d));
    for (int i = 0; i < N; ++i) source[i] = 4.0 * square * u[i] * u_mu[i] * q.d - w[i];
    w_mu = lu.solve(integrated(source, z, y.w.by_mu));
    for (int i = 0; i < N; ++i) source[i] = 4.0 * square * u[i] * u_d[i] * q.d + g[i] * w[i] / q.d;
    w_d = lu.solve(integrated(source, z, y.w.by_d));
  }
  if (counts) {
    const Vec& b = R.a[N - 1];
    y.mean.add(t.h * dot(b, u), t.h * dot(b, u_mu), t.h * dot(b, u_d), y.u.exponent);
    y.variance.add(t.h * dot(b, w), t.h * dot(b, w_mu), t.h * dot(b, w_d), y.w.exponent);
  }
  y.u.value = u[N - 1], y.u.by_mu = u_mu[N - 1], y.u.by_d = u_d[N - 1];
  y.w.value = w[N - 1], y.w.by_mu = w_mu[N - 1], y.w.by_d = w_d[N - 1];
  y.u.normalise();
  y.w.normalise();
  return std::max(rough_u, roughness(w));
}

// One step of rho, as the linear system of (p, q) with p = 1 at the start of the step.
EQ_INLINE double step_laplace(const Problem& q, const Step& t, const Vec& g, bool counts, State& y) {
  const double z = t.h / q.d;
  Lu lu;
  for (int i = 0; i < N; ++i)
    for (int j = 0; j < N; ++j) lu.m[i][j] = (i == j) + z * (R.a[i][j] * g[j] - q.s * t.h * R.a2[i][j]);
  lu.factor();
  Vec start;
  for (int i = 0; i < N; ++i) start[i] = y.rho + z * q.s * R.c[i];
  const Vec slope = lu.solve(start);
  const double rough = roughness(slope);
  const Vec rise = integrated(slope, t.h, 0.0);
  if (!std::isfinite(rough) || !(rise[N - 1] < 20.0)) return std::numeric_limits<double>::infinity();
  Vec rho, source, rho_mu{}, rho_d{};
  for (int i = 0; i < N; ++i) rho[i] = slope[i] / (1.0 + rise[i]);
  if (q.wanted & GRADIENTS) {
    for (int i = 0; i < N; ++i)
      for (int j = 0; j < N; ++j) lu.m[i][j] = (i == j) + z * R.a[i][j] * (g[j] + 2.0 * q.d * rho[j]);
    lu.factor();
    for (int i = 0; i < N; ++i) source[i] = -rho[i];
    rho_mu = lu.solve(integrated(source, z, y.rho_mu));
    for (int i = 0; i < N; ++i) source[i] = (g[i] * rho[i] - q.s) / q.d;
    rho_d = lu.solve(integrated(source, z, y.rho_d));
  }
  if (counts) {
    y.log_p -= std::log1p(rise[N - 1]);
    y.log_p_mu -= t.h * dot(R.a[N - 1], rho_mu);
    y.log_p_d -= t.h * dot(R.a[N - 1], rho_d);
  }
  y.rho = rho[N - 1], y.rho_mu = rho_mu[N - 1], y.rho_d = rho_d[N - 1];
  return rough;
}

// Without noise u = 1/g, rho = s/g, and `variance` holds Var T/sigma^2 = INT g^-3 dv, its limit.
EQ_INLINE double step_noise_free(const Problem& q, const Step& t, const Vec& g, State& y) {
  Vec u, u2, u3;
  for (int i = 0; i < N; ++i) u[i] = 1.0 / g[i], u2[i] = u[i] * u[i], u3[i] = u2[i] * u[i];
  const Vec& b = R.a[N - 1];
  y.mean.add(t.h * dot(b, u), -t.h * dot(b, u2), 0.0, 0);
  y.variance.add(t.h * dot(b, u3), 0.0, 0.0, 0);
  y.log_p -= q.s * t.h * dot(b, u);
  y.log_p_mu += q.s * t.h * dot(b, u2);
  return std::max(roughness(u), roughness(u3));
}

EQ_CLONES double step(const Problem& q, const Step& t, State& y) {
  const Vec g = drift_at(q, t);
  const bool counts = t.x >= q.v_reset - q.v_low;  // reset is a panel edge, and measured as march measures edges
  if (q.d == 0.0) return step_noise_free(q, t, g, y);
  // Where u grows implicit steps would follow the unstable branch u = 1/g < 0; short steps cannot.
  if (-*std::min_element(g.begin(), g.end()) * t.h > 4.0 * q.d) return std::numeric_limits<double>::infinity();
  double rough = 0.0;
  if (q.wanted & MOMENTS) rough = step_moments(q, t, g, counts, y);
  if ((q.wanted & LAPLACE) && q.s > 0.0 && std::isfinite(rough)) rough = std::max(rough, step_laplace(q, t, g, counts, y));
  return rough;
}

// Upward with the step as long as the roughness allows; the steps taken go to `mesh`. False: too many were needed.
bool march(const Problem& q, double roughest, std::size_t most, std::vector<Step>& mesh, State& y) {
  mesh.clear();
  std::size_t panel = 0, tries = 0;
  while (q.edges[panel + 1] <= q.v_low) ++panel;
  double x = 0.0, h = std::numeric_limits<double>::infinity();
  for (; panel < q.panels; ++panel) {
    const double top = q.edges[panel + 1] - q.v_low;
    while (x < top) {
      if (++tries > most) return false;
      const bool last = h >= 0.99 * (top - x);
      const Step t{x, last ? top - x : h, panel};
      State trial = y;
      const double rough = step(q, t, trial);
      const double factor = 0.8 * std::pow(roughest / std::max(rough, 1e-300), 1.0 / (N - 1));
      if (!(rough <= roughest)) {
        h = t.h * std::min(std::max(factor, 0.2), 0.8);
        continue;
      }
      y = trial;
      mesh.push_back(t);
      x = last ? top : x + t.h;
      const double grown = t.h * std::min(factor, 5.0);
      h = last ? std::max(h, grown) : grown;  // a step cut short at a panel's end says little about the next
    }
  }
  return true;
}

// Each step of `mesh` cut in two.
bool march_halved(const Problem& q, const std::vector<Step>& mesh, State& y) {
  for (const Step& t : mesh) {
    const double half = 0.5 * t.h;
    if (!std::isfinite(step(q, {t.x, half, t.panel}, y))) return false;
    if (!std::isfinite(step(q, {t.x + half, half, t.panel}, y))) return false;
  }
  return true;
}

bool blocked(const Problem& q) {
  // Without noise a point of no upward drift is never passed. 65 points a panel see any zero that 16 coefficients make.
  for (std::size_t k = 0; k < q.panels; ++k) {
    if (q.edges[k + 1] <= q.v_low) continue;
    const double width = (q.edges[k + 1] - q.edges[k]) / 8.0;
    for (int piece = 0; piece < 8; ++piece) {
      const Vec g = drift_at(q, {q.edges[k] + piece * width - q.v_low, width, k});
      if (!(*std::min_element(g.begin(), g.end()) > 0.0)) return true;
    }
  }
  return false;
}

// The highest climb against the drift on the way to threshold, in units of the noise: <T> is of order exp(barrier).
double barrier(const Problem& q) {
  double phi = 0.0, highest = 0.0, climb = 0.0;
  for (std::size_t k = 0; k < q.panels; ++k) {
    if (q.edges[k + 1] <= q.v_low) continue;
    const double lo = std::max(q.edges[k], q.v_low), width = (q.edges[k + 1] - lo) / 8.0;
    for (int piece = 0; piece < 8; ++piece) {
      const Step t{lo + piece * width - q.v_low, width, k};
      const Vec rise = integrated(drift_at(q, t), width / q.d, phi);
      highest = std::max(highest, *std::max_element(rise.begin(), rise.end()));
      phi = rise[N - 1];
      if (t.x >= q.v_reset - q.v_low) climb = std::max(climb, highest - *std::min_element(rise.begin(), rise.end()));
    }
  }
  return climb;
}

void write(const Problem& q, const State& y, double* out) {
  const double sigma = std::sqrt(2.0 * q.d);
  out[0] = y.mean.log();
  out[1] = y.mean.by_mu / y.mean.value;
  out[2] = sigma * y.mean.by_d / y.mean.value;
  out[3] = y.variance.log();
  out[4] = y.variance.by_mu / y.variance.value;
  out[5] = sigma * y.variance.by_d / y.variance.value;
  out[6] = y.log_p;
  out[7] = y.log_p_mu;
  out[8] = sigma * y.log_p_d;
}

// A noise-free neuron that never fires: the limits of its statistics as sigma -> 0.
void write_silent(const Problem& q, double* out) {
  constexpr double inf = std::numeric_limits<double>::infinity();
  out[0] = out[3] = inf;
  out[1] = out[2] = out[4] = out[5] = -inf;
  out[6] = q.s > 0.0 ? -inf : 0.0;
  out[7] = out[8] = q.s > 0.0 ? inf : 0.0;
  out[9] = out[10] = out[11] = 0.0;
  out[12] = SILENT;
}

// A barrier beyond the steps allowed: firing is a Poisson process of rate exp(-barrier), to leading order.
void write_deep(double height, double* out) {
  out[0] = height;
  out[3] = 2.0 * height;
  out[12] = DEEP;
}

// Fine and coarse results, and their differences as the error: relative for mean, variance and log P_L.
void compare(const Problem& q, const State& fine, const State& coarse, double* out) {
  out[9] = out[10] = out[11] = 0.0;
  if (q.wanted & MOMENTS || q.d == 0.0) {
    out[9] = std::fabs(fine.mean.log() - coarse.mean.log());
    out[10] = std::fabs(fine.variance.log() - coarse.variance.log());
  }
  if (q.wanted & LAPLACE && fine.log_p != 0.0) out[11] = std::fabs(coarse.log_p / fine.log_p - 1.0);
}

void solve(const Problem& q, double tolerance, double roughest, std::size_t most, std::vector<Step>& mesh, double* out) {
  std::fill(out, out + RECORD, std::numeric_limits<double>::quiet_NaN());
  if (q.d == 0.0 && blocked(q)) return write_silent(q, out);
  out[12] = NOT_CONVERGED;
  for (int round = 0; round < 4; ++round, roughest *= 1e-2) {
    State coarse, fine;
    if (!march(q, roughest, std::min(most, FEW), mesh, coarse)) {
      const double height = barrier(q);
      if (height > static_cast<double>(most)) return write_deep(height, out);
      coarse = State();
      if (!march(q, roughest, most, mesh, coarse)) return;
    }
    if (!march_halved(q, mesh, fine)) continue;
    write(q, fine, out);
    compare(q, fine, coarse, out);
    if (std::max({out[9], out[10], out[11]}) <= tolerance) {
      out[12] = CONVERGED;
      return;
    }
  }
}

// Statistics of each element (mu, sigma, s); `out` takes RECORD numbers an element:
// log<T>, d/dmu, d/dsigma; log Var T, d/dmu, d/dsigma; log P_L, d/dmu, d/dsigma; errors of the three; code.
// Steps are first as long as a roughness `roughest` allows, shorter while fine and coarse differ by over `tolerance`.
void threshold_statistics(In edges, In coefficients, In v_low, double v_reset, In mu, In sigma, In s, int wanted,
                          double tolerance, double roughest, std::size_t most_steps, Out out) {
  const std::size_t n = mu.size(), panels = edges.size() - 1;
  same_size(coefficients.size(), panels * DEGREE);
  same_size(v_low.size(), n), same_size(sigma.size(), n), same_size(s.size(), n);
  same_size(out.size(), n * RECORD);
  nb::gil_scoped_release release;
  std::vector<Step> mesh;
  for (std::size_t i = 0; i < n; ++i) {
    const double d = 0.5 * sigma(i) * sigma(i);
    const Problem q{edges.data(), coefficients.data(), panels, v_low(i), v_reset, mu(i), d, s(i), wanted};
    solve(q, tolerance, roughest, most_steps, mesh, out.data() + i * RECORD);
  }
}

}  // namespace

void bind_threshold(nb::module_& m) {
  m.def("threshold_statistics", &threshold_statistics, nb::arg("edges"), nb::arg("coefficients"), nb::arg("v_low"),
        nb::arg("v_reset"), nb::arg("mu"), nb::arg("sigma"), nb::arg("s"), nb::arg("wanted"), nb::arg("tolerance"),
        nb::arg("roughest"), nb::arg("most_steps"), nb::arg("out"));
}
