#include "lm/csrc/neural/memory_step.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace lm {

namespace {

// The product of two lengths is at least so much, so that a row of zeros has similarity 0.
constexpr double kCosineFloor = 1e-8;

// A weight below it is taken for it where its logarithm is needed.
constexpr double kSmallestWeight = 1e-30;

template <typename Real>
Real Logistic(Real x) {
  return Real(1) / (Real(1) + std::exp(-x));
}

template <typename Real>
Real Softplus(Real x) {
  return std::max(x, Real(0)) + std::log1p(std::exp(-std::abs(x)));
}

template <typename Real>
Real Dot(const Real* a, const Real* b, size_t size) {
  Real sum = 0;
  for (size_t i = 0; i < size; ++i) sum += a[i] * b[i];
  return sum;
}

// y += factor * x
template <typename Real>
void AddTimes(Real factor, const Real* x, size_t size, Real* y) {
  for (size_t i = 0; i < size; ++i) y[i] += factor * x[i];
}

// In place: x is replaced by its softmax.
template <typename Real>
void Softmax(Real* x, size_t size) {
  const Real most = *std::max_element(x, x + size);
  Real sum = 0;
  for (size_t i = 0; i < size; ++i) sum += x[i] = std::exp(x[i] - most);
  const Real scale = Real(1) / sum;
  for (size_t i = 0; i < size; ++i) x[i] *= scale;
}

// In place: the gradient of a softmax's output y is replaced by that of its input.
template <typename Real>
void SoftmaxGradient(const Real* y, size_t size, Real* gradient) {
  const Real mean = Dot(y, gradient, size);
  for (size_t i = 0; i < size; ++i) gradient[i] = y[i] * (gradient[i] - mean);
}

// What the controller emits for the address of one head.
template <typename Real>
struct Address {
  Address(const MemoryShape& shape, Real* emitted)
      : key(emitted),
        shifts(key + shape.width),
        gate(shifts + shape.shifts()),
        strength(gate + 1),
        exponent(strength + 1) {}

  Real* key;
  Real* shifts;
  Real* gate;
  Real* strength;
  Real* exponent;
};

// What one head leaves on the tape.
template <typename Real>
struct HeadTape {
  HeadTape(const MemoryShape& shape, Real* tape, size_t head)
      : similarity(tape + 4 * shape.slots * head),
        content(similarity + shape.slots),
        gated(content + shape.slots),
        shifted(gated + shape.slots) {}

  Real* similarity;
  Real* content;
  Real* gated;
  Real* shifted;
};

// Equations 5 to 9 of one head.
template <typename Real>
void WeightingForward(const MemoryShape& shape, const Address<const Real>& address,
                      const Real* memory, const Real* lengths, const Real* previous,
                      const HeadTape<Real>& tape, Real* shifts, Real* weighting) {
  const size_t n = shape.slots, m = shape.width;
  const Real key_length = std::sqrt(Dot(address.key, address.key, m));
  const Real strength = Softplus(*address.strength);
  for (size_t i = 0; i < n; ++i) {
    const Real both = std::max(key_length * lengths[i], Real(kCosineFloor));
    tape.similarity[i] = Dot(address.key, memory + i * m, m) / both;
    tape.content[i] = strength * tape.similarity[i];
  }
  Softmax(tape.content, n);

  const Real gate = Logistic(*address.gate);
  for (size_t i = 0; i < n; ++i) {
    tape.gated[i] = gate * tape.content[i] + (Real(1) - gate) * previous[i];
  }

  std::copy_n(address.shifts, shape.shifts(), shifts);
  Softmax(shifts, shape.shifts());
  std::fill_n(tape.shifted, n, Real(0));
  for (size_t s = 0; s < shape.shifts(); ++s) {
    // Slot i + offset gets what slot i had.
    const size_t offset = (n + s - shape.shift_range) % n;
    AddTimes(shifts[s], tape.gated, n - offset, tape.shifted + offset);
    AddTimes(shifts[s], tape.gated + n - offset, offset, tape.shifted);
  }

  const Real exponent = Real(1) + Softplus(*address.exponent);
  for (size_t i = 0; i < n; ++i) {
    weighting[i] = exponent * std::log(std::max(tape.shifted[i], Real(kSmallestWeight)));
  }
  Softmax(weighting, n);
}

// The gradient of WeightingForward. `d_weighting` is used up; that of the memory is added to.
template <typename Real>
void WeightingBackward(const MemoryShape& shape, const Address<const Real>& address,
                       const Real* memory, const Real* lengths, const Real* previous,
                       const HeadTape<const Real>& tape, const Real* weighting, Real* shifts,
                       Real* d_weighting, Real* scratch, const Address<Real>& d_address,
                       Real* d_memory, Real* d_previous) {
  const size_t n = shape.slots, m = shape.width;
  SoftmaxGradient(weighting, n, d_weighting);
  const Real exponent = Real(1) + Softplus(*address.exponent);
  Real d_exponent = 0;
  Real* const d_shifted = d_weighting;
  for (size_t i = 0; i < n; ++i) {
    const Real shifted = std::max(tape.shifted[i], Real(kSmallestWeight));
    d_exponent += d_weighting[i] * std::log(shifted);
    const bool above = tape.shifted[i] >= Real(kSmallestWeight);
    d_shifted[i] = above ? exponent * d_weighting[i] / shifted : Real(0);
  }
  *d_address.exponent = d_exponent * Logistic(*address.exponent);

  std::copy_n(address.shifts, shape.shifts(), shifts);
  Softmax(shifts, shape.shifts());
  Real* const d_gated = scratch;
  std::fill_n(d_gated, n, Real(0));
  for (size_t s = 0; s < shape.shifts(); ++s) {
    const size_t offset = (n + s - shape.shift_range) % n;
    AddTimes(shifts[s], d_shifted + offset, n - offset, d_gated);
    AddTimes(shifts[s], d_shifted, offset, d_gated + n - offset);
    d_address.shifts[s] = Dot(d_shifted + offset, tape.gated, n - offset) +
                          Dot(d_shifted, tape.gated + n - offset, offset);
  }
  SoftmaxGradient(shifts, shape.shifts(), d_address.shifts);

  const Real gate = Logistic(*address.gate);
  Real d_gate = 0;
  Real* const d_content = d_weighting;
  for (size_t i = 0; i < n; ++i) {
    d_gate += d_gated[i] * (tape.content[i] - previous[i]);
    d_previous[i] = (Real(1) - gate) * d_gated[i];
    d_content[i] = gate * d_gated[i];
  }
  *d_address.gate = d_gate * gate * (Real(1) - gate);

  SoftmaxGradient(tape.content, n, d_content);
  *d_address.strength = Dot(d_content, tape.similarity, n) * Logistic(*address.strength);
  const Real strength = Softplus(*address.strength);
  const Real key_length = std::sqrt(Dot(address.key, address.key, m));
  std::fill_n(d_address.key, m, Real(0));
  Real key_share = 0;  // of the key itself in its gradient
  for (size_t i = 0; i < n; ++i) {
    const Real d_similarity = strength * d_content[i];
    const Real both = key_length * lengths[i];
    const bool above = both >= Real(kCosineFloor);
    const Real d_dot = d_similarity / std::max(both, Real(kCosineFloor));
    AddTimes(d_dot, memory + i * m, m, d_address.key);
    AddTimes(d_dot, address.key, m, d_memory + i * m);
    if (above) {
      const Real along = d_similarity * tape.similarity[i];
      key_share += along;
      AddTimes(-along / (lengths[i] * lengths[i]), memory + i * m, m, d_memory + i * m);
    }
  }
  if (key_share != Real(0)) {
    AddTimes(-key_share / (key_length * key_length), address.key, m, d_address.key);
  }
}

}  // namespace

template <typename Real>
void StepForward(const MemoryShape& shape, const StepInputs<Real>& in,
                 const StepOutputs<Real>& out) {
  const size_t n = shape.slots, m = shape.width, heads = shape.heads();
  std::vector<Real> shifts(shape.shifts()), erase(m);
  for (size_t b = 0; b < shape.batch; ++b) {
    const Real* const emitted = in.emitted + b * shape.emitted();
    const Real* const before = in.memory + b * n * m;
    Real* const after = out.memory + b * n * m;
    Real* const weighting = out.weighting + b * heads * n;
    Real* const lengths = out.tape + b * shape.tape();
    for (size_t i = 0; i < n; ++i) lengths[i] = std::sqrt(Dot(before + i * m, before + i * m, m));
    for (size_t h = 0; h < heads; ++h) {
      WeightingForward(shape, Address<const Real>(shape, emitted + h * shape.address()), before,
                       lengths, in.weighting + (b * heads + h) * n,
                       HeadTape<Real>(shape, lengths + n, h), shifts.data(), weighting + h * n);
    }

    const Real* const vectors = emitted + heads * shape.address();
    const Real* const writing = weighting + shape.read_heads * n;
    std::copy_n(before, n * m, after);
    for (size_t h = 0; h < shape.write_heads; ++h) {  // equation 3
      for (size_t j = 0; j < m; ++j) erase[j] = Logistic(vectors[2 * h * m + j]);
      for (size_t i = 0; i < n; ++i) {
        const Real weight = writing[h * n + i];
        for (size_t j = 0; j < m; ++j) after[i * m + j] *= Real(1) - weight * erase[j];
      }
    }
    for (size_t h = 0; h < shape.write_heads; ++h) {  // equation 4
      const Real* const add = vectors + (2 * h + 1) * m;
      for (size_t i = 0; i < n; ++i) AddTimes(writing[h * n + i], add, m, after + i * m);
    }

    Real* const read = out.read + b * shape.read_heads * m;
    std::fill_n(read, shape.read_heads * m, Real(0));
    for (size_t h = 0; h < shape.read_heads; ++h) {  // equation 2
      for (size_t i = 0; i < n; ++i) {
        AddTimes(weighting[h * n + i], after + i * m, m, read + h * m);
      }
    }
  }
}

template <typename Real>
void StepBackward(const MemoryShape& shape, const StepInputs<Real>& in,
                  const StepOutputs<const Real>& out, const OutputGradients<Real>& d_out,
                  const InputGradients<Real>& d_in) {
  const size_t n = shape.slots, m = shape.width, heads = shape.heads();
  const size_t writers = shape.write_heads;
  std::vector<Real> shifts(shape.shifts()), scratch(std::max(n, m));
  std::vector<Real> d_weighting(heads * n), d_after(m);
  std::vector<Real> erase(writers * m), d_erase(writers * m), kept((writers + 1) * m);
  for (size_t b = 0; b < shape.batch; ++b) {
    const Real* const emitted = in.emitted + b * shape.emitted();
    Real* const d_emitted = d_in.emitted + b * shape.emitted();
    const Real* const before = in.memory + b * n * m;
    const Real* const after = out.memory + b * n * m;
    Real* const d_memory = d_in.memory + b * n * m;
    const Real* const weighting = out.weighting + b * heads * n;
    const Real* const writing = weighting + shape.read_heads * n;
    const Real* const lengths = out.tape + b * shape.tape();
    const Real* const d_read = d_out.read + b * shape.read_heads * m;
    const Real* const vectors = emitted + heads * shape.address();
    Real* const d_vectors = d_emitted + heads * shape.address();

    std::copy_n(d_out.weighting + b * heads * n, heads * n, d_weighting.data());
    Real* const d_writing = d_weighting.data() + shape.read_heads * n;
    for (size_t h = 0; h < writers; ++h) {
      for (size_t j = 0; j < m; ++j) erase[h * m + j] = Logistic(vectors[2 * h * m + j]);
    }
    std::fill(d_erase.begin(), d_erase.end(), Real(0));
    std::fill_n(d_vectors, 2 * writers * m, Real(0));
    for (size_t i = 0; i < n; ++i) {
      std::copy_n(d_out.memory + (b * n + i) * m, m, d_after.data());
      for (size_t h = 0; h < shape.read_heads; ++h) {
        d_weighting[h * n + i] += Dot(after + i * m, d_read + h * m, m);
        AddTimes(weighting[h * n + i], d_read + h * m, m, d_after.data());
      }
      // What the heads from h on leave of the row: the product of 1 - weight * erase.
      std::fill_n(kept.data() + writers * m, m, Real(1));
      for (size_t h = writers; h-- > 0;) {
        const Real weight = writing[h * n + i];
        for (size_t j = 0; j < m; ++j) {
          kept[h * m + j] = kept[(h + 1) * m + j] * (Real(1) - weight * erase[h * m + j]);
        }
      }
      for (size_t j = 0; j < m; ++j) d_memory[i * m + j] = d_after[j] * kept[j];
      // From here on, scratch[j] is the gradient times what the heads before h leave of the row.
      Real* const before_head = scratch.data();
      for (size_t h = 0; h < writers; ++h) {
        const Real* const add = vectors + (2 * h + 1) * m;
        d_writing[h * n + i] += Dot(d_after.data(), add, m);
        AddTimes(writing[h * n + i], d_after.data(), m, d_vectors + (2 * h + 1) * m);
      }
      for (size_t j = 0; j < m; ++j) before_head[j] = d_after[j] * before[i * m + j];
      for (size_t h = 0; h < writers; ++h) {
        const Real weight = writing[h * n + i];
        Real d_weight = 0;
        for (size_t j = 0; j < m; ++j) {
          const Real others = before_head[j] * kept[(h + 1) * m + j];
          d_weight -= others * erase[h * m + j];
          d_erase[h * m + j] -= others * weight;
          before_head[j] *= Real(1) - weight * erase[h * m + j];
        }
        d_writing[h * n + i] += d_weight;
      }
    }
    for (size_t h = 0; h < writers; ++h) {
      for (size_t j = 0; j < m; ++j) {
        const Real e = erase[h * m + j];
        d_vectors[2 * h * m + j] = d_erase[h * m + j] * e * (Real(1) - e);
      }
    }
    for (size_t h = 0; h < heads; ++h) {
      WeightingBackward(shape, Address<const Real>(shape, emitted + h * shape.address()), before,
                        lengths, in.weighting + (b * heads + h) * n,
                        HeadTape<const Real>(shape, lengths + n, h), weighting + h * n,
                        shifts.data(), d_weighting.data() + h * n, scratch.data(),
                        Address<Real>(shape, d_emitted + h * shape.address()), d_memory,
                        d_in.weighting + (b * heads + h) * n);
    }
  }
}

template void StepForward(const MemoryShape&, const StepInputs<float>&, const StepOutputs<float>&);
template void StepForward(const MemoryShape&, const StepInputs<double>&,
                          const StepOutputs<double>&);
template void StepBackward(const MemoryShape&, const StepInputs<float>&,
                           const StepOutputs<const float>&, const OutputGradients<float>&,
                           const InputGradients<float>&);
template void StepBackward(const MemoryShape&, const StepInputs<double>&,
                           const StepOutputs<const double>&, const OutputGradients<double>&,
                           const InputGradients<double>&);

}  // namespace lm
