// TlsConnection is a Connection inside another: what crosses the inner one is TLS 1.3, and each side has proven its name.
//
// prove() runs the handshake: before it completed, read_some() and write() are broken invariants, so nothing of ccr's protocol is
// read from an unproven peer. It fails with identity (a name, key, date or authority; the text says which), protocol, unsupported
// or disconnected; the peer gets TLS's alert, and lingering_max passes at most so that the alert is not lost to a reset. In TLS 1.3
// the side that connects has finished before the other judged it: the other's refusal then is the error of its first read_some(),
// or of a write() that fails before anything was read. Records are 16 KiB; write() encrypts batch_bytes of them before each inner
// write, small pieces together with what follows them; read_some() asks the inner one for many records at once and decrypts as many
// as there is room for. One copy of the cipher text on each side is the price for the Network seam below. The end of the stream
// needs no notice: ccr's frames know their lengths. Where the rules about peers change
// (PeerRules), who was believed is judged again before the next byte in either direction, and cut off with identity. Stopping: a stopped read_some() loses nothing; a stopped write() leaves the
// connection unusable, as the seam says. Bounds: certificate_bytes_max, handshake_bytes_max read before the peer is proven; then a
// read buffer of read_bytes_min to read_bytes_max that follows the rate, and one batch while writing. Keys are changed after
// key_bytes_max (RFC 8446, 5.5).
#pragma once

#include <memory>

#include "transport/network.h"
#include "transport/tls_hooks.h"
#include "transport/tls_identity.h"
#include "transport/tls_records.h"

namespace ccr::transport {

class TlsConnection final : public Connection {
 public:
  static constexpr std::size_t handshake_bytes_max = 64 * KiB;
  static constexpr std::size_t read_bytes_min = 8 * KiB;
  static constexpr std::size_t read_bytes_max = 256 * KiB;
  static constexpr std::size_t batch_bytes = 256 * KiB;
  static constexpr std::uint64_t key_bytes_max = 64 * GiB;  // AES-GCM: 2^24.5 records of 16 KiB are 388 GiB
  static constexpr Duration lingering_max = std::chrono::seconds(1);

  enum class Side { connects, accepts };
  // The identity is shared because a reload puts another in its place while this one may still be proving. `key_bytes`: when to
  // change keys, key_bytes_max unless a smaller amount is wanted.
  TlsConnection(std::unique_ptr<Connection> inner, std::shared_ptr<const TlsIdentity> identity, PeerExpectation expected, Side side,
                Clock& clock, std::uint64_t key_bytes = key_bytes_max);
  ~TlsConnection() override;

  Task<Result<void>> prove() override;
  std::string proven_node() const override;
  Task<Result<std::size_t>> read_some(ByteSpan into) override;
  Task<Result<void>> write(std::span<const ByteView> pieces) override;
  void close() override;
  void wish(const ConnectionWish& wish) override { inner_->wish(wish); }
  Endpoint peer() const override;
  ConnectionFacts facts() const override;
  std::uint64_t key_changes() const noexcept { return records_->key_changes(); }

 private:
  Task<Result<void>> shake_hands();
  Task<Result<void>> flush();
  Task<Result<void>> fill();
  Task<Result<void>> drain();
  Task<Result<void>> refusal_after(Error error);
  Error explain(TlsRecords::Outcome outcome) const;
  Result<void> judge_again();

  std::unique_ptr<Connection> inner_;
  std::shared_ptr<const TlsIdentity> identity_;
  Clock& clock_;
  TlsHandshake handshake_;
  std::unique_ptr<TlsRecords> records_;
  std::optional<Error> failure_;  // that came with the last bytes before it
  std::uint64_t rules_version_ = 0;  // by which the peer was believed
  bool proven_ = false, heard_ = false, reading_ = false, writing_ = false;
};

}  // namespace ccr::transport
