#include "storage/log_stream.h"

#include <utility>

#include "storage/generation_writer.h"
#include "storage/log_opening.h"
#include "storage/sealed_files.h"
#include "storage/reserve_files.h"
#include "storage/spare_files.h"

namespace ccr::storage {
namespace {

// Blocks are collected up to this size and written at once.
constexpr std::size_t batch_bytes = 256 * KiB;
static_assert(batch_bytes % block_bytes == 0);

Error not_usable(const Error& first) { return first.within("the log failed before"); }

struct RecordInProgress {
  RecordHeader header;
  std::uint32_t images_left = 0;
};

class LogWriter final : public LogStream {
 public:
  LogWriter(Disk& disk, Clock& clock, LogOptions options, RecoveredLog log);

  Task<Result<void>> begin(RecordHeader header) override;
  Task<Result<void>> pages(std::span<const Page> images) override;
  Task<Result<Position>> end(Digest64 root) override;
  Task<Result<void>> sync() override;
  Task<Result<void>> roll() override;
  Task<Result<bool>> roll_if_idle(Duration older_than) override;
  Task<Result<void>> prepare() override;
  Task<Result<void>> fill_reserve() override { return reserve_.fill(); }
  const std::optional<Error>& no_room() const override { return no_room_; }
  Task<Result<Generation>> truncate_below(Generation below) override;
  Task<Result<void>> give_back() override;
  void know_root(Digest64 root) override;

  const LogEnd& recovered() const override { return recovered_; }
  const Signature& signature() const override { return recovered_.signature; }
  Epoch epoch() const override { return writer_.scan().header().epoch; }
  Position durable() const override { return durable_; }
  CommitNumber last_commit() const override { return last_ ? last_->number : 0; }
  CommitNumber durable_commit() const override { return durable_commit_; }
  Generation open_generation() const override { return writer_.scan().header().generation; }
  bool failed() const override { return failed_.has_value(); }

  Task<Result<void>> roll_open();  // also where nothing was written, for a new epoch

 private:
  // Marks the stream failed when a call ends with an error or is unwound in the middle: what is on disk is then not known.
  class Call {
   public:
    explicit Call(LogWriter& writer) : writer_(writer) {}
    ~Call() {
      if (!ended_) writer_.fail(Error{ErrorKind::stopped, "a call on the log was stopped in the middle", ""});
    }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    Result<void> end(Result<void> result) {
      ended_ = true;
      if (!result.ok()) writer_.fail(result.error());
      return result;
    }

   private:
    LogWriter& writer_;
    bool ended_ = false;
  };

  void fail(Error error) {
    if (!failed_) failed_ = std::move(error);
  }
  Task<Result<void>> start_record(RecordHeader header);
  Task<Result<void>> append(ByteView bytes);
  Task<Result<void>> append_pages(std::span<const Page> images);
  Task<Result<void>> sync_group();
  Task<Result<void>> sync_files();
  Task<Result<void>> name_files();
  Task<Result<void>> seal_and_go_on();
  Task<Result<std::unique_ptr<File>>> next_file(std::string path);
  Task<Result<GenerationScan>> put_header(File& file);

  Disk& disk_;
  Clock& clock_;
  LogOptions options_;
  LogEnd recovered_;
  AlignedBuffer batch_{batch_bytes, AlignedBuffer::Content::any};
  GenerationWriter writer_;
  std::optional<RecordHeader> last_;   // that ended
  std::optional<Digest64> root_;       // after last_; unknown after open()
  std::optional<RecordInProgress> record_;
  Position durable_;
  CommitNumber durable_commit_ = 0;
  Instant first_record_at_;            // of the open generation, where it has one
  SealedFiles waiting_;                // the first lies at current.log, and writer_'s file at next.log while there is one
  SpareFiles spares_;
  ReserveFiles reserve_;
  std::optional<Error> no_room_;       // why the reserve is in use
  std::unique_ptr<File> prepared_;     // lies at prepared_name
  bool preparing_ = false;
  std::optional<Error> failed_;
};

LogWriter::LogWriter(Disk& disk, Clock& clock, LogOptions options, RecoveredLog log)
    : disk_(disk), clock_(clock), options_(std::move(options)), recovered_(std::move(log.end)),
      writer_(std::move(log.file), std::move(log.scan), batch_), last_(recovered_.last_record), durable_(recovered_.end),
      durable_commit_(recovered_.last_commit), first_record_at_(clock.now()), spares_(disk_, options_.directory),
      reserve_(disk_, options_.directory, options_.generation_bytes) {}

Task<Result<Generation>> LogWriter::truncate_below(Generation below) {
  return truncate_generations(disk_, options_.directory, below, spares_, options_.generation_bytes);
}

Task<Result<void>> LogWriter::give_back() {
  if (!record_ && writer_.clean()) batch_.forget();
  return spares_.clear();
}

void LogWriter::know_root(Digest64 root) {
  CCR_ASSERT(!record_);
  root_ = root;
}

Task<Result<void>> LogWriter::begin(RecordHeader header) {
  CCR_ASSERT(!record_ && header.number == last_commit() + 1);
  if (failed_) co_return not_usable(*failed_);
  Call call(*this);
  co_return call.end(co_await start_record(header));
}

Task<Result<void>> LogWriter::start_record(RecordHeader header) {
  // A record's header is never cut by a seal: the next generation's header carries it whole.
  if (writer_.room() < RecordHeader::encoded_bytes) CCR_CO_TRY(co_await seal_and_go_on());
  if (writer_.empty()) first_record_at_ = clock_.now();
  record_ = RecordInProgress{header, header.images};
  writer_.begin_record();
  std::array<std::byte, RecordHeader::encoded_bytes> bytes;
  encode_record_header(header, bytes);
  const ByteView view(bytes);
  co_return co_await append(view);
}

Task<Result<void>> LogWriter::append(ByteView bytes) {
  while (!bytes.empty()) {
    if (writer_.room() == 0) CCR_CO_TRY(co_await seal_and_go_on());
    const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), writer_.room()));
    const ByteView piece = bytes.first(count);
    CCR_CO_TRY(co_await writer_.append(piece, durable_));
    bytes = bytes.subspan(count);
  }
  co_return Result<void>();
}

Task<Result<void>> LogWriter::pages(std::span<const Page> images) {
  if (failed_) co_return not_usable(*failed_);
  CCR_ASSERT(record_ && record_->images_left >= images.size());
  Call call(*this);
  record_->images_left -= static_cast<std::uint32_t>(images.size());
  co_return call.end(co_await append_pages(images));
}

// Most of it waits for nothing.
Task<Result<void>> LogWriter::append_pages(std::span<const Page> images) {
  for (const Page& page : images) {
    CCR_ASSERT(page.number != 0 && page.image.size() == options_.page_size);
    std::array<std::byte, 4> number;
    Encoder encoder(number);
    encoder.u32(page.number);
    for (ByteView left : {ByteView(number), page.image}) {
      left = left.subspan(writer_.put(left, durable_));
      if (!left.empty()) CCR_CO_TRY(co_await append(left));
    }
  }
  co_return Result<void>();
}

Task<Result<Position>> LogWriter::end(Digest64 root) {
  if (failed_) co_return not_usable(*failed_);
  CCR_ASSERT(record_ && record_->images_left == 0);
  last_ = record_->header;
  root_ = root;
  record_.reset();
  co_return writer_.next_position();
}

Task<Result<void>> LogWriter::sync() {
  if (failed_) co_return not_usable(*failed_);
  CCR_ASSERT(!record_);
  if (writer_.clean() && waiting_.empty()) co_return Result<void>();
  Call call(*this);
  co_return call.end(co_await sync_group());
}

Task<Result<void>> LogWriter::sync_group() {
  CCR_CO_TRY(co_await writer_.write_out(durable_));
  co_return co_await sync_files();
}

// Every file and name that is not durable yet, in the order that log_stream.h tells.
Task<Result<void>> LogWriter::sync_files() {
  const Executor executor = co_await asio::this_coro::executor;
  TaskGroup content(executor);
  waiting_.spawn_syncs(content);
  content.spawn(writer_.file().sync());
  if (waiting_.size() > 1) content.spawn(disk_.sync_directory(options_.directory));
  CCR_CO_TRY(co_await content.join());
  if (!waiting_.empty()) CCR_CO_TRY(co_await name_files());
  waiting_.clear();
  writer_.settled();
  durable_ = writer_.scan().position();
  durable_commit_ = last_commit();
  co_return Result<void>();
}

Task<Result<void>> LogWriter::name_files() {
  const std::string current = path_in(options_.directory, current_name);
  const std::string final_name = sealed_path(options_.directory, waiting_.generations().front());
  const std::string next = path_in(options_.directory, next_name);
  CCR_CO_TRY(co_await disk_.rename(current, final_name));
  CCR_CO_TRY(co_await disk_.sync_directory(options_.directory));
  CCR_CO_TRY(co_await disk_.rename(next, current));
  co_return co_await disk_.sync_directory(options_.directory);
}

Task<Result<void>> LogWriter::roll() {
  if (failed_) co_return not_usable(*failed_);
  CCR_ASSERT(!record_);
  if (writer_.empty()) co_return co_await sync();
  Call call(*this);
  co_return call.end(co_await roll_open());
}

Task<Result<void>> LogWriter::roll_open() {
  CCR_CO_TRY(co_await seal_and_go_on());
  if (waiting_.empty()) co_return Result<void>();
  co_return co_await sync_files();
}

Task<Result<bool>> LogWriter::roll_if_idle(Duration older_than) {
  if (failed_) co_return not_usable(*failed_);
  if (record_ || writer_.empty() || !writer_.clean() || !waiting_.empty()) co_return false;
  if (clock_.now() - first_record_at_ < older_than) co_return false;
  CCR_CO_TRY(co_await roll());
  co_return true;
}

Task<Result<void>> LogWriter::seal_and_go_on() {
  GenerationWriter::Standing standing;
  if (last_ && root_) standing = {last_->number, *root_, last_->page_count};
  CCR_CO_TRY(co_await writer_.seal(standing, durable_));
  const Generation generation = open_generation();
  const std::string path = path_in(options_.directory, next_name);
  const std::string final_name = sealed_path(options_.directory, generation);
  if (!waiting_.empty()) CCR_CO_TRY(co_await disk_.rename(path, final_name));
  Result<std::unique_ptr<File>> next = co_await next_file(path);
  if (!next.ok()) co_return next.error();
  Result<GenerationScan> scan = co_await put_header(**next);
  if (!scan.ok()) co_return scan.error();
  waiting_.add(writer_.take_file(), generation);
  writer_ = GenerationWriter(std::move(*next), std::move(*scan), batch_);
  first_record_at_ = clock_.now();
  if (waiting_.full()) co_return co_await sync_files();
  co_return Result<void>();
}

// The header of the generation behind the one that was just sealed.
Task<Result<GenerationScan>> LogWriter::put_header(File& file) {
  const GenerationScan& sealed = writer_.scan();
  const HeaderOptions wanted{options_.epoch, options_.generation_bytes, clock_.wall_now()};
  const GenerationHeader header = header_behind(sealed, wanted);
  const GenerationScan::Expected expected = sealed.expected_next();
  co_return co_await write_header(file, header, expected);
}

// A file of the length of a generation at `path`.
Task<Result<std::unique_ptr<File>>> LogWriter::next_file(std::string path) {
  if (prepared_) {
    const std::string prepared = path_in(options_.directory, prepared_name);
    CCR_CO_TRY(co_await disk_.rename(prepared, path));
    co_return std::move(prepared_);
  }
  Result<std::unique_ptr<File>> file = co_await spares_.take_or_make(path, open_generation().next(), options_.generation_bytes);
  if (file.ok() || file.error().kind != ErrorKind::no_space) co_return std::move(file);
  CCR_CO_TRY(co_await remove_if_there(disk_, path));
  Result<std::unique_ptr<File>> reserve = co_await reserve_.take(path);
  if (!reserve.ok()) co_return reserve.error();
  if (*reserve == nullptr) co_return std::move(file);
  no_room_ = file.error();
  co_return std::move(*reserve);
}

Task<Result<void>> LogWriter::prepare() {
  if (failed_ || prepared_ || preparing_ || !spares_.empty()) co_return Result<void>();
  // Reset also when the task is stopped; the half-made file is then replaced by the next call.
  struct Flag {
    bool& value;
    ~Flag() { value = false; }
  } flag{preparing_};
  preparing_ = true;
  const std::string path = path_in(options_.directory, prepared_name);
  Result<std::unique_ptr<File>> file = co_await make_zeros(disk_, path, options_.generation_bytes);
  if (!file.ok()) co_return file.error();
  prepared_ = std::move(*file);
  co_return Result<void>();
}

Result<void> check_options(const LogOptions& options) {
  if (!valid_page_size(options.page_size)) return Error{ErrorKind::config, "page size " + std::to_string(options.page_size), ""};
  if (!valid_generation_bytes(options.generation_bytes))
    return Error{ErrorKind::config, "generation length " + std::to_string(options.generation_bytes), "a power of two, 256 KiB to 64 MiB"};
  return {};
}

}  // namespace

Task<Result<std::unique_ptr<LogStream>>> LogStream::create(Disk& disk, Clock& clock, LogOptions options, Signature signature) {
  CCR_CO_TRY(check_options(options));
  CCR_CO_TRY(co_await disk.make_directories(options.directory));
  Result<std::vector<GenerationFile>> there = co_await list_generations(disk, options.directory);
  if (!there.ok()) co_return there.error();
  if (!there->empty())
    co_return Error{ErrorKind::exists, options.directory + " holds generation " + to_text(there->front().generation) + " already", ""};
  CCR_CO_TRY(co_await remove_temporaries(disk, options.directory));
  const std::string path = path_in(options.directory, next_name);
  Result<std::unique_ptr<File>> file = co_await disk.open(path, OpenMode::create_new);
  if (!file.ok()) co_return file.error();
  CCR_CO_TRY(co_await (*file)->allocate(options.generation_bytes));
  GenerationHeader header;
  header.signature = signature;
  header.epoch = options.epoch;
  header.generation = Generation{1};
  header.created = clock.wall_now();
  header.page_size = options.page_size;
  header.generation_bytes = options.generation_bytes;
  header.first_commit = 1;
  const GenerationScan::Expected expected;
  Result<GenerationScan> scan = co_await place_current(disk, **file, options.directory, path, header, expected);
  if (!scan.ok()) co_return scan.error();
  LogEnd end;
  end.signature = signature;
  end.epoch = options.epoch;
  end.page_size = options.page_size;
  end.end = scan->position();
  RecoveredLog log{std::move(*file), std::move(*scan), end};
  std::unique_ptr<LogStream> stream = std::make_unique<LogWriter>(disk, clock, std::move(options), std::move(log));
  co_return std::move(stream);
}

Task<Result<std::unique_ptr<LogStream>>> LogStream::open(Disk& disk, Clock& clock, LogOptions options, Signature signature,
                                                         Position proven) {
  CCR_CO_TRY(check_options(options));
  RecoveryOptions recovery;
  recovery.directory = {options.directory, signature, options.page_size};
  recovery.header = {options.epoch, options.generation_bytes, clock.wall_now()};
  recovery.proven = proven;
  Result<RecoveredLog> log = co_await recover_log(disk, recovery);
  if (!log.ok()) co_return log.error().within("open log");
  const bool raise = log->scan.header().epoch < options.epoch;
  auto writer = std::make_unique<LogWriter>(disk, clock, std::move(options), std::move(*log));
  if (raise) CCR_CO_TRY(co_await writer->roll_open());
  std::unique_ptr<LogStream> stream = std::move(writer);
  co_return std::move(stream);
}

}  // namespace ccr::storage
