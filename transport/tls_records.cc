#include "transport/tls_records.h"

#include <algorithm>
#include <array>
#include <utility>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

namespace ccr::transport {
namespace {

constexpr std::size_t record_bytes = SSL3_RT_MAX_PLAIN_LENGTH;
constexpr std::size_t record_overhead_max = 64;  // header, type, tag: 22 with every cipher of TLS 1.3 here
constexpr int small_reads_max = 16;  // in a row, then the buffer shrinks
constexpr std::size_t small_share = 8;

BIO_METHOD* make_method(int (*write)(BIO*, const char*, int), int (*read)(BIO*, char*, int),
                        long (*control)(BIO*, int, long, void*)) {
  BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "ccr records");
  CCR_ASSERT(made != nullptr && BIO_meth_set_write(made, write) == 1 && BIO_meth_set_read(made, read) == 1);
  CCR_ASSERT(BIO_meth_set_ctrl(made, control) == 1);
  return made;
}

void advance(std::span<ByteView>& pieces, std::size_t count) {
  CCR_ASSERT(!pieces.empty() && count <= pieces.front().size());
  pieces.front() = pieces.front().subspan(count);
  while (!pieces.empty() && pieces.front().empty()) pieces = pieces.subspan(1);
}

}  // namespace

const BIO_METHOD* TlsRecords::method() {
  static const BIO_METHOD* const shared = make_method(write_output, read_input, control);
  return shared;
}

TlsRecords::TlsRecords(SSL_CTX* context, bool connects, Limits limits) : session_(SSL_new(context)), limits_(limits) {
  BIO* bio = BIO_new(method());
  CCR_ASSERT(session_ != nullptr && bio != nullptr);
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(session_.get(), bio, bio);  // owns it
  if (connects) {
    SSL_set_connect_state(session_.get());
  } else {
    SSL_set_accept_state(session_.get());
  }
}

TlsRecords::~TlsRecords() = default;

int TlsRecords::read_input(BIO* bio, char* out, int size) {
  auto* records = static_cast<TlsRecords*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const std::size_t count = std::min(static_cast<std::size_t>(std::max(size, 0)), records->end_ - records->begin_);
  if (count == 0) {
    BIO_set_retry_read(bio);
    return -1;
  }
  std::memcpy(out, records->input_.get() + records->begin_, count);
  records->begin_ += count;
  return static_cast<int>(count);
}

int TlsRecords::write_output(BIO* bio, const char* from, int size) {
  auto* records = static_cast<TlsRecords*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const ByteView bytes = std::as_bytes(std::span(from, static_cast<std::size_t>(size)));
  records->output_.insert(records->output_.end(), bytes.begin(), bytes.end());
  return size;
}

long TlsRecords::control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

TlsRecords::Outcome TlsRecords::outcome_of(int returned) {
  switch (SSL_get_error(session_.get(), returned)) {
    case SSL_ERROR_NONE:
      return Outcome::done;
    case SSL_ERROR_WANT_READ:
      return Outcome::wants_input;
    case SSL_ERROR_ZERO_RETURN:
      return Outcome::ended;
    default:
      return Outcome::failed;
  }
}

TlsRecords::Outcome TlsRecords::handshake() {
  ERR_clear_error();
  return outcome_of(SSL_do_handshake(session_.get()));
}

TlsRecords::Outcome TlsRecords::decrypt(ByteSpan into, std::size_t& count) {
  ERR_clear_error();
  count = 0;
  while (count < into.size()) {
    std::size_t read = 0;
    const ByteSpan left = into.subspan(count);
    const int returned = SSL_read_ex(session_.get(), left.data(), left.size(), &read);
    if (returned != 1) return outcome_of(returned);
    count += read;
  }
  return Outcome::done;
}

TlsRecords::Outcome TlsRecords::seal(ByteView plain) {
  std::size_t written = 0;
  if (SSL_write_ex(session_.get(), plain.data(), plain.size(), &written) != 1) return Outcome::failed;
  CCR_ASSERT(written == plain.size());  // the output takes everything
  sealed_ += written;
  if (sealed_ < limits_.key_bytes) return Outcome::done;
  sealed_ = 0;
  ++key_changes_;
  return SSL_key_update(session_.get(), SSL_KEY_UPDATE_NOT_REQUESTED) == 1 ? Outcome::done : Outcome::failed;
}

// A small piece (a frame's header, its fields) shares its record with the beginning of what follows.
TlsRecords::Outcome TlsRecords::encrypt(std::span<ByteView>& pieces) {
  ERR_clear_error();
  while (!pieces.empty() && pieces.front().empty()) pieces = pieces.subspan(1);
  std::size_t plain = 0;
  for (const ByteView piece : pieces) plain += piece.size();
  const std::size_t batch = std::min(plain, limits_.batch_bytes + record_bytes);
  output_.reserve(output_.size() + batch + (batch / record_bytes + 2) * record_overhead_max);
  while (!pieces.empty() && output_.size() < limits_.batch_bytes) {
    const ByteView first = pieces.front();
    if (first.size() >= record_bytes || pieces.size() == 1) {
      const ByteView part = first.first(std::min(first.size(), limits_.batch_bytes - output_.size()));
      if (seal(part) != Outcome::done) return Outcome::failed;
      advance(pieces, part.size());
      continue;
    }
    std::array<std::byte, record_bytes> record;
    std::size_t filled = 0;
    while (!pieces.empty() && filled < record.size()) {
      const std::size_t count = std::min(pieces.front().size(), record.size() - filled);
      std::memcpy(record.data() + filled, pieces.front().data(), count);
      filled += count;
      advance(pieces, count);
    }
    if (seal(ByteView(record).first(filled)) != Outcome::done) return Outcome::failed;
  }
  return Outcome::done;
}

ByteSpan TlsRecords::room() {
  CCR_ASSERT(begin_ == end_);
  std::size_t wanted = std::max(input_size_, limits_.read_bytes_min);
  if (end_ > 0 && end_ == input_size_) wanted = std::min(input_size_ * 2, limits_.read_bytes_max);
  if (small_reads_ >= small_reads_max) wanted = limits_.read_bytes_min;
  if (wanted != input_size_) {
    input_ = std::make_unique_for_overwrite<std::byte[]>(wanted);
    input_size_ = wanted;
    small_reads_ = 0;
  }
  begin_ = end_ = 0;
  return {input_.get(), input_size_};
}

void TlsRecords::came(std::size_t count) {
  CCR_ASSERT(begin_ == 0 && end_ == 0 && count <= input_size_);
  end_ = count;
  small_reads_ = count < input_size_ / small_share ? small_reads_ + 1 : 0;
}

Bytes TlsRecords::take_output() { return std::exchange(output_, Bytes()); }

}  // namespace ccr::transport
