// Sorts more fixed-size records than memory holds: sorted runs on disk, then a merge.
#ifndef LM_CSRC_FILES_EXTERNAL_SORT_H_
#define LM_CSRC_FILES_EXTERNAL_SORT_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "lm/csrc/files/background_task.h"
#include "lm/csrc/files/ngram_key.h"

namespace lm {

// What becomes of records with equal keys.
enum class EqualKeys {
  kKeep,       // all of them come, in any order
  kAddCounts,  // they become one, whose count is their sum (AddCounts)
};

template <int K>
class Merger;
template <int K>
struct MergeSource;

// Add any number of records, Finish, then take them by Next, ascending by key.
//
// The result is the same for any memory and number of threads, as long as records with equal keys
// can stand for each other.
//
// A full buffer is sorted in as many parts as there are threads, which are merged into a run: the
// file `directory`/`name`.N.run (renamed when it is whole), plain sorted records. With more than
// one thread that happens in the background while the next buffer fills. Runs are removed when
// they have been merged or when the sorter is destroyed, unless kept.
//
// Errors of files are thrown as FileError. One thread calls the members. The definitions are in
// external_sort.cc, which instantiates the class for keys of 1 to kMaxKeyParts integers.
template <int K>
class ExternalSorter {
 public:
  using Record = NgramRecord<K>;

  // The memory is an upper bound for buffers of records; at least one record each is held.
  ExternalSorter(const std::string& directory, const std::string& name, size_t memory_bytes,
                 int threads, EqualKeys equal_keys);

  ExternalSorter(const ExternalSorter&) = delete;
  ExternalSorter& operator=(const ExternalSorter&) = delete;

  ~ExternalSorter();

  void Add(const Record& record) {
    if (size_ == capacity_) Spill();
    if (buffer_ == nullptr) Allocate();
    buffer_[size_++] = record;
  }

  // Writes what has been added as a run, even if the buffer is not full.
  void Spill();

  // Runs that are sorted already, such as those of an earlier process. They stay where they are.
  void AdoptRuns(const std::vector<std::string>& paths);

  // The runs that are written from here on stay where they are: whoever calls this removes them.
  void KeepRuns() { keep_ = true; }

  // The runs that make up what has been spilled or adopted, until Finish. Waits until all are
  // whole.
  std::vector<std::string> runs();

  // After the last Add. What was never spilled stays in memory.
  void Finish();

  // Takes the next record; false at the end, when memory and runs are given back.
  bool Next(Record* record) {
    if (next_taken_ == taken_.size() && !Take()) return false;
    *record = taken_[next_taken_++];
    return true;
  }

 private:
  struct Run {
    std::string path;
    bool remove;
  };

  bool Take();
  void Allocate();
  std::string NextPath();
  std::vector<MergeSource<K>> SortParts(Record* records, size_t size) const;
  std::vector<MergeSource<K>> Open(size_t count) const;
  void WriteRun(const std::string& path, Record* records, size_t size) const;
  void WriteMerged(const std::string& path, Merger<K>* merger) const;
  void MergeFirstRuns();
  size_t FanIn() const;

  const std::string prefix_;
  const size_t memory_bytes_;
  const size_t threads_;
  const size_t capacity_;  // of a buffer
  const EqualKeys equal_keys_;
  bool keep_ = false;
  std::unique_ptr<Record[]> buffer_;  // being filled
  size_t size_ = 0;
  std::unique_ptr<Record[]> spilled_;  // being written
  BackgroundTask spilling_;
  std::vector<Run> runs_;
  size_t next_run_ = 0;
  std::unique_ptr<Merger<K>> merger_;
  std::vector<Record> taken_;  // from the merger, many at a time
  size_t next_taken_ = 0;
};

}  // namespace lm

#endif  // LM_CSRC_FILES_EXTERNAL_SORT_H_
