// One time step of the heads and the memory of a Neural Turing Machine, and its gradient.
//
// Equations are those of Graves, Wayne and Danihelka 2014, section 3; the order in which a step
// takes them is that of recognizer.lm.neural.ntm. All arrays are contiguous; real numbers are
// float or double.
#ifndef LM_CSRC_NEURAL_MEMORY_STEP_H_
#define LM_CSRC_NEURAL_MEMORY_STEP_H_

#include <cstddef>

namespace lm {

struct MemoryShape {
  size_t batch = 0;
  size_t slots = 0;        // N, rows of the memory
  size_t width = 0;        // M, numbers in a row
  size_t read_heads = 0;   // R
  size_t write_heads = 0;  // W
  size_t shift_range = 0;  // a head moves by at most so many slots to either side

  size_t heads() const { return read_heads + write_heads; }
  size_t shifts() const { return 2 * shift_range + 1; }
  // What the controller emits for the address of one head: key, shifts, gate, strength, exponent.
  size_t address() const { return width + shifts() + 3; }
  // Addresses of all heads, then erase and add vectors of each writing head.
  size_t emitted() const { return heads() * address() + 2 * write_heads * width; }
  // What the forward step leaves for the gradient, for each sequence: lengths of the rows, and of
  // each head similarity, content weighting, interpolated and shifted weighting.
  size_t tape() const { return slots * (1 + 4 * heads()); }
};

// What goes into a step: emitted [B, E], memory [B, N, M], weighting [B, H, N].
template <typename Real>
struct StepInputs {
  const Real* emitted;
  const Real* memory;
  const Real* weighting;
};

// What comes out: memory [B, N, M], weighting [B, H, N], read [B, R, M], tape [B, T].
template <typename Real>
struct StepOutputs {
  Real* memory;
  Real* weighting;
  Real* read;
  Real* tape;
};

// Gradients of the outputs, in the shapes of the outputs.
template <typename Real>
struct OutputGradients {
  const Real* memory;
  const Real* weighting;
  const Real* read;
};

// Gradients of the inputs, in the shapes of the inputs; they are overwritten.
template <typename Real>
struct InputGradients {
  Real* emitted;
  Real* memory;
  Real* weighting;
};

template <typename Real>
void StepForward(const MemoryShape& shape, const StepInputs<Real>& in,
                 const StepOutputs<Real>& out);

// `out` is what StepForward made of `in`.
template <typename Real>
void StepBackward(const MemoryShape& shape, const StepInputs<Real>& in,
                  const StepOutputs<const Real>& out, const OutputGradients<Real>& d_out,
                  const InputGradients<Real>& d_in);

}  // namespace lm

#endif  // LM_CSRC_NEURAL_MEMORY_STEP_H_
