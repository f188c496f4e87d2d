#include "lm/csrc/compact_builder.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include "lm/csrc/bit_array.h"

namespace lm {

namespace {

// The code of a value: its bits, or the index of the table's nearest value.
uint64_t Encode(float value, const ValueTable& table, uint64_t raw_mask) {
  if (table.empty()) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    return bits & raw_mask;
  }
  const auto above = std::lower_bound(table.begin(), table.end(), value);
  if (above == table.begin()) return 0;
  if (above == table.end()) return table.size() - 1;
  const uint64_t index = static_cast<uint64_t>(above - table.begin());
  return value - table[index - 1] < table[index] - value ? index - 1 : index;
}

uint64_t CodeBits(const ValueTable& table, unsigned raw_bits) {
  return table.empty() ? raw_bits : BitsFor(table.size() - 1);
}

class Packer {
 public:
  Packer(const Automaton& automaton, const ValueTable& log_probs, const ValueTable& backoffs)
      : automaton_(automaton), log_probs_(log_probs), backoffs_(backoffs) {}

  CompactArrays Run() {
    Measure();
    PackArcs();
    PackRanges();
    PackStates();
    return std::move(result_);
  }

 private:
  bool HasEnd(uint32_t state) const { return !std::isnan(automaton_.explicit_final(state)); }

  uint64_t NumArcs(uint32_t state) const {
    return static_cast<uint64_t>(automaton_.end(state) - automaton_.begin(state)) + HasEnd(state);
  }

  void Measure() {
    CompactParts::Sizes& sizes = result_.sizes;
    sizes.num_states = automaton_.num_states();
    sizes.num_words = automaton_.num_words();
    sizes.num_arcs = automaton_.num_arcs();
    for (uint32_t s = 0; s < automaton_.num_states(); ++s) sizes.num_arcs += HasEnd(s);
    sizes.word_bits = BitsFor(sizes.num_words);
    sizes.log_prob_bits = CodeBits(log_probs_, CompactAutomaton::kRawLogProbBits);
    sizes.backoff_bits = CodeBits(backoffs_, CompactAutomaton::kRawBackoffBits);
    sizes.state_bits = BitsFor(sizes.num_states - 1);
  }

  void PackArcs() {
    const CompactParts::Sizes& sizes = result_.sizes;
    const uint64_t arc_bits = sizes.word_bits + sizes.log_prob_bits;
    const uint64_t blocks = RankedBits::BlocksFor(sizes.num_arcs);
    const uint64_t num_unigrams = sizes.num_words + 1;
    result_.arcs.resize(BytesForBits((sizes.num_arcs - num_unigrams) * arc_bits));
    result_.spells_state.resize(blocks * RankedBits::kWords);
    uint64_t index = 0;
    uint64_t spelled = 2;
    const auto append = [&](uint32_t word, float log_prob) {
      if (index < num_unigrams) {
        result_.unigrams.push_back(log_prob);
        ++index;
        return;
      }
      const uint64_t bit = (index++ - num_unigrams) * arc_bits;
      WriteBits(result_.arcs.data(), bit, word);
      WriteBits(result_.arcs.data(), bit + sizes.word_bits,
                Encode(log_prob, log_probs_, LowBits(CompactAutomaton::kRawLogProbBits)));
    };
    for (uint32_t s = 0; s < automaton_.num_states(); ++s) {
      for (const Arc* arc = automaton_.begin(s); arc != automaton_.end(s); ++arc) {
        // An arc that spells no state leads to one of a lower order, whose number is smaller.
        if (arc->next == spelled) {
          RankedBits::Set(result_.spells_state.data(), index);
          ++spelled;
        }
        append(arc->word, arc->log_prob);
      }
      if (HasEnd(s)) append(automaton_.num_words(), automaton_.explicit_final(s));
    }
    if (spelled != sizes.num_states) {
      throw std::invalid_argument("automaton: expected states in the order of their arcs");
    }
    RankedBits::Count(result_.spells_state.data(), blocks);
  }

  void PackRanges() {
    constexpr uint64_t kBlock = CompactAutomaton::kStatesPerBlock;
    const uint64_t num_states = result_.sizes.num_states;
    std::vector<uint64_t> ends;
    uint64_t first = 0;
    uint64_t bit = 0;
    for (uint64_t block = 0; block < num_states; block += kBlock) {
      ends.clear();
      uint64_t end = 0;
      const uint64_t last = std::min(block + kBlock, num_states);
      for (uint64_t s = block; s < last; ++s) {
        end += NumArcs(static_cast<uint32_t>(s));
        ends.push_back(end);
      }
      const unsigned width = BitsFor(end);
      result_.first_arcs.push_back(first);
      result_.first_arcs.push_back(bit << 6 | width);
      result_.offsets.resize(BytesForBits(bit + width * kBlock));
      for (uint64_t i = 0; i < ends.size(); ++i) {
        WriteBits(result_.offsets.data(), bit + i * width, ends[i]);
      }
      bit += width * kBlock;
      first += end;
    }
  }

  void PackStates() {
    const CompactParts::Sizes& sizes = result_.sizes;
    const uint64_t bits = sizes.backoff_bits + sizes.state_bits;
    result_.states.resize(BytesForBits(sizes.num_states * bits));
    for (uint32_t s = 0; s < automaton_.num_states(); ++s) {
      WriteBits(result_.states.data(), s * bits,
                Encode(automaton_.backoff(s), backoffs_, LowBits(32)));
      WriteBits(result_.states.data(), s * bits + sizes.backoff_bits, automaton_.backoff_state(s));
    }
  }

  const Automaton& automaton_;
  const ValueTable& log_probs_;
  const ValueTable& backoffs_;
  CompactArrays result_{};
};

}  // namespace

CompactArrays Pack(const Automaton& automaton, const ValueTable& log_probs,
                   const ValueTable& backoffs) {
  return Packer(automaton, log_probs, backoffs).Run();
}

}  // namespace lm
