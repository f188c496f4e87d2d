// Sorts more fixed-size records than memory holds: sorted runs on disk, then a merge.
#ifndef LM_CSRC_EXTERNAL_SORT_H_
#define LM_CSRC_EXTERNAL_SORT_H_

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <future>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "lm/csrc/files/record_file.h"

namespace lm {

// Equal records stay apart.
struct NoCombine {};

// Merges sorted sources by a tree of losers: one comparison per level and record. Of equal records
// that of the earlier source comes first.
template <typename Record, typename Less>
class Merger {
 public:
  struct Source {
    const Record* next;  // what lies in memory
    const Record* end;
    std::unique_ptr<RecordReader<Record>> file;  // where more comes from; may be null
  };

  Merger(std::vector<Source> sources, Less less) : sources_(std::move(sources)), less_(less) {
    for (Source& source : sources_) {
      if (source.next == source.end) Refill(&source);
    }
    losers_.assign(std::max<size_t>(sources_.size(), 1), 0);
    if (sources_.size() > 1) losers_[0] = Play(1);
  }

  // The least record that is left; null at the end.
  const Record* Head() const { return sources_.empty() ? nullptr : HeadOf(losers_[0]); }

  // Goes on to the next.
  void Pop() {
    Source& source = sources_[losers_[0]];
    if (++source.next == source.end) Refill(&source);
    size_t winner = losers_[0];
    for (size_t node = (winner + sources_.size()) / 2; node > 0; node /= 2) {
      if (Before(losers_[node], winner)) std::swap(losers_[node], winner);
    }
    losers_[0] = winner;
  }

 private:
  // Leaves are nodes k .. 2k - 1; an inner node holds the loser of the match between its halves.
  size_t Play(size_t node) {
    if (node >= sources_.size()) return node - sources_.size();
    const size_t left = Play(2 * node);
    const size_t right = Play(2 * node + 1);
    const bool left_wins = Before(left, right);
    losers_[node] = left_wins ? right : left;
    return left_wins ? left : right;
  }

  static void Refill(Source* source) {
    if (source->file == nullptr) return;
    std::tie(source->next, source->end) = source->file->ReadBlock();
    if (source->next == source->end) source->file.reset();
  }

  const Record* HeadOf(size_t source) const {
    const Source& s = sources_[source];
    return s.next == s.end ? nullptr : s.next;
  }

  bool Before(size_t a, size_t b) const {
    const Record* x = HeadOf(a);
    const Record* y = HeadOf(b);
    if (x == nullptr || y == nullptr) return x != nullptr;
    if (less_(*x, *y)) return true;
    return a < b && !less_(*y, *x);
  }

  std::vector<Source> sources_;
  std::vector<size_t> losers_;  // [0] holds the winner
  Less less_;
};

// Add any number of records, Finish, then take them by Next, ascending.
//
// Less orders records. Combine, called as combine(Record* kept, const Record& equal), makes one of
// records that are equal by Less; it should be associative and commutative, since the order of the
// calls depends on memory and threads. With NoCombine equal records all come, in any order. So the
// result is the same for any memory and number of threads as long as records that Less does not
// tell apart can stand for each other.
//
// A full buffer is sorted in as many parts as there are threads, which are merged into a run: the
// file `directory`/`name`.N.run (renamed when it is whole), plain sorted records with equal ones
// combined. With more than one thread that happens in the background while the next buffer fills.
// Runs go when they have been merged or when the sorter is destroyed, unless kept.
//
// Errors of files are thrown as FileError. One thread calls the members.
template <typename Record, typename Less, typename Combine = NoCombine>
class ExternalSorter {
 public:
  static_assert(std::is_trivially_copyable_v<Record>, "records are moved as bytes");

  // The memory is an upper bound for buffers of records; at least one record each is held.
  ExternalSorter(std::string directory, std::string name, size_t memory_bytes, int threads,
                 Less less = Less(), Combine combine = Combine())
      : prefix_(std::move(directory) + "/" + std::move(name) + "."),
        memory_bytes_(memory_bytes),
        threads_(static_cast<size_t>(std::max(threads, 1))),
        capacity_(std::max<size_t>(memory_bytes / sizeof(Record) / (threads > 1 ? 2 : 1), 1)),
        less_(less),
        combine_(combine) {}

  ExternalSorter(const ExternalSorter&) = delete;
  ExternalSorter& operator=(const ExternalSorter&) = delete;

  ~ExternalSorter() {
    if (spilling_.valid()) spilling_.wait();
    merger_.reset();
    for (const Run& run : runs_) Remove(run);
  }

  void Add(const Record& record) {
    if (buffer_.size() == capacity_) Spill();
    if (buffer_.capacity() == 0) buffer_.reserve(capacity_);  // pages are taken as they fill
    buffer_.push_back(record);
  }

  // Writes what has been added as a run, even if the buffer is not full.
  void Spill() {
    WaitForSpill();
    if (buffer_.empty()) return;
    spilled_.swap(buffer_);
    buffer_.clear();
    const std::string path = NextPath();
    runs_.push_back({path, !keep_});
    if (threads_ > 1) {
      spilling_ = std::async(std::launch::async, [this, path] { WriteRun(path, &spilled_); });
    } else {
      WriteRun(path, &spilled_);
      spilled_.swap(buffer_);  // one buffer is enough
    }
  }

  // Runs that are sorted already and have equal records combined, such as those of an earlier
  // process. They stay where they are.
  void AdoptRuns(const std::vector<std::string>& paths) {
    for (const std::string& path : paths) runs_.push_back({path, false});
  }

  // The runs that are written from here on stay where they are: whoever calls this removes them.
  void KeepRuns() { keep_ = true; }

  // The runs that make up what has been spilled or adopted, until Finish. Waits until all are
  // whole.
  std::vector<std::string> runs() {
    WaitForSpill();
    std::vector<std::string> paths;
    for (const Run& run : runs_) paths.push_back(run.path);
    return paths;
  }

  // After the last Add. What was never spilled stays in memory.
  void Finish() {
    std::vector<typename Merging::Source> sources;
    if (runs_.empty() && !spilling_.valid()) {
      sources = SortParts(&buffer_);
    } else {
      Spill();
      WaitForSpill();
      Release(&buffer_);
      Release(&spilled_);
      while (runs_.size() > FanIn()) MergeFirstRuns();
      sources = Open(runs_.size());
    }
    merger_ = std::make_unique<Merging>(std::move(sources), less_);
  }

  // Takes the next record; false at the end, when memory and runs are given back.
  bool Next(Record* record) {
    if (merger_ == nullptr) return false;
    if (TakeFrom(merger_.get(), record)) return true;
    merger_.reset();
    Release(&buffer_);
    for (const Run& run : runs_) Remove(run);
    runs_.clear();
    return false;
  }

 private:
  using Merging = Merger<Record, Less>;

  struct Run {
    std::string path;
    bool remove;
  };

  // So few that no process runs out of open files.
  static constexpr size_t kMaxFanIn = 256;
  static constexpr size_t kMinReadBytes = size_t{1} << 18;

  static void Remove(const Run& run) {
    if (run.remove) std::remove(run.path.c_str());
  }

  static void Release(std::vector<Record>* records) { std::vector<Record>().swap(*records); }

  size_t FanIn() const {
    return std::clamp<size_t>(memory_bytes_ / kMinReadBytes, 2, kMaxFanIn);
  }

  std::string NextPath() { return prefix_ + std::to_string(next_run_++) + ".run"; }

  void WaitForSpill() {
    if (spilling_.valid()) spilling_.get();
  }

  // The buffer in sorted parts.
  std::vector<typename Merging::Source> SortParts(std::vector<Record>* records) const {
    constexpr size_t kLeast = size_t{1} << 14;  // records that are worth a thread
    const size_t size = records->size();
    const size_t parts = std::clamp<size_t>(size / kLeast, 1, threads_);
    std::vector<typename Merging::Source> sources;
    std::vector<std::future<void>> sorting;
    for (size_t part = 0; part < parts; ++part) {
      Record* first = records->data() + size * part / parts;
      Record* last = records->data() + size * (part + 1) / parts;
      sources.push_back({first, last, nullptr});
      const auto sort = [this, first, last] { std::sort(first, last, less_); };
      if (part + 1 < parts) {
        sorting.push_back(std::async(std::launch::async, sort));
      } else {
        sort();
      }
    }
    for (std::future<void>& done : sorting) done.get();
    return sources;
  }

  std::vector<typename Merging::Source> Open(size_t count) const {
    const size_t bytes = memory_bytes_ / std::max<size_t>(count, 1);
    std::vector<typename Merging::Source> sources;
    for (size_t i = 0; i < count; ++i) {
      auto reader = std::make_unique<RecordReader<Record>>(
          runs_[i].path, std::min(bytes, size_t{64} << 20));
      sources.push_back({nullptr, nullptr, std::move(reader)});
    }
    return sources;
  }

  void WriteRun(const std::string& path, std::vector<Record>* records) const {
    Merging merger(SortParts(records), less_);
    WriteMerged(path, &merger);
    records->clear();
  }

  void WriteMerged(const std::string& path, Merging* merger) const {
    const std::string temporary = path + ".tmp";
    try {
      RecordWriter<Record> writer(temporary);
      Record record;
      while (TakeFrom(merger, &record)) writer.Write(record);
      writer.Close();
      if (std::rename(temporary.c_str(), path.c_str()) != 0) throw FileError(path, errno);
    } catch (...) {
      std::remove(temporary.c_str());
      throw;
    }
  }

  // The first runs become one, which stands last.
  void MergeFirstRuns() {
    const size_t count = std::min(FanIn(), runs_.size() - FanIn() + 1);
    const std::string path = NextPath();
    {
      Merging merger(Open(count), less_);
      WriteMerged(path, &merger);
    }
    const auto end = runs_.begin() + static_cast<std::ptrdiff_t>(count);
    std::for_each(runs_.begin(), end, Remove);
    runs_.erase(runs_.begin(), end);
    runs_.push_back({path, true});
  }

  bool TakeFrom(Merging* merger, Record* record) const {
    const Record* head = merger->Head();
    if (head == nullptr) return false;
    *record = *head;
    merger->Pop();
    if constexpr (!std::is_same_v<Combine, NoCombine>) {
      while ((head = merger->Head()) != nullptr && !less_(*record, *head)) {
        combine_(record, *head);
        merger->Pop();
      }
    }
    return true;
  }

  const std::string prefix_;
  const size_t memory_bytes_;
  const size_t threads_;
  const size_t capacity_;  // of a buffer
  const Less less_;
  const Combine combine_;
  bool keep_ = false;
  std::vector<Record> buffer_;   // being filled
  std::vector<Record> spilled_;  // being written
  std::future<void> spilling_;
  std::vector<Run> runs_;
  size_t next_run_ = 0;
  std::unique_ptr<Merging> merger_;
};

}  // namespace lm

#endif  // LM_CSRC_EXTERNAL_SORT_H_
