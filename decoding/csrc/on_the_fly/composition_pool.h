// Compositions that searches use in turn.
#ifndef DECODING_CSRC_ON_THE_FLY_COMPOSITION_POOL_H_
#define DECODING_CSRC_ON_THE_FLY_COMPOSITION_POOL_H_

#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "decoding/csrc/on_the_fly/composition.h"
#include "decoding/csrc/on_the_fly/phrase_histories.h"

namespace decoding {

// As many compositions as searches were ever at work at the same time. What one search has made a
// composition remember spares the next one the work, and searches that wait for scores hold none.
class CompositionPool {
 public:
  // Arguments are those of Composition. phrases: with a bonus, or nullptr. Graph, classes and
  // phrases must outlive this.
  CompositionPool(const HclGraph& graph, const LookAheadClasses& classes,
                  const ArcWords& lm_arc_words, const ArcWords& epsilon_words, bool epsilon,
                  size_t max_bytes, const Phrases* phrases)
      : graph_(graph),
        classes_(classes),
        lm_arc_words_(lm_arc_words),
        epsilon_words_(epsilon_words),
        epsilon_(epsilon),
        max_bytes_(max_bytes),
        histories_(phrases == nullptr ? nullptr
                                      : std::make_unique<PhraseHistories>(
                                            *phrases, classes.automaton().num_states())) {}

  // The one that was given back last, whose memory is the likeliest to be in a processor's cache.
  std::unique_ptr<Composition> Take() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!idle_.empty()) {
        std::unique_ptr<Composition> composition = std::move(idle_.back());
        idle_.pop_back();
        return composition;
      }
    }
    return std::make_unique<Composition>(graph_, classes_, lm_arc_words_, epsilon_words_, epsilon_,
                                         max_bytes_, histories_.get());
  }

  void GiveBack(std::unique_ptr<Composition> composition) {
    const std::lock_guard<std::mutex> lock(mutex_);
    idle_.push_back(std::move(composition));
  }

  const HclGraph& graph() const { return graph_; }

 private:
  const HclGraph& graph_;
  const LookAheadClasses& classes_;
  const ArcWords& lm_arc_words_;
  const ArcWords& epsilon_words_;
  const bool epsilon_;
  const size_t max_bytes_;
  const std::unique_ptr<PhraseHistories> histories_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Composition>> idle_;
};

}  // namespace decoding

#endif  // DECODING_CSRC_ON_THE_FLY_COMPOSITION_POOL_H_
