#include "storage/cache_footprint.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>

namespace ccr::storage {
namespace {

// Which pages of a mapping the kernel holds; empty: it does not tell.
std::vector<unsigned char> residency(int descriptor, std::uint64_t begin, std::uint64_t bytes, std::uint64_t page) {
  void* mapped = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, descriptor, static_cast<off_t>(begin));
  if (mapped == MAP_FAILED) return {};
  std::vector<unsigned char> held((bytes + page - 1) / page);
  const bool told = ::mincore(mapped, bytes, held.data()) == 0;
  ::munmap(mapped, bytes);
  if (!told) held.clear();
  return held;
}

}  // namespace

CacheFootprint::CacheFootprint(int descriptor, std::uint64_t offset, std::uint64_t bytes) : descriptor_(descriptor) {
  if (descriptor < 0 || bytes == 0) return;
  ::posix_fadvise(descriptor, 0, 0, POSIX_FADV_RANDOM);
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const std::uint64_t begin = offset / page * page;
  const std::vector<unsigned char> held = residency(descriptor, begin, offset + bytes - begin, page);
  for (std::size_t i = 0; i < held.size(); ++i) {
    if ((held[i] & 1) != 0) continue;
    const std::uint64_t at = begin + i * page;
    const bool goes_on = !absent_.empty() && absent_.back().offset + absent_.back().bytes == at;
    if (goes_on) absent_.back().bytes += page;
    else absent_.push_back({at, page});
  }
}

void CacheFootprint::leave() const noexcept { drop_from_cache(descriptor_, absent_); }

void drop_from_cache(int descriptor, const std::vector<FilePart>& parts) noexcept {
  for (const FilePart& part : parts)
    ::posix_fadvise(descriptor, static_cast<off_t>(part.offset), static_cast<off_t>(part.bytes), POSIX_FADV_DONTNEED);
}

int descriptor_on(const std::string& path) {
  struct stat wanted {};
  if (::stat(path.c_str(), &wanted) != 0) return -1;
  const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir("/proc/self/fd"), &::closedir);
  if (!open) return -1;
  while (const dirent* entry = ::readdir(open.get())) {
    int descriptor = -1;
    const char* end = entry->d_name + std::strlen(entry->d_name);
    if (std::from_chars(entry->d_name, end, descriptor).ptr != end) continue;
    struct stat found {};
    const bool same = ::fstat(descriptor, &found) == 0 && found.st_ino == wanted.st_ino && found.st_dev == wanted.st_dev;
    if (same) return descriptor;
  }
  return -1;
}

}  // namespace ccr::storage
