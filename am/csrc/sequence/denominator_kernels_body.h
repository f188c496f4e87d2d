// The kernels over vectors of SEQUENCE_VECTOR_BYTES, which each denominator_kernels_*.cc defines
// before it includes this once.
//
// Everything here has internal linkage and nothing of the standard library but pure functions is
// used: code that is compiled for one processor must not be merged by the linker with the same code
// for another. Sums have one order at every level, so the results are the same bits.
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "am/csrc/sequence/denominator_kernels.h"

namespace sequence {
namespace {

template <typename Real>
struct Vectors;

template <>
struct Vectors<float> {
  typedef float Type __attribute__((vector_size(SEQUENCE_VECTOR_BYTES)));
  typedef int32_t Ints __attribute__((vector_size(SEQUENCE_VECTOR_BYTES)));
};

template <>
struct Vectors<double> {
  typedef double Type __attribute__((vector_size(SEQUENCE_VECTOR_BYTES)));
};

// The numbers of all lanes, in as many vectors as they take.
template <typename Real>
struct Lanes {
  using Vector = typename Vectors<Real>::Type;
  static constexpr size_t kParts = kLanes * sizeof(Real) / sizeof(Vector);
  static constexpr size_t kPart = sizeof(Vector) / sizeof(Real);  // Lanes of a part.
  Vector part[kParts];
};

// Part by part: a copy of all at once would pass through memory.
template <typename Real>
inline void Load(const Real* from, Lanes<Real>& to) {
  for (size_t k = 0; k < Lanes<Real>::kParts; ++k) {
    __builtin_memcpy(&to.part[k], from + k * Lanes<Real>::kPart, sizeof(to.part[k]));
  }
}

template <typename Real>
inline void Store(const Lanes<Real>& from, Real* to) {
  for (size_t k = 0; k < Lanes<Real>::kParts; ++k) {
    __builtin_memcpy(to + k * Lanes<Real>::kPart, &from.part[k], sizeof(from.part[k]));
  }
}

template <typename Real>
inline void SetZero(Lanes<Real>& lanes) {
  for (auto& part : lanes.part) part = typename Lanes<Real>::Vector{};
}

// exp(x) for x <= 0: range reduction by powers of two and a polynomial (S. Moshier, Cephes, expf).
// Relative error below 3e-7; below -87 it is 0.
inline void Exp(Lanes<float>& lanes) {
  using Floats = Vectors<float>::Type;
  using Ints = Vectors<float>::Ints;
  constexpr float kNoFraction = 12582912.0f;  // 1.5 * 2^23: the sum has no room for a fraction.
  constexpr int32_t kNoFractionBits = 0x4B400000;
  for (Floats& part : lanes.part) {
    const Ints usable = part >= -87.0f;
    const Floats x = reinterpret_cast<Floats>(reinterpret_cast<Ints>(part) & usable);
    const Floats shifted = x * 1.44269504088896341f + kNoFraction;
    const Floats n = shifted - kNoFraction;
    const Floats r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    Floats p = 1.9875691500e-4f * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    const Floats fraction = r * r * p + r;
    const Ints exponent = reinterpret_cast<Ints>(shifted) - kNoFractionBits;
    const Floats scale = reinterpret_cast<Floats>((exponent + 127) << 23);
    part = reinterpret_cast<Floats>(reinterpret_cast<Ints>(scale * fraction + scale) & usable);
  }
}

inline void Exp(Lanes<double>& lanes) {
  double values[kLanes];
  Store(lanes, values);
  for (double& value : values) value = std::exp(value);
  Load(values, lanes);
}

constexpr float kBelowAll = 3e38f;  // Its negative is below any finite logit of use.

template <typename Real>
void Exponentiate(const Real* const rows[kLanes], size_t size, Real* outputs,
                  double log_scale[kLanes]) {
  Lanes<Real> top, fault;
  SetZero(fault);
  SetZero(top);
  for (auto& part : top.part) part -= kBelowAll;
  for (size_t s = 0; s < size; ++s) {
    Real values[kLanes];
    for (size_t lane = 0; lane < kLanes; ++lane) {
      values[lane] = rows[lane] == nullptr ? Real{0} : rows[lane][s];
    }
    Lanes<Real> x;
    Load(values, x);
    Store(x, outputs + s * kLanes);
    for (size_t k = 0; k < Lanes<Real>::kParts; ++k) {
      top.part[k] = x.part[k] > top.part[k] ? x.part[k] : top.part[k];
      fault.part[k] += x.part[k] - x.part[k];  // Not a number where a logit is not finite.
    }
  }
  Lanes<Real> present;
  Real marks[kLanes];
  for (size_t lane = 0; lane < kLanes; ++lane) marks[lane] = rows[lane] == nullptr ? Real{0} : Real{1};
  Load(marks, present);
  for (size_t s = 0; s < size; ++s) {
    Lanes<Real> x;
    Load(outputs + s * kLanes, x);
    for (size_t k = 0; k < Lanes<Real>::kParts; ++k) x.part[k] -= top.part[k];
    Exp(x);
    for (size_t k = 0; k < Lanes<Real>::kParts; ++k) x.part[k] *= present.part[k];
    Store(x, outputs + s * kLanes);
  }
  for (size_t k = 0; k < Lanes<Real>::kParts; ++k) top.part[k] += fault.part[k];
  Real tops[kLanes];
  Store(top, tops);
  for (size_t lane = 0; lane < kLanes; ++lane) log_scale[lane] += static_cast<double>(tops[lane]);
}

template <typename Real>
void Forward(const ArcsByState& incoming, const Real* before, const Real* outputs, Real* after,
             Real inverse[kLanes], double log_scale[kLanes]) {
  Lanes<Real> total;
  SetZero(total);
  for (size_t j = 0; j < incoming.states; ++j) {
    Lanes<Real> sum;
    SetZero(sum);
    for (uint32_t a = incoming.begin[j]; a < incoming.begin[j + 1]; ++a) {
      const Arc& arc = incoming.arcs[a];
      const Real prob = static_cast<Real>(arc.prob);
      Lanes<Real> alpha, x;
      Load(before + arc.state * kLanes, alpha);
      Load(outputs + arc.pdf * kLanes, x);
      for (size_t k = 0; k < Lanes<Real>::kParts; ++k) {
        sum.part[k] += alpha.part[k] * x.part[k] * prob;
      }
    }
    Store(sum, after + j * kLanes);
    for (size_t k = 0; k < Lanes<Real>::kParts; ++k) total.part[k] += sum.part[k];
  }
  Real totals[kLanes];
  Store(total, totals);
  for (size_t lane = 0; lane < kLanes; ++lane) {
    log_scale[lane] += std::log(static_cast<double>(totals[lane]));
    inverse[lane] = totals[lane] > 0 ? Real{1} / totals[lane] : Real{0};
  }
  Lanes<Real> factor;
  Load(inverse, factor);
  for (size_t j = 0; j < incoming.states; ++j) {
    Lanes<Real> alpha;
    Load(after + j * kLanes, alpha);
    for (size_t k = 0; k < Lanes<Real>::kParts; ++k) alpha.part[k] *= factor.part[k];
    Store(alpha, after + j * kLanes);
  }
}

template <typename Real>
void Leak(const Real* alpha, const float* occupancy, size_t states, Real leak, Real* leaked) {
  for (size_t i = 0; i < states; ++i) {
    const Real share = leak * static_cast<Real>(occupancy[i]);
    Lanes<Real> lanes;
    Load(alpha + i * kLanes, lanes);
    for (auto& part : lanes.part) part += share;
    Store(lanes, leaked + i * kLanes);
  }
}

template <typename Real>
void Backward(const ArcsByState& outgoing, const Real* leaked, const Real* outputs,
              const Real* after, const float* occupancy, Real leak, const Real inverse[kLanes],
              Real* before, Real* posteriors) {
  Lanes<Real> factor, from_leak;
  Load(inverse, factor);
  SetZero(from_leak);
  for (size_t i = 0; i < outgoing.states; ++i) {
    Lanes<Real> alpha, sum;
    Load(leaked + i * kLanes, alpha);
    SetZero(sum);
    for (size_t k = 0; k < Lanes<Real>::kParts; ++k) alpha.part[k] *= factor.part[k];
    for (uint32_t a = outgoing.begin[i]; a < outgoing.begin[i + 1]; ++a) {
      const Arc& arc = outgoing.arcs[a];
      const Real prob = static_cast<Real>(arc.prob);
      Lanes<Real> beta, x, gamma;
      Load(after + arc.state * kLanes, beta);
      Load(outputs + arc.pdf * kLanes, x);
      Load(posteriors + arc.pdf * kLanes, gamma);
      for (size_t k = 0; k < Lanes<Real>::kParts; ++k) {
        const auto term = beta.part[k] * x.part[k] * prob;
        sum.part[k] += term;
        gamma.part[k] += alpha.part[k] * term;
      }
      Store(gamma, posteriors + arc.pdf * kLanes);
    }
    const Real share = leak * static_cast<Real>(occupancy[i]);
    for (size_t k = 0; k < Lanes<Real>::kParts; ++k) {
      sum.part[k] *= factor.part[k];
      from_leak.part[k] += sum.part[k] * share;
    }
    Store(sum, before + i * kLanes);
  }
  for (size_t i = 0; i < outgoing.states; ++i) {
    Lanes<Real> beta;
    Load(before + i * kLanes, beta);
    for (size_t k = 0; k < Lanes<Real>::kParts; ++k) beta.part[k] += from_leak.part[k];
    Store(beta, before + i * kLanes);
  }
}

template <typename Real>
constexpr DenominatorKernels<Real> Table() {
  return {Exponentiate<Real>, Forward<Real>, Leak<Real>, Backward<Real>};
}

}  // namespace
}  // namespace sequence
