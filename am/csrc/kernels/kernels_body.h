// The kernels over the vectors of one level; included once by each kernels_*.cc, after the
// vectors_*.h that defines Floats, Ints, kLanes, kRows, kGroup, kOffset and their operations.
//
// Everything here has internal linkage and nothing of the standard library is used: code that is
// compiled for one processor must not be merged by the linker with the same code for another.
#include "am/csrc/kernels/kernels.h"

namespace inference {
namespace {

constexpr size_t kPanel = kPanelVectors * kLanes;

// exp(x) = scale * (1 + fraction), for x cut to [-87, 88]: range reduction by powers of two and a
// polynomial (S. Moshier, Cephes, expf).
struct ExpParts {
  Floats scale;
  Floats fraction;
};

inline ExpParts SplitExp(Floats x) {
  x = Min(Max(x, Set(-87.0f)), Set(88.0f));
  const Floats n = Round(Mul(x, Set(1.44269504088896341f)));
  Floats r = Fma(n, Set(-0.693359375f), x);
  r = Fma(n, Set(2.12194440e-4f), r);
  Floats p = Fma(Set(1.9875691500e-4f), r, Set(1.3981999507e-3f));
  p = Fma(p, r, Set(8.3334519073e-3f));
  p = Fma(p, r, Set(4.1665795894e-2f));
  p = Fma(p, r, Set(1.6666665459e-1f));
  p = Fma(p, r, Set(5.0000001201e-1f));
  return {PowerOfTwo(n), Fma(Mul(r, r), p, r)};
}

// Relative error below 2e-7.
inline Floats Exp(Floats x) {
  const ExpParts e = SplitExp(x);
  return Fma(e.scale, e.fraction, e.scale);
}

// Absolute error below 1e-7.
inline Floats Sigmoid(Floats x) {
  const Floats one = Set(1.0f);
  return Div(one, Add(one, Exp(Sub(Set(0.0f), x))));
}

// Relative error below 4e-7, near 0 too: exp(-2|x|) - 1 is made without taking 1 from nearly 1.
inline Floats Tanh(Floats x) {
  const ExpParts e = SplitExp(Mul(Set(-2.0f), Abs(x)));
  const Floats less = Fma(e.scale, e.fraction, Sub(e.scale, Set(1.0f)));
  return CopySign(Div(Sub(Set(0.0f), less), Add(Set(2.0f), less)), x);
}

// Products are summed in runs of so many, and the runs' sums are added up: rounding errors of a long
// chain grow with its length. This halves the posteriors' mean error and costs no time.
constexpr size_t kRun = 32;

// One panel of outputs of R rows.
template <int R>
inline void FloatTile(const float* weights, const FloatProduct& p, const float* x,
                      const float* initial, float* y) {
  for (size_t begin = 0; begin < p.inputs; begin += kRun) {
    const size_t end = begin + kRun < p.inputs ? begin + kRun : p.inputs;
    Floats sums[R][kPanelVectors];
    for (int r = 0; r < R; ++r) {
      for (size_t v = 0; v < kPanelVectors; ++v) sums[r][v] = Set(0.0f);
    }
    for (size_t k = begin; k < end; ++k) {
      Floats w[kPanelVectors];
      for (size_t v = 0; v < kPanelVectors; ++v) w[v] = Load(weights + k * kPanel + v * kLanes);
      for (int r = 0; r < R; ++r) {
        const Floats input = Set(x[r * p.x_stride + k]);
        for (size_t v = 0; v < kPanelVectors; ++v) sums[r][v] = Fma(w[v], input, sums[r][v]);
      }
    }
    for (int r = 0; r < R; ++r) {
      const float* const before = begin == 0 ? initial + r * p.initial_stride : y + r * p.y_stride;
      for (size_t v = 0; v < kPanelVectors; ++v) {
        Store(y + r * p.y_stride + v * kLanes, Add(Load(before + v * kLanes), sums[r][v]));
      }
    }
  }
}

struct Int8Panel {
  const int8_t* weights;
  const int32_t* start;
  const float* scales;
};

template <int R>
inline void Int8Tile(const Int8Panel& panel, const Int8Product& p, const uint32_t* x,
                     const float* x_scales, const float* initial, float* y) {
  Ints sums[R][kPanelVectors];
  for (int r = 0; r < R; ++r) {
    for (size_t v = 0; v < kPanelVectors; ++v) sums[r][v] = LoadInts(panel.start + v * kLanes);
  }
  for (size_t u = 0; u < p.units; ++u) {
    Ints w[kPanelVectors];
    for (size_t v = 0; v < kPanelVectors; ++v) {
      w[v] = LoadWeights(panel.weights + (u * kPanel + v * kLanes) * kGroup);
    }
    for (int r = 0; r < R; ++r) {
      const Ints input = SetUnit(x[r * p.x_stride + u]);
      for (size_t v = 0; v < kPanelVectors; ++v) sums[r][v] = Dot(sums[r][v], input, w[v]);
    }
  }
  for (int r = 0; r < R; ++r) {
    const Floats scale = Set(x_scales[r]);
    for (size_t v = 0; v < kPanelVectors; ++v) {
      const Floats factor = Mul(Load(panel.scales + v * kLanes), scale);
      const Floats before = Load(initial + r * p.initial_stride + v * kLanes);
      Store(y + r * p.y_stride + v * kLanes, Fma(ToFloats(sums[r][v]), factor, before));
    }
  }
}

// Rows are shared out evenly: 8 rows at most 6 at a time are 4 and 4.
inline size_t NextRows(size_t left) {
  const size_t tiles = (left + kRows - 1) / kRows;
  return (left + tiles - 1) / tiles;
}

inline void MultiplyFloat(const FloatProduct& p) {
  for (size_t panel = 0; panel < p.panels; ++panel) {
    const float* const weights = p.weights + panel * p.inputs * kPanel;
    const size_t at = panel * kPanel;
    for (size_t row = 0, count; row < p.rows; row += count) {
      count = NextRows(p.rows - row);
      const float* const x = p.x + row * p.x_stride;
      const float* const initial = p.initial + row * p.initial_stride + at;
      float* const y = p.y + row * p.y_stride + at;
      switch (count) {
        case 1: FloatTile<1>(weights, p, x, initial, y); break;
        case 2: FloatTile<2>(weights, p, x, initial, y); break;
        case 3: FloatTile<3>(weights, p, x, initial, y); break;
        default:
          // Tiles that would not fit into the registers are not compiled.
          if constexpr (kRows > 3) {
            switch (count) {
              case 4: FloatTile<4>(weights, p, x, initial, y); break;
              case 5: FloatTile<5>(weights, p, x, initial, y); break;
              default: FloatTile<6>(weights, p, x, initial, y); break;
            }
          }
      }
    }
  }
}

inline void MultiplyInt8(const Int8Product& p) {
  for (size_t panel = 0; panel < p.panels; ++panel) {
    const size_t at = panel * kPanel;
    const Int8Panel weights = {p.weights + at * p.units * kGroup, p.start + at, p.scales + at};
    for (size_t row = 0, count; row < p.rows; row += count) {
      count = NextRows(p.rows - row);
      const uint32_t* const x = p.x + row * p.x_stride;
      const float* const scales = p.x_scales + row;
      const float* const initial = p.initial + row * p.initial_stride + at;
      float* const y = p.y + row * p.y_stride + at;
      switch (count) {
        case 1: Int8Tile<1>(weights, p, x, scales, initial, y); break;
        case 2: Int8Tile<2>(weights, p, x, scales, initial, y); break;
        case 3: Int8Tile<3>(weights, p, x, scales, initial, y); break;
        default:
          if constexpr (kRows > 3) {
            switch (count) {
              case 4: Int8Tile<4>(weights, p, x, scales, initial, y); break;
              case 5: Int8Tile<5>(weights, p, x, scales, initial, y); break;
              default: Int8Tile<6>(weights, p, x, scales, initial, y); break;
            }
          }
      }
    }
  }
}

inline void StepCells(const CellStep& s) {
  const Floats high = Set(s.clip), low = Set(-s.clip);
  for (size_t panel = 0; panel < s.panels; ++panel) {
    const float* const gates = s.gates + panel * kPanel;
    const size_t at = panel * kLanes;
    const Floats before = Load(s.c + at);
    const Floats i = Sigmoid(Fma(Load(s.peep_i + at), before, Load(gates)));
    const Floats f = Sigmoid(Fma(Load(s.peep_f + at), before, Load(gates + kLanes)));
    const Floats g = Tanh(Load(gates + 2 * kLanes));
    const Floats c = Min(Max(Fma(f, before, Mul(i, g)), low), high);
    const Floats o = Sigmoid(Fma(Load(s.peep_o + at), c, Load(gates + 3 * kLanes)));
    Store(s.c + at, c);
    Store(s.m + at, Mul(o, Tanh(c)));
  }
}

inline void StepGru(const GruStep& s) {
  const Floats zero = Set(0.0f), clip = Set(s.clip);
  for (size_t i = 0; i < s.n; i += kLanes) {
    const Floats z = Sigmoid(Add(Load(s.sums + i), Load(s.before + i)));
    const Floats r = Sigmoid(Add(Load(s.sums + s.stride + i), Load(s.before + s.stride + i)));
    const size_t at = 2 * s.stride + i;
    const Floats sum = Fma(r, Load(s.before + at), Load(s.sums + at));
    const Floats candidate = s.tanh ? Tanh(sum) : Min(Max(sum, zero), clip);
    const Floats h = Load(s.h + i);
    Store(s.result + i, Fma(z, Sub(candidate, h), h));
  }
}

inline void Rectify(float* x, float limit, size_t n) {
  const Floats high = Set(limit);
  for (size_t i = 0; i < n; i += kLanes) {
    Store(x + i, Min(Max(Load(x + i), Set(0.0f)), high));
  }
}

inline void ApplySigmoid(float* x, size_t n) {
  for (size_t i = 0; i < n; i += kLanes) Store(x + i, Sigmoid(Load(x + i)));
}

inline void AddScaled(const float* x, float scale, float* y, size_t n) {
  const Floats factor = Set(scale);
  for (size_t i = 0; i < n; i += kLanes) Store(y + i, Fma(factor, Load(x + i), Load(y + i)));
}

inline void AddProducts(const float* w, const float* x, float* y, size_t n) {
  for (size_t i = 0; i < n; i += kLanes) Store(y + i, Fma(Load(w + i), Load(x + i), Load(y + i)));
}

inline void Quantise(const float* x, size_t n, uint32_t* units, float* scale) {
  Floats most = Set(0.0f);
  for (size_t i = 0; i < n; i += kLanes) most = Max(Abs(Load(x + i)), most);
  float lanes[kLanes];
  Store(lanes, most);
  float largest = 0.0f;
  for (size_t i = 0; i < kLanes; ++i) largest = lanes[i] > largest ? lanes[i] : largest;
  // So near to 0 the reciprocal would overflow; nothing of it would be heard either.
  const bool silent = largest < 1e-30f;
  *scale = silent ? 0.0f : largest / 127.0f;
  const Floats inverse = Set(silent ? 0.0f : 127.0f / largest);
  for (size_t i = 0; i < n; i += kLanes) StoreUnits(Mul(Load(x + i), inverse), units + i / kGroup);
}

inline void SumExp(const float* x, size_t n, float* largest, float* sum) {
  Floats most = Load(x);
  for (size_t i = kLanes; i < n; i += kLanes) most = Max(Load(x + i), most);
  float lanes[kLanes];
  Store(lanes, most);
  float top = lanes[0];
  for (size_t i = 1; i < kLanes; ++i) top = lanes[i] > top ? lanes[i] : top;
  Floats total = Set(0.0f);
  for (size_t i = 0; i < n; i += kLanes) total = Add(total, Exp(Sub(Load(x + i), Set(top))));
  Store(lanes, total);
  float whole = 0.0f;
  for (size_t i = 0; i < kLanes; ++i) whole += lanes[i];
  *largest = top;
  *sum = whole;
}

inline void Functions(const float* x, size_t n, float* exp, float* sigmoid, float* tanh) {
  for (size_t i = 0; i < n; i += kLanes) {
    Store(exp + i, Exp(Load(x + i)));
    Store(sigmoid + i, Sigmoid(Load(x + i)));
    Store(tanh + i, Tanh(Load(x + i)));
  }
}

constexpr Kernels Table(const char* level) {
  return {level,    kLanes,  kGroup,       kOffset,   MultiplyFloat, MultiplyInt8, StepCells,
          StepGru,  Rectify, ApplySigmoid, AddScaled, AddProducts,   Quantise,     SumExp,
          Functions};
}

}  // namespace
}  // namespace inference
