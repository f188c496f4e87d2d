#include "decoding/csrc/on_the_fly/phrases.h"

#include <algorithm>
#include <cmath>

namespace decoding {

Phrases::Phrases(const uint32_t* words, const size_t* offsets, const float* bonuses, size_t count)
    : failures_(1, kRoot), worth_(1, 0.0f), advance_(1, 0.0f) {
  std::vector<uint32_t> parents{kRoot};
  std::vector<uint32_t> last_words{0};
  std::vector<uint32_t> depths{0};
  for (size_t phrase = 0; phrase < count; ++phrase) {
    uint32_t node = kRoot;
    const size_t length = offsets[phrase + 1] - offsets[phrase];
    for (size_t i = 0; i < length; ++i) {
      const uint32_t word = words[offsets[phrase] + i];
      const auto [child, is_new] =
          children_.try_emplace(Key(node, word), static_cast<uint32_t>(parents.size()));
      if (is_new) {
        parents.push_back(node);
        last_words.push_back(word);
        depths.push_back(depths[node] + 1);
        failures_.push_back(kRoot);
        worth_.push_back(0.0f);
        advance_.push_back(0.0f);
      }
      node = child->second;
      if (i + 1 == length) {
        worth_[node] += bonuses[phrase];
        continue;
      }
      const float share =
          bonuses[phrase] * static_cast<float>(i + 1) / static_cast<float>(length);
      if (std::abs(share) > std::abs(advance_[node])) advance_[node] = share;
    }
  }
  // Shorter ones first: what a node fails to is shorter than it.
  std::vector<uint32_t> order(parents.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<uint32_t>(i);
  std::stable_sort(order.begin(), order.end(),
                   [&](uint32_t a, uint32_t b) { return depths[a] < depths[b]; });
  for (const uint32_t node : order) {
    if (depths[node] < 2) continue;
    uint32_t at = parents[node];
    do {
      at = failures_[at];
      const auto child = children_.find(Key(at, last_words[node]));
      if (child != children_.end()) {
        failures_[node] = child->second;
        break;
      }
    } while (at != kRoot);
    const uint32_t shorter = failures_[node];
    worth_[node] += worth_[shorter];
    // A shorter end of the words may promise more than a longer one.
    if (std::abs(advance_[shorter]) > std::abs(advance_[node])) advance_[node] = advance_[shorter];
  }
}

}  // namespace decoding
