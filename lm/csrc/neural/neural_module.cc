// The Python module of recurrent networks: a time step of a memory with heads, and its gradient.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstddef>
#include <initializer_list>
#include <string>

#include "data/csrc/arrays.h"
#include "lm/csrc/neural/memory_step.h"

namespace nb = nanobind;

namespace {

using arrays::Expect;

template <typename Real, size_t Dimensions>
using Array = nb::ndarray<Real, nb::ndim<Dimensions>, nb::c_contig, nb::device::cpu>;

template <typename A>
void ExpectShape(const A& array, std::initializer_list<size_t> shape, const char* name) {
  size_t dimension = 0;
  for (const size_t expected : shape) {
    const size_t found = array.shape(dimension);
    Expect(found == expected, std::string(name) + ": expected " + std::to_string(expected) +
                                  " in dimension " + std::to_string(dimension) + ", found " +
                                  std::to_string(found));
    ++dimension;
  }
}

template <typename Real>
lm::MemoryShape Shape(const Array<const Real, 2>& emitted, const Array<const Real, 3>& memory,
                      const Array<const Real, 3>& weighting, const Array<Real, 2>& tape,
                      size_t read_heads, size_t write_heads, size_t shift_range) {
  lm::MemoryShape shape;
  shape.batch = emitted.shape(0);
  shape.slots = memory.shape(1);
  shape.width = memory.shape(2);
  shape.read_heads = read_heads;
  shape.write_heads = write_heads;
  shape.shift_range = shift_range;
  Expect(shape.slots >= shape.shifts() && shape.width > 0 && shape.heads() > 0,
         "memory: expected rows and columns, and at least as many rows as shifts");
  ExpectShape(emitted, {shape.batch, shape.emitted()}, "emitted");
  ExpectShape(memory, {shape.batch, shape.slots, shape.width}, "memory");
  ExpectShape(weighting, {shape.batch, shape.heads(), shape.slots}, "weighting");
  ExpectShape(tape, {shape.batch, shape.tape()}, "tape");
  return shape;
}

template <typename Real>
void Forward(const Array<const Real, 2>& emitted, const Array<const Real, 3>& memory,
             const Array<const Real, 3>& weighting, size_t read_heads, size_t write_heads,
             size_t shift_range, const Array<Real, 3>& new_memory,
             const Array<Real, 3>& new_weighting, const Array<Real, 3>& read,
             const Array<Real, 2>& tape) {
  const lm::MemoryShape shape =
      Shape(emitted, memory, weighting, tape, read_heads, write_heads, shift_range);
  ExpectShape(new_memory, {shape.batch, shape.slots, shape.width}, "new memory");
  ExpectShape(new_weighting, {shape.batch, shape.heads(), shape.slots}, "new weighting");
  ExpectShape(read, {shape.batch, shape.read_heads, shape.width}, "read");
  nb::gil_scoped_release release;
  lm::StepForward<Real>(shape, {emitted.data(), memory.data(), weighting.data()},
                        {new_memory.data(), new_weighting.data(), read.data(), tape.data()});
}

template <typename Real>
void Backward(const Array<const Real, 2>& emitted, const Array<const Real, 3>& memory,
              const Array<const Real, 3>& weighting, size_t read_heads, size_t write_heads,
              size_t shift_range, const Array<const Real, 3>& new_memory,
              const Array<const Real, 3>& new_weighting, const Array<Real, 2>& tape,
              const Array<const Real, 3>& d_new_memory,
              const Array<const Real, 3>& d_new_weighting, const Array<const Real, 3>& d_read,
              const Array<Real, 2>& d_emitted, const Array<Real, 3>& d_memory,
              const Array<Real, 3>& d_weighting) {
  const lm::MemoryShape shape =
      Shape(emitted, memory, weighting, tape, read_heads, write_heads, shift_range);
  const std::initializer_list<size_t> rows = {shape.batch, shape.slots, shape.width};
  const std::initializer_list<size_t> heads = {shape.batch, shape.heads(), shape.slots};
  ExpectShape(new_memory, rows, "new memory");
  ExpectShape(new_weighting, heads, "new weighting");
  ExpectShape(d_new_memory, rows, "gradient of the new memory");
  ExpectShape(d_new_weighting, heads, "gradient of the new weighting");
  ExpectShape(d_read, {shape.batch, shape.read_heads, shape.width}, "gradient of what was read");
  ExpectShape(d_emitted, {shape.batch, shape.emitted()}, "gradient of emitted");
  ExpectShape(d_memory, rows, "gradient of the memory");
  ExpectShape(d_weighting, heads, "gradient of the weighting");
  nb::gil_scoped_release release;
  lm::StepBackward<Real>(shape, {emitted.data(), memory.data(), weighting.data()},
                         {new_memory.data(), new_weighting.data(), nullptr, tape.data()},
                         {d_new_memory.data(), d_new_weighting.data(), d_read.data()},
                         {d_emitted.data(), d_memory.data(), d_weighting.data()});
}

}  // namespace

NB_MODULE(_neural, m) {
  m.def("memory_step", &Forward<float>);
  m.def("memory_step", &Forward<double>);
  m.def("memory_step_gradient", &Backward<float>);
  m.def("memory_step_gradient", &Backward<double>);
}
