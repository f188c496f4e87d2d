// Files of fixed-size records: written and read in order through a large buffer.
#ifndef LM_CSRC_FILES_RECORD_FILE_H_
#define LM_CSRC_FILES_RECORD_FILE_H_

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace lm {

// A file that could not be opened, read or written; Python sees an OSError (file_errors.h).
class FileError : public std::runtime_error {
 public:
  FileError(std::string path, int number)
      : std::runtime_error(path + ": " + std::strerror(number)),
        path_(std::move(path)),
        number_(number) {}

  const std::string& path() const { return path_; }
  int number() const { return number_; }  // of errno

 private:
  std::string path_;
  int number_;
};

// An open file: reads and writes everything that is asked for, or throws FileError.
class File {
 public:
  static File ForReading(std::string path) { return File(std::move(path), O_RDONLY); }
  // Replaces what is there.
  static File ForWriting(std::string path) {
    return File(std::move(path), O_WRONLY | O_CREAT | O_TRUNC);
  }

  File(File&& other) noexcept
      : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}
  File& operator=(File&&) = delete;
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  const std::string& path() const { return path_; }

  uint64_t Size() const {
    struct stat status;
    if (::fstat(descriptor_, &status) != 0) throw FileError(path_, errno);
    return static_cast<uint64_t>(status.st_size);
  }

  void Write(const void* data, size_t size) {
    const char* next = static_cast<const char*>(data);
    while (size > 0) {
      const ssize_t written = ::write(descriptor_, next, size);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) throw FileError(path_, errno);
      next += written;
      size -= static_cast<size_t>(written);
    }
  }

  // Less than `size` at the file's end only.
  size_t Read(void* data, size_t size) {
    size_t count = 0;
    while (count < size) {
      const ssize_t got = ::read(descriptor_, static_cast<char*>(data) + count, size - count);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw FileError(path_, errno);
      if (got == 0) break;
      count += static_cast<size_t>(got);
    }
    return count;
  }

  // Reports what the system noticed late, such as a full disk behind a network.
  void Close() {
    if (::close(std::exchange(descriptor_, -1)) != 0) throw FileError(path_, errno);
  }

 private:
  File(std::string path, int flags)
      : path_(std::move(path)), descriptor_(::open(path_.c_str(), flags | O_CLOEXEC, 0666)) {
    if (descriptor_ < 0) throw FileError(path_, errno);
  }

  std::string path_;
  int descriptor_;
};

inline constexpr size_t kRecordBufferBytes = size_t{1} << 20;

template <typename Record>
class RecordWriter {
 public:
  static_assert(std::is_trivially_copyable_v<Record>, "records are written as they stand");

  explicit RecordWriter(std::string path, size_t buffer_bytes = kRecordBufferBytes)
      : file_(File::ForWriting(std::move(path))),
        capacity_(std::max<size_t>(buffer_bytes / sizeof(Record), 1)),
        buffer_(new Record[capacity_]) {}

  void Write(const Record& record) {
    if (size_ == capacity_) Flush();
    buffer_[size_++] = record;
    ++count_;
  }

  // After the last record; without it the file is incomplete.
  void Close() {
    Flush();
    file_.Close();
  }

  // Hands what has been written to the system, so that others can read it.
  void Flush() {
    file_.Write(buffer_.get(), size_ * sizeof(Record));
    size_ = 0;
  }

  uint64_t count() const { return count_; }

 private:
  File file_;
  size_t capacity_;
  std::unique_ptr<Record[]> buffer_;
  size_t size_ = 0;
  uint64_t count_ = 0;
};

template <typename Record>
class RecordReader {
 public:
  static_assert(std::is_trivially_copyable_v<Record>, "records are read as they stand");

  explicit RecordReader(std::string path, size_t buffer_bytes = kRecordBufferBytes)
      : file_(File::ForReading(std::move(path))) {
    const uint64_t bytes = file_.Size();
    if (bytes % sizeof(Record) != 0) throw FileError(file_.path(), EINVAL);
    left_ = bytes / sizeof(Record);
    const uint64_t fitting = std::max<size_t>(buffer_bytes / sizeof(Record), 1);
    capacity_ = static_cast<size_t>(std::min(fitting, std::max<uint64_t>(left_, 1)));
    buffer_.reset(new Record[capacity_]);
  }

  // False at the end.
  bool Read(Record* record) {
    if (next_ == size_ && !Fill()) return false;
    *record = buffer_[next_++];
    return true;
  }

  // The records from the next one to the buffer's end, for readers that look at them where they
  // lie; none at the file's end. They count as read.
  std::pair<const Record*, const Record*> ReadBlock() {
    if (next_ == size_) Fill();
    const Record* first = buffer_.get() + next_;
    next_ = size_;
    return {first, buffer_.get() + size_};
  }

 private:
  bool Fill() {
    next_ = 0;
    size_ = static_cast<size_t>(std::min<uint64_t>(left_, capacity_));
    left_ -= size_;
    const size_t bytes = size_ * sizeof(Record);
    if (file_.Read(buffer_.get(), bytes) != bytes) throw FileError(file_.path(), EIO);  // shrank
    return size_ > 0;
  }

  File file_;
  size_t capacity_;
  std::unique_ptr<Record[]> buffer_;
  size_t next_ = 0;
  size_t size_ = 0;
  uint64_t left_;
};

}  // namespace lm

#endif  // LM_CSRC_FILES_RECORD_FILE_H_
