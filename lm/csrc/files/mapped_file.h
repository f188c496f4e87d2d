// A file of records that is read in any order, from mapped memory.
#ifndef LM_CSRC_FILES_MAPPED_FILE_H_
#define LM_CSRC_FILES_MAPPED_FILE_H_

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <string>

#include "lm/csrc/files/record_file.h"

namespace lm {

template <typename Record>
class MappedFile {
 public:
  // What the file holds by now. Throws FileError.
  explicit MappedFile(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) throw FileError(path, errno);
    struct stat status;
    int error = ::fstat(descriptor, &status) == 0 ? 0 : errno;
    if (error == 0 && status.st_size > 0) {
      bytes_ = static_cast<size_t>(status.st_size);
      void* data = ::mmap(nullptr, bytes_, PROT_READ, MAP_SHARED, descriptor, 0);
      if (data == MAP_FAILED) {
        error = errno;
      } else {
        data_ = data;
      }
    }
    ::close(descriptor);
    if (error != 0) throw FileError(path, error);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile() {
    if (data_ != nullptr) ::munmap(data_, bytes_);
  }

  const Record* data() const { return static_cast<const Record*>(data_); }
  size_t size() const { return bytes_ / sizeof(Record); }
  const Record& operator[](size_t index) const { return data()[index]; }

  // Gives the pages back; they come again from the system's cache or from the file.
  void Forget() const {
    if (data_ != nullptr) ::madvise(data_, bytes_, MADV_DONTNEED);
  }

 private:
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace lm

#endif  // LM_CSRC_FILES_MAPPED_FILE_H_
