#include "lm/csrc/builder/compact_builder.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <stdexcept>

#include "lm/csrc/automaton/bit_array.h"
#include "lm/csrc/files/record_file.h"

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

// Writes fields end to end, as ReadBits finds them.
class BitWriter {
 public:
  explicit BitWriter(const std::string& path) : bytes_(path) {}

  // The value has no bits beyond the width, which is at most kMaxFieldBits.
  void Write(uint64_t value, uint64_t width) {
    pending_ |= value << filled_;
    filled_ += width;
    bits_ += width;
    for (; filled_ >= 8; filled_ -= 8, pending_ >>= 8) {
      bytes_.Write(static_cast<uint8_t>(pending_));
    }
  }

  uint64_t bits() const { return bits_; }

  void Close() {
    const uint64_t size = BytesForBits(bits_);
    for (; bytes_.count() < size; pending_ = 0) bytes_.Write(static_cast<uint8_t>(pending_));
    bytes_.Close();
  }

 private:
  RecordWriter<uint8_t> bytes_;
  uint64_t pending_ = 0;  // less than 8 bits between calls
  uint64_t filled_ = 0;
  uint64_t bits_ = 0;
};

// Writes RankedBits from the positions of the ones, which ascend.
class RankedBitWriter {
 public:
  RankedBitWriter(const std::string& path, uint64_t bits)
      : words_(path), num_blocks_(RankedBits::BlocksFor(bits)) {}

  void Set(uint64_t index) {
    PassBlocks(index / RankedBits::kBits);
    RankedBits::Set(block_, index % RankedBits::kBits);
    ++ones_;
  }

  void Close() {
    PassBlocks(num_blocks_);
    words_.Close();
  }

 private:
  void PassBlocks(uint64_t block) {
    for (; at_ < block; ++at_) {
      for (const uint64_t word : block_) words_.Write(word);
      std::fill(std::begin(block_), std::end(block_), 0);
      block_[0] = ones_;
    }
  }

  RecordWriter<uint64_t> words_;
  uint64_t num_blocks_;
  uint64_t block_[RankedBits::kWords] = {};
  uint64_t at_ = 0;
  uint64_t ones_ = 0;
};

class Packer {
 public:
  Packer(const Automaton& automaton, const ValueTable& log_probs, const ValueTable& backoffs,
         const std::string& directory)
      : automaton_(automaton),
        log_probs_(log_probs),
        backoffs_(backoffs),
        prefix_(directory + "/"),
        sizes_(Measure()) {}

  CompactParts::Sizes Run() const {
    PackArcs();
    PackRanges();
    PackStates();
    return sizes_;
  }

 private:
  bool HasEnd(uint32_t state) const { return !std::isnan(automaton_.explicit_final(state)); }

  uint64_t NumArcs(uint32_t state) const {
    return static_cast<uint64_t>(automaton_.end(state) - automaton_.begin(state)) + HasEnd(state);
  }

  CompactParts::Sizes Measure() const {
    CompactParts::Sizes sizes{};
    sizes.num_states = automaton_.num_states();
    sizes.num_words = automaton_.num_words();
    sizes.num_arcs = automaton_.num_arcs();
    for (uint32_t s = 0; s < automaton_.num_states(); ++s) sizes.num_arcs += HasEnd(s);
    sizes.word_bits = BitsFor(sizes.num_words);
    sizes.log_prob_bits = CodeBits(log_probs_, CompactAutomaton::kRawLogProbBits);
    sizes.backoff_bits = CodeBits(backoffs_, CompactAutomaton::kRawBackoffBits);
    sizes.state_bits = BitsFor(sizes.num_states - 1);
    return sizes;
  }

  void PackArcs() const {
    RecordWriter<float> unigrams(prefix_ + "unigrams");
    BitWriter arcs(prefix_ + "arcs");
    RankedBitWriter spells_state(prefix_ + "spells_state", sizes_.num_arcs);
    uint64_t index = 0;
    uint64_t spelled = Automaton::kStart + 1;
    const auto append = [&](uint32_t word, float log_prob) {
      if (index++ <= sizes_.num_words) return unigrams.Write(log_prob);
      arcs.Write(word, sizes_.word_bits);
      arcs.Write(Encode(log_prob, log_probs_, LowBits(CompactAutomaton::kRawLogProbBits)),
                 sizes_.log_prob_bits);
    };
    for (uint32_t s = 0; s < automaton_.num_states(); ++s) {
      for (const Arc* arc = automaton_.begin(s); arc != automaton_.end(s); ++arc) {
        // An arc that spells no state leads to one of a lower order, whose number is smaller.
        if (arc->next == spelled) {
          spells_state.Set(index);
          ++spelled;
        }
        append(arc->word, arc->log_prob);
      }
      if (HasEnd(s)) append(automaton_.num_words(), automaton_.explicit_final(s));
    }
    if (spelled != sizes_.num_states) {
      throw std::invalid_argument("automaton: expected states in the order of their arcs");
    }
    unigrams.Close();
    arcs.Close();
    spells_state.Close();
  }

  void PackRanges() const {
    constexpr uint64_t kBlock = CompactAutomaton::kStatesPerBlock;
    RecordWriter<uint64_t> first_arcs(prefix_ + "first_arcs");
    BitWriter offsets(prefix_ + "offsets");
    std::vector<uint64_t> ends;
    uint64_t first = 0;
    for (uint64_t block = 0; block < sizes_.num_states; block += kBlock) {
      ends.clear();
      uint64_t end = 0;
      const uint64_t last = std::min(block + kBlock, sizes_.num_states);
      for (uint64_t s = block; s < last; ++s) {
        end += NumArcs(static_cast<uint32_t>(s));
        ends.push_back(end);
      }
      const unsigned width = BitsFor(end);
      first_arcs.Write(first);
      first_arcs.Write(offsets.bits() << 6 | width);
      ends.resize(kBlock, 0);
      for (const uint64_t offset : ends) offsets.Write(offset, width);
      first += end;
    }
    first_arcs.Close();
    offsets.Close();
  }

  void PackStates() const {
    BitWriter states(prefix_ + "states");
    for (uint32_t s = 0; s < automaton_.num_states(); ++s) {
      states.Write(Encode(automaton_.backoff(s), backoffs_, LowBits(32)), sizes_.backoff_bits);
      states.Write(automaton_.backoff_state(s), sizes_.state_bits);
    }
    states.Close();
  }

  const Automaton& automaton_;
  const ValueTable& log_probs_;
  const ValueTable& backoffs_;
  const std::string prefix_;
  const CompactParts::Sizes sizes_;
};

}  // namespace

CompactParts::Sizes Pack(const Automaton& automaton, const ValueTable& log_probs,
                         const ValueTable& backoffs, const std::string& directory) {
  return Packer(automaton, log_probs, backoffs, directory).Run();
}

void Unpack(const CompactAutomaton& automaton, const std::string& directory) {
  RecordWriter<HistoryRecord> states(directory + "/states");
  RecordWriter<Arc> arcs(directory + "/arcs");
  RecordWriter<float> finals(directory + "/finals");
  for (uint32_t s = 0; s < automaton.num_states(); ++s) {
    states.Write({arcs.count(), automaton.backoff(s), automaton.backoff_state(s)});
    automaton.ForEachArc(s, [&arcs](const Arc& arc) { arcs.Write(arc); });
    finals.Write(automaton.explicit_final(s));
  }
  states.Write({arcs.count(), 0.0f, Automaton::kEmpty});
  states.Close();
  arcs.Close();
  finals.Close();
}

}  // namespace lm
