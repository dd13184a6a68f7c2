// The lying disk as a program: lying_disk DIRECTORY mounts it there, until it is told to end. One thread, no cache of the kernel's, so what
// a process did has happened here when its call returns, and each of its calls is one operation (large ones a few).
#define FUSE_USE_VERSION 314

#include <fcntl.h>
#include <fuse3/fuse.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>

#include "tests/lying_disk/disk_words.h"

namespace ccr::lying {
namespace {

constexpr const char* words_attribute = "user.disk";
constexpr ino_t unknown_inode = 0xffffffff;  // libfuse's own for it; entries with none at all are not shown
constexpr std::uint64_t second = 1'000'000'000;

// Modes of files are kept as they are set, through each cut: of them the disk does not lie.
struct Mounted {
  LyingDisk disk;
  std::map<NodeId, mode_t> modes;
};

Mounted& mounted() { return *static_cast<Mounted*>(fuse_get_context()->private_data); }
LyingDisk& disk() { return mounted().disk; }
Handle& handle_of(const fuse_file_info* info) { return *reinterpret_cast<Handle*>(info->fh); }

mode_t mode_of(NodeId file) {
  const auto found = mounted().modes.find(file);
  return found == mounted().modes.end() ? 0600 : found->second;
}

void fill(const Seen& seen, struct stat* facts) {
  *facts = {};
  facts->st_ino = seen.node;
  facts->st_mode = seen.directory ? S_IFDIR | 0700 : seen.socket ? S_IFSOCK | 0660 : S_IFREG | mode_of(seen.node);
  facts->st_nlink = seen.directory ? 2 : 1;
  facts->st_uid = ::getuid();
  facts->st_gid = ::getgid();
  facts->st_size = static_cast<off_t>(seen.bytes);
  facts->st_blocks = static_cast<blkcnt_t>((seen.bytes + DiskState::sector_bytes - 1) / DiskState::sector_bytes);
  facts->st_mtim = {static_cast<time_t>(seen.modified / second), static_cast<long>(seen.modified % second)};
}

int get_attributes(const char* path, struct stat* facts, fuse_file_info* info) {
  const std::optional<Seen> seen = info != nullptr ? disk().look(handle_of(info)) : disk().look(path);
  if (!seen) return info != nullptr ? -EIO : -ENOENT;
  fill(*seen, facts);
  return 0;
}

int keep(int outcome, Handle&& handle, fuse_file_info* info) {
  if (outcome == 0) info->fh = reinterpret_cast<std::uint64_t>(std::make_unique<Handle>(std::move(handle)).release());
  return outcome;
}

int open(const char* path, fuse_file_info* info) {
  Handle handle;
  const int outcome = disk().open(path, info->flags, handle);
  return keep(outcome, std::move(handle), info);
}

int change_mode(const char* path, mode_t mode, fuse_file_info* info) {
  const std::optional<Seen> seen = info != nullptr ? disk().look(handle_of(info)) : disk().look(path);
  if (!seen) return -ENOENT;
  if (!seen->directory && !seen->socket) mounted().modes[seen->node] = mode & 07777;
  return 0;
}

int create(const char* path, mode_t mode, fuse_file_info* info) {
  info->flags |= O_CREAT;
  const int outcome = open(path, info);
  return outcome == 0 ? change_mode(path, mode, nullptr) : outcome;
}

int release(const char*, fuse_file_info* info) {
  const std::unique_ptr<Handle> handle(&handle_of(info));
  disk().close(*handle);
  return 0;
}

int read(const char*, char* into, size_t count, off_t offset, fuse_file_info* info) {
  return disk().read(handle_of(info), static_cast<std::uint64_t>(offset), ByteSpan(reinterpret_cast<std::byte*>(into), count));
}

int write(const char*, const char* from, size_t count, off_t offset, fuse_file_info* info) {
  return disk().write(handle_of(info), static_cast<std::uint64_t>(offset), ByteView(reinterpret_cast<const std::byte*>(from), count));
}

int sync(const char*, int, fuse_file_info* info) { return disk().sync(handle_of(info)); }

int truncate(const char* path, off_t size, fuse_file_info* info) {
  if (info != nullptr) return disk().resize(handle_of(info), static_cast<std::uint64_t>(size));
  Handle handle;
  if (const int outcome = disk().open(path, O_RDWR, handle); outcome != 0) return outcome;
  const int outcome = disk().resize(handle, static_cast<std::uint64_t>(size));
  disk().close(handle);
  return outcome;
}

int allocate(const char*, int mode, off_t offset, off_t count, fuse_file_info* info) {
  if (mode != 0) return -EOPNOTSUPP;  // no holes: who wants one writes zeros
  return disk().allocate(handle_of(info), static_cast<std::uint64_t>(offset + count));
}

int open_directory(const char* path, fuse_file_info* info) {
  Handle handle;
  const int outcome = disk().open_directory(path, handle);
  return keep(outcome, std::move(handle), info);
}

int list(const char*, void* into, fuse_fill_dir_t add, off_t, fuse_file_info* info, fuse_readdir_flags) {
  std::vector<storage::DirectoryEntry> entries;
  if (const int outcome = disk().list(handle_of(info), entries); outcome < 0) return outcome;
  for (const storage::DirectoryEntry& entry : entries) {
    struct stat facts {};
    facts.st_mode = entry.directory ? S_IFDIR : S_IFREG;
    facts.st_ino = entry.facts.known() ? entry.facts.inode : unknown_inode;
    if (add(into, entry.name.c_str(), &facts, 0, fuse_fill_dir_flags{}) != 0) return -ENOMEM;
  }
  return 0;
}

int sync_directory(const char*, int, fuse_file_info* info) { return disk().sync_directory(handle_of(info)); }
int make_directory(const char* path, mode_t) { return disk().make_directory(path); }
int make_node(const char* path, mode_t mode, dev_t) { return S_ISSOCK(mode) ? disk().make_socket(path) : -EPERM; }
int remove(const char* path) { return disk().remove(path); }
int change_owner(const char*, uid_t user, gid_t, fuse_file_info*) { return user == ::getuid() || user == static_cast<uid_t>(-1) ? 0 : -EPERM; }

int rename(const char* from, const char* to, unsigned flags) {
  if ((flags & ~unsigned{RENAME_NOREPLACE}) != 0) return -EINVAL;
  return disk().rename(from, to, flags == 0);
}

int space(const char*, struct statvfs* facts) {
  *facts = {};
  facts->f_bsize = facts->f_frsize = 4 * KiB;
  facts->f_blocks = LyingDisk::capacity_bytes / facts->f_frsize;
  facts->f_bfree = facts->f_bavail = disk().free_bytes() / facts->f_frsize;
  facts->f_namemax = NAME_MAX;
  return 0;
}

bool is_words(const char* path, const char* name) { return std::strcmp(path, "/") == 0 && std::strcmp(name, words_attribute) == 0; }

int set_attribute(const char* path, const char* name, const char* value, size_t size, int) {
  return is_words(path, name) ? obey(disk(), std::string(value, size)) : -EOPNOTSUPP;
}

int get_attribute(const char* path, const char* name, char* into, size_t size) {
  if (!is_words(path, name)) return -ENODATA;
  const std::string facts = disk().facts();
  if (size == 0) return static_cast<int>(facts.size());
  if (size < facts.size()) return -ERANGE;
  std::memcpy(into, facts.data(), facts.size());
  return static_cast<int>(facts.size());
}

void* begin(fuse_conn_info*, fuse_config* config) {
  config->use_ino = 1;
  config->nullpath_ok = 1;
  config->hard_remove = 1;
  config->direct_io = 1;
  config->entry_timeout = config->attr_timeout = config->negative_timeout = 0;
  return fuse_get_context()->private_data;
}

fuse_operations calls() {
  fuse_operations calls{};
  calls.init = begin;
  calls.getattr = get_attributes;
  calls.open = open;
  calls.create = create;
  calls.release = release;
  calls.read = read;
  calls.write = write;
  calls.fsync = sync;
  calls.truncate = truncate;
  calls.fallocate = allocate;
  calls.opendir = open_directory;
  calls.releasedir = release;
  calls.readdir = list;
  calls.fsyncdir = sync_directory;
  calls.mkdir = make_directory;
  calls.mknod = make_node;
  calls.unlink = remove;
  calls.rmdir = remove;
  calls.rename = rename;
  calls.chmod = change_mode;
  calls.chown = change_owner;
  calls.statfs = space;
  calls.setxattr = set_attribute;
  calls.getxattr = get_attribute;
  return calls;
}

int serve(const char* program, const char* directory) {
  Mounted state;
  const fuse_operations operations = calls();
  char* arguments[] = {const_cast<char*>(program), const_cast<char*>("-osubtype=ccr-lying-disk"), nullptr};
  fuse_args args = FUSE_ARGS_INIT(2, arguments);
  fuse* const session = fuse_new(&args, &operations, sizeof operations, &state);
  fuse_opt_free_args(&args);
  if (session == nullptr) return 1;
  bool served = false;
  if (fuse_mount(session, directory) == 0) {
    served = fuse_set_signal_handlers(fuse_get_session(session)) == 0 && fuse_loop(session) >= 0;
    fuse_unmount(session);
  }
  fuse_destroy(session);
  return served ? 0 : 1;
}

}  // namespace
}  // namespace ccr::lying

int main(int count, char** arguments) {
  if (count == 2) return ccr::lying::serve(arguments[0], arguments[1]);
  std::fputs("usage: lying_disk DIRECTORY\n", stderr);
  return 2;
}
