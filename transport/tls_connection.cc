#include "transport/tls_connection.h"

#include <utility>
#include <vector>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include "base/timeout.h"
#include "transport/one_at_a_time.h"

namespace ccr::transport {
namespace {

constexpr std::size_t lingering_bytes_max = 64 * KiB;
constexpr const char* same_mode = "is [tls] mode the same on both nodes? ccr events on that node says more";

// Who the peer is, as far as it is known.
std::string who(const TlsHandshake& handshake) {
  const PeerExpectation& expected = handshake.expected;
  if (handshake.proven) return handshake.proven->node;
  return expected.looked_for.empty() ? expected.where : expected.looked_for + " at " + expected.where;
}

Error words_of_failure(const std::string& who, unsigned long code) {
  const int reason = ERR_GET_REASON(code);
  if (ERR_GET_LIB(code) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET) return words_of_alert(who, reason - SSL_AD_REASON_OFFSET);
  switch (ERR_GET_LIB(code) == ERR_LIB_SSL ? reason : 0) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_UNEXPECTED_MESSAGE:
    case SSL_R_BAD_RECORD_TYPE:
      return {ErrorKind::protocol, who + " does not speak TLS", same_mode};
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
      return {ErrorKind::unsupported, who + " does not speak TLS 1.3", "is it ccr, of the same version? ccr version"};
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return {ErrorKind::identity, who + " sent no certificate", "its [tls] needs cert and key: ccr cert issue NODE"};
    case SSL_R_EXCESSIVE_MESSAGE_SIZE:
      return {ErrorKind::protocol, who + " sent more than 16 KiB of certificates", ""};
    case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC:
    case SSL_R_BAD_SIGNATURE:
    case SSL_R_DIGEST_CHECK_FAILED:
      return {ErrorKind::corrupt, who + ": a TLS record was changed on the way", ""};
    default:
      break;
  }
  const char* text = ERR_reason_error_string(code);
  return {ErrorKind::protocol, who + ": TLS failed: " + (text == nullptr ? "no reason known" : text), ""};
}

}  // namespace

TlsConnection::TlsConnection(std::unique_ptr<Connection> inner, std::shared_ptr<const TlsIdentity> identity,
                             PeerExpectation expected, Side side, Clock& clock, std::uint64_t key_bytes)
    : inner_(std::move(inner)), identity_(std::move(identity)), clock_(clock) {
  handshake_.expected = std::move(expected);
  const TlsRecords::Limits limits{read_bytes_min, read_bytes_max, batch_bytes, key_bytes};
  records_ = std::make_unique<TlsRecords>(identity_->context(), side == Side::connects, limits);
  attach_handshake(records_->session(), &handshake_);
}

TlsConnection::~TlsConnection() = default;

Error TlsConnection::explain(TlsRecords::Outcome outcome) const {
  if (handshake_.refused) return *handshake_.refused;
  if (outcome == TlsRecords::Outcome::ended) return {ErrorKind::disconnected, who(handshake_) + " closed the connection", ""};
  const unsigned long code = ERR_peek_error();
  ERR_clear_error();
  Error error = words_of_failure(who(handshake_), code);
  // Whoever sits on the line may break a proven connection, but must not do more than that: only what a peer itself says counts.
  if (proven_ && error.kind != ErrorKind::identity) error.kind = ErrorKind::disconnected;
  return error;
}

Task<Result<void>> TlsConnection::flush() {
  Bytes going = records_->take_output();
  if (going.empty()) co_return Result<void>();
  const ByteView view(going);
  const std::span<const ByteView> pieces(&view, 1);
  co_return co_await inner_->write(pieces);
}

Task<Result<void>> TlsConnection::fill() {
  const ByteSpan room = records_->room();
  const Result<std::size_t> count = co_await inner_->read_some(room);
  if (!count.ok()) co_return count.error();
  records_->came(*count);
  co_return Result<void>();
}

// 1. Refused, we send the alert and close while the peer's next bytes lie unread. 2. The kernel then answers with a reset. 3. The
// reset overtakes the alert, and the peer never learns why. So its bytes are read, and dropped, until it closes.
Task<Result<void>> TlsConnection::drain() {
  Bytes dropped(read_bytes_min);
  for (std::size_t total = 0; total < lingering_bytes_max;) {
    const ByteSpan room(dropped);
    const Result<std::size_t> count = co_await inner_->read_some(room);
    if (!count.ok()) break;
    total += *count;
  }
  co_return Result<void>();
}

Task<Result<void>> TlsConnection::shake_hands() {
  for (std::size_t received = 0;;) {
    const TlsRecords::Outcome outcome = records_->handshake();
    if (outcome == TlsRecords::Outcome::failed || outcome == TlsRecords::Outcome::ended) {
      const Error error = explain(outcome);
      const Result<void> alert = co_await flush();
      if (alert.ok()) (void)co_await with_timeout(clock_, lingering_max, "the end of a refused peer", drain());
      co_return error;
    }
    CCR_CO_TRY(co_await flush());
    if (outcome == TlsRecords::Outcome::done) co_return Result<void>();
    if (received > handshake_bytes_max)
      co_return Error{ErrorKind::protocol, who(handshake_) + " sent more than 64 KiB of handshake", ""};
    const Result<void> filled = co_await fill();
    if (!filled.ok()) {
      co_return Error{ErrorKind::disconnected, who(handshake_) + " closed the connection in the middle of the TLS handshake",
                      same_mode};
    }
    received += records_->pending();
  }
}

Task<Result<void>> TlsConnection::prove() {
  CCR_ASSERT(!proven_);
  handshake_.now = clock_.wall_now();
  rules_version_ = handshake_.expected.rules->version;
  CCR_CO_TRY(identity_->check_dates(handshake_.now));
  CCR_CO_TRY(co_await shake_hands());
  const unsigned char* protocol = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(records_->session(), &protocol, &size);
  const bool spoken = std::string_view(reinterpret_cast<const char*>(protocol), size) == tls_protocol;
  if (!spoken)
    co_return Error{ErrorKind::unsupported, who(handshake_) + " chose no protocol (ALPN), expected ccr/1",
                    "is it ccr? ccr version"};
  CCR_ASSERT(handshake_.proven && SSL_version(records_->session()) == TLS1_3_VERSION);
  proven_ = true;
  co_return Result<void>();
}

Result<void> TlsConnection::judge_again() {
  const std::uint64_t version = handshake_.expected.rules->version;
  if (rules_version_ == version) return {};
  const X509* certificate = SSL_get0_peer_certificate(records_->session());
  CCR_ASSERT(certificate != nullptr);
  CertificateVerdict verdict = judge_by_rules(facts_of(*certificate), handshake_.expected);
  if (verdict.x509_error != X509_V_OK) {
    inner_->close();
    failure_ = verdict.error;
    return std::move(verdict.error);
  }
  rules_version_ = version;
  return {};
}

std::string TlsConnection::proven_node() const { return proven_ ? handshake_.proven->node : std::string(); }

Task<Result<std::size_t>> TlsConnection::read_some(ByteSpan into) {
  CCR_ASSERT(proven_ && !into.empty());
  const OneAtATime alone(reading_);
  while (!failure_) {
    std::size_t count = 0;
    CCR_CO_TRY(judge_again());
    const TlsRecords::Outcome outcome = records_->decrypt(into, count);
    if (outcome == TlsRecords::Outcome::failed || outcome == TlsRecords::Outcome::ended) failure_ = explain(outcome);
    if (count > 0) {
      heard_ = true;
      co_return count;
    }
    if (failure_) break;
    const Result<void> filled = co_await fill();
    if (!filled.ok()) co_return failure_ ? *failure_ : filled.error();
  }
  co_return *failure_;
}

// The peer's refusal, if that is what ended the connection; else `error`.
Task<Result<void>> TlsConnection::refusal_after(Error error) {
  if (heard_ || reading_ || error.kind != ErrorKind::disconnected) co_return error;
  const OneAtATime alone(reading_);
  for (std::size_t received = 0; received < handshake_bytes_max; received += records_->pending()) {
    std::byte unused;
    std::size_t count = 0;
    const ByteSpan one(&unused, 1);
    const TlsRecords::Outcome outcome = records_->decrypt(one, count);
    if (count > 0) co_return error;
    if (outcome != TlsRecords::Outcome::wants_input) co_return explain(outcome);
    const Result<void> filled = co_await fill();
    if (!filled.ok()) co_return error;
  }
  co_return error;
}

Task<Result<void>> TlsConnection::write(std::span<const ByteView> pieces) {
  CCR_ASSERT(proven_);
  const OneAtATime alone(writing_);
  std::vector<ByteView> left(pieces.begin(), pieces.end());
  std::span<ByteView> rest(left);
  do {
    CCR_CO_TRY(judge_again());
    const TlsRecords::Outcome outcome = records_->encrypt(rest);
    if (outcome != TlsRecords::Outcome::done) co_return explain(outcome);
    const Result<void> sent = co_await flush();
    if (!sent.ok()) co_return co_await refusal_after(sent.error());
  } while (!rest.empty());
  co_return Result<void>();
}

void TlsConnection::close() { inner_->close(); }
Endpoint TlsConnection::peer() const { return inner_->peer(); }

ConnectionFacts TlsConnection::facts() const {
  ConnectionFacts facts = inner_->facts();
  if (proven_) facts.tls = SSL_get_cipher_name(records_->session());
  return facts;
}

}  // namespace ccr::transport
