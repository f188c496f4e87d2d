#include "lm/csrc/files/external_sort.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <utility>

#include "lm/csrc/files/record_file.h"

namespace lm {
namespace {

// So few that no process runs out of open files.
constexpr size_t kMaxFanIn = 256;
constexpr size_t kMinReadBytes = size_t{1} << 18;
// Records that are worth a thread.
constexpr size_t kLeastPerThread = size_t{1} << 14;
// Records that the merger gives at once, for a loop that the compiler can keep in registers.
constexpr size_t kTakenAtOnce = 512;

}  // namespace

// Sorted records: those that lie in memory, and the file, if any, that more come from.
template <int K>
struct MergeSource {
  const NgramRecord<K>* next;
  const NgramRecord<K>* end;
  std::unique_ptr<RecordReader<NgramRecord<K>>> file;
};

// Merges sorted sources by a tree of losers: one comparison per level and record. Of equal records
// that of the earlier source comes first.
template <int K>
class Merger {
 public:
  using Record = NgramRecord<K>;
  using Source = MergeSource<K>;

  explicit Merger(std::vector<Source> sources) : sources_(std::move(sources)) {
    for (Source& source : sources_) {
      if (source.next == source.end) Refill(&source);
    }
    losers_.assign(std::max<size_t>(sources_.size(), 1), 0);
    if (sources_.size() > 1) losers_[0] = Play(1);
  }

  // The least record that is left; null at the end.
  const Record* Head() const { return sources_.empty() ? nullptr : HeadOf(losers_[0]); }

  // Goes on to the next. In the loops over millions of records, a call would take as long as this.
  [[gnu::always_inline]] void Pop() {
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
    const auto [next, end] = source->file->ReadBlock();
    source->next = next;
    source->end = end;
    if (next == end) source->file.reset();
  }

  const Record* HeadOf(size_t source) const {
    const Source& s = sources_[source];
    return s.next == s.end ? nullptr : s.next;
  }

  bool Before(size_t a, size_t b) const {
    const Record* x = HeadOf(a);
    const Record* y = HeadOf(b);
    if (x == nullptr || y == nullptr) return x != nullptr;
    if (x->key < y->key) return true;
    return a < b && !(y->key < x->key);
  }

  std::vector<Source> sources_;
  std::vector<size_t> losers_;  // [0] holds the winner
};

// Takes the next record; false at the end. What becomes of equal keys is known when this is compiled,
// and the function inlined: there are millions of records.
template <EqualKeys kEqualKeys, int K>
inline bool Take(Merger<K>* merger, NgramRecord<K>* record) {
  const NgramRecord<K>* head = merger->Head();
  if (head == nullptr) return false;
  *record = *head;
  merger->Pop();
  if (kEqualKeys == EqualKeys::kKeep) return true;
  while ((head = merger->Head()) != nullptr && head->key == record->key) {
    record->value = AddCounts(record->value, head->value);
    merger->Pop();
  }
  return true;
}

template <EqualKeys kEqualKeys, int K>
void WriteAll(Merger<K>* merger, RecordWriter<NgramRecord<K>>* writer) {
  NgramRecord<K> record;
  while (Take<kEqualKeys>(merger, &record)) writer->Write(record);
}

template <EqualKeys kEqualKeys, int K>
void TakeMany(Merger<K>* merger, std::vector<NgramRecord<K>>* records) {
  NgramRecord<K> record;
  while (records->size() < kTakenAtOnce && Take<kEqualKeys>(merger, &record)) {
    records->push_back(record);
  }
}

template <int K>
ExternalSorter<K>::ExternalSorter(const std::string& directory, const std::string& name,
                                  size_t memory_bytes, int threads, EqualKeys equal_keys)
    : prefix_(directory + "/" + name + "."),
      memory_bytes_(memory_bytes),
      threads_(static_cast<size_t>(std::max(threads, 1))),
      capacity_(std::max<size_t>(memory_bytes / sizeof(Record) / (threads > 1 ? 2 : 1), 1)),
      equal_keys_(equal_keys) {}

template <int K>
ExternalSorter<K>::~ExternalSorter() {
  try {
    spilling_.Wait();
  } catch (...) {  // whoever needed the run has been told, or needs it no longer
  }
  merger_.reset();
  for (const Run& run : runs_) {
    if (run.remove) std::remove(run.path.c_str());
  }
}

template <int K>
void ExternalSorter<K>::Allocate() {
  buffer_.reset(new Record[capacity_]);  // pages are taken as they fill
}

template <int K>
void ExternalSorter<K>::Spill() {
  spilling_.Wait();
  if (size_ == 0) return;
  const size_t size = std::exchange(size_, 0);
  const std::string path = NextPath();
  runs_.push_back({path, !keep_});
  if (threads_ == 1) {  // one buffer is enough
    WriteRun(path, buffer_.get(), size);
    return;
  }
  spilled_.swap(buffer_);
  spilling_.Start([this, path, size] { WriteRun(path, spilled_.get(), size); });
}

template <int K>
void ExternalSorter<K>::AdoptRuns(const std::vector<std::string>& paths) {
  for (const std::string& path : paths) runs_.push_back({path, false});
}

template <int K>
std::vector<std::string> ExternalSorter<K>::runs() {
  spilling_.Wait();
  std::vector<std::string> paths;
  for (const Run& run : runs_) paths.push_back(run.path);
  return paths;
}

template <int K>
void ExternalSorter<K>::Finish() {
  std::vector<MergeSource<K>> sources;
  if (runs_.empty()) {
    sources = SortParts(buffer_.get(), size_);
  } else {
    Spill();
    spilling_.Wait();
    buffer_.reset();
    spilled_.reset();
    while (runs_.size() > FanIn()) MergeFirstRuns();
    sources = Open(runs_.size());
  }
  merger_ = std::make_unique<Merger<K>>(std::move(sources));
}

// The next records from the merger; false at the end.
template <int K>
bool ExternalSorter<K>::Take() {
  taken_.clear();
  next_taken_ = 0;
  if (merger_ == nullptr) return false;
  if (equal_keys_ == EqualKeys::kKeep) {
    TakeMany<EqualKeys::kKeep>(merger_.get(), &taken_);
  } else {
    TakeMany<EqualKeys::kAddCounts>(merger_.get(), &taken_);
  }
  if (!taken_.empty()) return true;
  merger_.reset();
  buffer_.reset();
  for (const Run& run : runs_) {
    if (run.remove) std::remove(run.path.c_str());
  }
  runs_.clear();
  return false;
}

template <int K>
size_t ExternalSorter<K>::FanIn() const {
  return std::clamp<size_t>(memory_bytes_ / kMinReadBytes, 2, kMaxFanIn);
}

template <int K>
std::string ExternalSorter<K>::NextPath() {
  return prefix_ + std::to_string(next_run_++) + ".run";
}

// The buffer in sorted parts.
template <int K>
std::vector<MergeSource<K>> ExternalSorter<K>::SortParts(Record* records,
                                                                     size_t size) const {
  const size_t parts = std::clamp<size_t>(size / kLeastPerThread, 1, threads_);
  std::vector<MergeSource<K>> sources;
  std::vector<BackgroundTask> sorting(parts - 1);
  for (size_t part = 0; part < parts; ++part) {
    Record* first = records + size * part / parts;
    Record* last = records + size * (part + 1) / parts;
    sources.push_back({first, last, nullptr});
    const auto sort = [first, last] {
      std::sort(first, last, [](const Record& a, const Record& b) { return a.key < b.key; });
    };
    if (part + 1 < parts) {
      sorting[part].Start(sort);
    } else {
      sort();
    }
  }
  for (BackgroundTask& task : sorting) task.Wait();
  return sources;
}

template <int K>
std::vector<MergeSource<K>> ExternalSorter<K>::Open(size_t count) const {
  const size_t bytes = memory_bytes_ / std::max<size_t>(count, 1);
  std::vector<MergeSource<K>> sources;
  for (size_t i = 0; i < count; ++i) {
    auto reader =
        std::make_unique<RecordReader<Record>>(runs_[i].path, std::min(bytes, size_t{64} << 20));
    sources.push_back({nullptr, nullptr, std::move(reader)});
  }
  return sources;
}

template <int K>
void ExternalSorter<K>::WriteRun(const std::string& path, Record* records, size_t size) const {
  Merger<K> merger(SortParts(records, size));
  WriteMerged(path, &merger);
}

template <int K>
void ExternalSorter<K>::WriteMerged(const std::string& path, Merger<K>* merger) const {
  const std::string temporary = path + ".tmp";
  try {
    RecordWriter<Record> writer(temporary);
    if (equal_keys_ == EqualKeys::kKeep) {
      WriteAll<EqualKeys::kKeep>(merger, &writer);
    } else {
      WriteAll<EqualKeys::kAddCounts>(merger, &writer);
    }
    writer.Close();
    if (std::rename(temporary.c_str(), path.c_str()) != 0) throw FileError(path, errno);
  } catch (...) {
    std::remove(temporary.c_str());
    throw;
  }
}

// The first runs become one, which stands last.
template <int K>
void ExternalSorter<K>::MergeFirstRuns() {
  const size_t count = std::min(FanIn(), runs_.size() - FanIn() + 1);
  const std::string path = NextPath();
  {
    Merger<K> merger(Open(count));
    WriteMerged(path, &merger);
  }
  for (size_t i = 0; i < count; ++i) {
    if (runs_[i].remove) std::remove(runs_[i].path.c_str());
  }
  runs_.erase(runs_.begin(), runs_.begin() + static_cast<std::ptrdiff_t>(count));
  runs_.push_back({path, true});
}

static_assert(kMaxKeyParts == 9, "one instance for each size of keys");
template class ExternalSorter<1>;
template class ExternalSorter<2>;
template class ExternalSorter<3>;
template class ExternalSorter<4>;
template class ExternalSorter<5>;
template class ExternalSorter<6>;
template class ExternalSorter<7>;
template class ExternalSorter<8>;
template class ExternalSorter<9>;

}  // namespace lm
