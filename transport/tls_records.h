// TlsRecords is one session of OpenSSL between two buffers: cipher text that came, and cipher text that is to go.
//
// No coroutine and no socket: whoever moves bytes puts what came into room(), takes what is to go from take_output(), and calls
// again when an outcome says that more is wanted. Not copyable: OpenSSL points into it.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "transport/openssl_handles.h"

struct bio_method_st;  // OpenSSL's BIO_METHOD

namespace ccr::transport {

class TlsRecords {
 public:
  enum class Outcome { done, wants_input, ended, failed };  // ended: the peer closed TLS
  struct Limits {
    std::size_t read_bytes_min, read_bytes_max, batch_bytes;
    std::uint64_t key_bytes;
  };

  TlsRecords(SSL_CTX* context, bool connects, Limits limits);
  ~TlsRecords();
  TlsRecords(const TlsRecords&) = delete;
  TlsRecords& operator=(const TlsRecords&) = delete;

  Outcome handshake();
  // As much as is there; `count` bytes with any outcome.
  Outcome decrypt(ByteSpan into, std::size_t& count);
  // Goes on in `pieces` until a batch is full or all are taken; advances them.
  Outcome encrypt(std::span<ByteView>& pieces);

  ByteSpan room();               // for cipher text; only when everything before was taken
  void came(std::size_t count);  // so many bytes of room()
  Bytes take_output();           // what is to go; empty: nothing

  std::size_t pending() const noexcept { return end_ - begin_; }  // that came and was not looked at yet

  SSL* session() const noexcept { return session_.get(); }
  std::uint64_t key_changes() const noexcept { return key_changes_; }

 private:
  static int read_input(BIO* bio, char* out, int size);
  static int write_output(BIO* bio, const char* from, int size);
  static long control(BIO* bio, int command, long, void*);
  static const bio_method_st* method();

  Outcome outcome_of(int returned);
  Outcome seal(ByteView plain);

  SessionHandle session_;
  Limits limits_;
  std::unique_ptr<std::byte[]> input_;
  std::size_t input_size_ = 0, begin_ = 0, end_ = 0;
  int small_reads_ = 0;
  Bytes output_;
  std::uint64_t sealed_ = 0, key_changes_ = 0;
};

}  // namespace ccr::transport
