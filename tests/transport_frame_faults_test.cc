// What a hostile or broken peer, or a network that lost or changed bytes, may put where a frame belongs: each ends its connection
// with a named error, nothing is delivered that was not sent, and no memory is taken for a length that is no frame's.
#include <array>

#include "tests/transport_frames.h"

namespace ccr::transport::frame_faults_test {
namespace {

// FAULTS section 6, the groups of these names.
constexpr std::size_t header_cases_min = 216, cut_cases_min = 3'000, flip_cases_min = 4'072, order_cases_min = 120;
constexpr std::uint64_t own_session = 0x51;
constexpr std::uint8_t greeting_type_max = 3;  // Hello, Welcome, Refuse: all that is heard before the handshake ended
constexpr std::size_t payload_bits = 1'000;    // of all messages; and each of a Tip

struct Sample {
  std::string name;
  std::uint8_t type = 0;
  Bytes body;
  bool greets() const { return type <= greeting_type_max; }
  std::uint64_t session() const { return greets() ? 0 : own_session; }  // of the frames in which it comes
  std::size_t room_max() const { return std::max(body.size(), FramedConnection::read_ahead_bytes); }
};

// One of each type, the number of a type being its place from 1; short ones, as each is cut after each byte.
const std::vector<Sample>& samples() {
  static const std::vector<Sample> all = [] {
    const Bytes page = random_bytes(page_bytes_min, 1), block = random_bytes(log_block_bytes, 2);
    std::vector<Sample> made;
    for (Message& message : sample_messages(page)) {
      if (auto* log = std::get_if<LogData>(&message)) log->bytes = block;
      made.push_back({type_name(type_of(message)), type_of(message), encode(message)});
    }
    return made;
  }();
  return all;
}

const Sample& sample_of(std::uint8_t type) { return samples()[type - 1u]; }
Bytes frame_of(const Sample& sample, std::uint64_t session, std::uint64_t sequence) {
  return transport::frame_of(sample.type, sample.body, session, sequence);
}

// --- frame header ------------------------------------------------------------------------------------------------------------

constexpr std::size_t edges_per_field = 9;

struct Field {
  const char* name;
  std::size_t at, bytes;
  ErrorKind kind;  // of another value, where the header's checksum holds
  const char* says;
};

constexpr std::array<Field, 12> fields{{
    {"magic", 0, 4, ErrorKind::protocol, "the peer does not speak ccr"},
    {"version", 4, 2, ErrorKind::unsupported, "this build reads 1"},
    {"type", 6, 1, ErrorKind::protocol, "message "},
    {"flags", 7, 1, ErrorKind::protocol, "frame: reserved bytes are in use"},
    {"session", 8, 8, ErrorKind::protocol, ", this connection's is "},
    {"sequence", 16, 8, ErrorKind::protocol, ", expected 1"},
    {"length", 24, 4, ErrorKind::protocol, " are allowed here"},
    {"reserved", 28, 4, ErrorKind::protocol, "frame: reserved bytes are in use"},
    {"body checksum", 32, 8, ErrorKind::corrupt, ": body checksum is "},
    {"reserved, first half", 40, 8, ErrorKind::protocol, "frame: reserved bytes are in use"},
    {"reserved, second half", 48, 8, ErrorKind::protocol, "frame: reserved bytes are in use"},
    {"header checksum", 56, 8, ErrorKind::corrupt, "frame: header checksum is "},
}};

// A connection as it is when the frame comes.
struct Moment {
  const char* name;
  const Sample& sample;  // the frame that is bent
  std::size_t body_max;
};

std::array<Moment, 2> moments() {
  return {{{"before the handshake ended", sample_of(1), handshake_body_max}, {"after it", sample_of(5), frame_body_max}}};
}

std::uint64_t value_at(const Bytes& frame, const Field& field) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < field.bytes; ++i) value |= std::uint64_t(frame[field.at + i]) << (8 * i);
  return value;
}

Bytes with(Bytes frame, const Field& field, std::uint64_t value) {
  for (std::size_t i = 0; i < field.bytes; ++i) frame[field.at + i] = std::byte(value >> (8 * i));
  return frame;
}

std::uint64_t byte_swapped(std::uint64_t value, std::size_t bytes) {
  std::uint64_t swapped = 0;
  for (std::size_t i = 0; i < bytes; ++i) swapped = swapped << 8 | ((value >> (8 * i)) & 0xff);
  return swapped;
}

// What is near the ends of the field's range and near the right value, the field's own limits first.
std::vector<std::uint64_t> edges(const Field& field, std::uint64_t right, const std::vector<std::uint64_t>& limits) {
  const std::uint64_t most = ~std::uint64_t{0} >> (64 - 8 * field.bytes), half = most / 2 + 1;
  std::vector<std::uint64_t> candidates = limits;
  for (const std::uint64_t value :
       {std::uint64_t{0}, std::uint64_t{1}, most, half, half - 1, right + 1, right - 1, ~right, byte_swapped(right, field.bytes),
        std::uint64_t{2}, most - 1, half + 1, most / 3, std::uint64_t{3}})
    candidates.push_back(value & most);
  std::vector<std::uint64_t> values;
  for (const std::uint64_t value : candidates) {
    const bool taken = std::find(values.begin(), values.end(), value) != values.end();
    if (value != right && !taken && values.size() < edges_per_field) values.push_back(value);
  }
  return values;
}

std::vector<std::uint64_t> limits_of(const Field& field, const Moment& moment) {
  const std::string name = field.name;
  if (name == "type") return {samples().size() + 1, greeting_type_max + 1u};
  if (name == "length") return {moment.body_max, moment.body_max + 1};
  return {};
}

// Checksums that hold, of something else than the header's first 56 bytes, and ways to write the right one wrongly.
std::vector<std::uint64_t> other_checksums(const Bytes& frame) {
  const ByteView header = ByteView(frame).first(frame_header_bytes), body = ByteView(frame).subspan(frame_header_bytes);
  const std::uint64_t right = digest64(header.first(56));
  Bytes emptied(header.begin(), header.begin() + 56);
  emptied.resize(frame_header_bytes);
  return {digest64(header.first(55)),
          digest64(header.first(57)),
          digest64(header.first(32)),
          digest64(header.subspan(4, 52)),
          digest64(emptied),
          digest64(body),
          byte_swapped(right, 8),
          right >> 32,
          right << 32};
}

// A header whose checksum holds and whose length is another than the body's.
Fault wrong_length(Fault fault, const Moment& moment, std::uint64_t length) {
  const std::size_t right = moment.sample.body.size();
  if (length > moment.body_max) {
    fault.says =
        "frame: a body of " + std::to_string(length) + " bytes, at most " + std::to_string(moment.body_max) + " are allowed here";
    return fault;
  }
  fault.room_max = std::max(moment.sample.room_max(), std::size_t(length));
  fault.kind = length < right ? ErrorKind::corrupt : ErrorKind::disconnected;
  fault.says = length < right ? ": body checksum is " : "the peer closed the connection";
  return fault;
}

// A header whose checksum holds, with another value than the right one.
Fault sealed_fault(const Field& field, std::uint64_t value, const Moment& moment) {
  const std::string name = field.name;
  Fault fault{"", moment.sample.session(), {}, 0, field.kind, field.says};
  fault.bytes = sealed(with(frame_of(moment.sample, moment.sample.session(), 1), field, value));
  if (name == "version") fault.says = "frame: format version " + std::to_string(value) + ", this build reads 1";
  if (name == "session") fault.says = " of session " + to_hex(value) + ", this connection's is " + to_hex(moment.sample.session());
  if (name == "sequence") fault.says = " with sequence " + std::to_string(value) + ", expected 1";
  if (name == "type" && moment.sample.greets() && value > greeting_type_max) fault.says = " before the handshake ended";
  if (name == "length") fault = wrong_length(std::move(fault), moment, value);
  return fault;
}

std::vector<Fault> header_faults() {
  std::vector<Fault> faults;
  for (const Moment& moment : moments()) {
    const Bytes good = frame_of(moment.sample, moment.sample.session(), 1);
    const auto add = [&](const Field& field, std::uint64_t value, const char* checksum, Fault fault) {
      fault.name = std::string(field.name) + " " + to_hex(value) + ", " + checksum + ", " + moment.name;
      faults.push_back(std::move(fault));
    };
    for (const Field& field : fields) {
      const bool is_checksum = &field == &fields.back(), is_magic = &field == &fields.front();
      const Field& refuses = is_magic ? field : fields.back();  // the magic is looked at before the checksum, all else behind it
      for (const std::uint64_t value : edges(field, value_at(good, field), limits_of(field, moment))) {
        add(field, value, "bad checksum", {"", moment.sample.session(), with(good, field, value), 0, refuses.kind, refuses.says});
        if (!is_checksum) add(field, value, "good checksum", sealed_fault(field, value, moment));
      }
    }
    for (const std::uint64_t value : other_checksums(good)) {
      const Field& field = fields.back();
      add(field, value, "of something else", {"", moment.sample.session(), with(good, field, value), 0, field.kind, field.says});
    }
  }
  return faults;
}

TEST(FrameFaults, OfHeaderFieldsEndWithANamedError) { expect_ends(header_faults()); }

// --- cuts --------------------------------------------------------------------------------------------------------------------

// The stream ends after each byte of the second frame; the first one is whole, and heard.
std::vector<Fault> cuts_of(const Sample& sample) {
  const std::uint64_t session = sample.session();
  const Bytes before = frame_of(sample_of(sample.greets() ? 3 : 25), session, 1), frame = frame_of(sample, session, 2);
  std::vector<Fault> faults;
  for (std::size_t size = 0; size < frame.size(); ++size) {
    const Bytes cut(frame.begin(), frame.begin() + std::ptrdiff_t(size));
    faults.push_back({sample.name + " cut after " + std::to_string(size) + " bytes", session, before + cut, 1,
                      ErrorKind::disconnected, "the peer closed the connection", sample.room_max()});
  }
  return faults;
}

TEST(FrameFaults, ACutAfterAnyByteOfAnyMessageIsADisconnection) {
  for (const Sample& sample : samples()) expect_ends(cuts_of(sample));
}

// --- flips -------------------------------------------------------------------------------------------------------------------

constexpr std::array<const char*, 6> flipped_headers{"Hello", "LogData", "Tip", "ExtentAsk", "SeedFinish", "LogPacked"};

Fault flip_of(const Sample& sample, std::size_t bit) {
  Fault fault{sample.name + ", bit " + std::to_string(bit),
              sample.session(),
              frame_of(sample, sample.session(), 1),
              0,
              ErrorKind::corrupt,
              ": body checksum is ",
              sample.room_max()};
  fault.bytes[bit / 8] ^= std::byte(1 << (bit % 8));
  if (bit >= frame_header_bytes * 8) return fault;
  const Field& refuses = bit < 32 ? fields.front() : fields.back();
  fault.kind = refuses.kind;
  fault.says = refuses.says;
  fault.room_max = FramedConnection::read_ahead_bytes;
  return fault;
}

std::vector<Fault> flips() {
  std::vector<Fault> faults;
  for (const char* name : flipped_headers) {
    const Sample& sample = *std::find_if(samples().begin(), samples().end(), [&](const Sample& one) { return one.name == name; });
    for (std::size_t bit = 0; bit < frame_header_bytes * 8; ++bit) faults.push_back(flip_of(sample, bit));
  }
  const Sample& tip = sample_of(5);
  for (std::size_t bit = 0; bit < tip.body.size() * 8; ++bit) faults.push_back(flip_of(tip, frame_header_bytes * 8 + bit));
  Random random(2);
  for (std::size_t drawn = 0; drawn < payload_bits;) {
    const Sample& sample = samples()[random.below(samples().size())];
    if (sample.body.empty()) continue;
    faults.push_back(flip_of(sample, frame_header_bytes * 8 + random.below(sample.body.size() * 8)));
    ++drawn;
  }
  return faults;
}

TEST(FrameFaults, AFlippedBitIsRefused) { expect_ends(flips()); }

// --- order -------------------------------------------------------------------------------------------------------------------

// A frame names neither database nor epoch: its session stands for both, as each Hello speaks of one of each and draws its own.
constexpr std::array<std::pair<const char*, std::uint64_t>, 3> other_sessions{{{"of the session before", 0x50},
                                                                               {"of another database's session", 0x1051},
                                                                               {"of another epoch's session", 0x5100000000000051}}};

// All that a peer sent in a session, from its first frame on: one of each type, and a Tip.
std::vector<Bytes> recording(std::uint64_t session) {
  std::vector<Bytes> frames;
  for (const Sample& sample : samples()) frames.push_back(frame_of(sample, session, frames.size() + 1));
  frames.push_back(frame_of(sample_of(5), session, frames.size() + 1));
  return frames;
}

constexpr std::size_t sample_bytes_max = log_block_bytes + KiB;

std::string out_of_turn(std::size_t found, std::size_t expected) {
  return " with sequence " + std::to_string(found) + ", expected " + std::to_string(expected);
}

std::vector<Fault> order_faults() {
  const std::vector<Bytes> own = recording(own_session);
  std::vector<Fault> faults;
  Bytes before;
  for (std::size_t i = 0; i < samples().size(); ++i) {
    const Sample& sample = samples()[i];
    const std::size_t sequence = i + 1;
    const auto add = [&](const std::string& what, const Bytes& then, std::size_t good, const std::string& says) {
      faults.push_back({sample.name + " " + what, own_session, before + then, good, ErrorKind::protocol, says, sample_bytes_max});
    };
    add("twice", own[i] + own[i], i + 1, out_of_turn(sequence, sequence + 1));
    add("left out", own[i + 1], i, out_of_turn(sequence + 1, sequence));
    add("behind the next one", own[i + 1] + own[i], i, out_of_turn(sequence + 1, sequence));
    for (const auto& [what, session] : other_sessions) {
      add(what, frame_of(sample, session, sequence), i,
          "frame " + sample.name + " of session " + to_hex(session) + ", this connection's is 51");
    }
    if (!sample.greets()) {
      const bool too_long = sample.body.size() > handshake_body_max;  // which is looked at first
      faults.push_back({sample.name + " too early", 0, frame_of(sample, 0, 1), 0, ErrorKind::protocol,
                        too_long ? "at most 4096 are allowed here" : "frame " + sample.name + " before the handshake ended"});
    }
    before = std::move(before) + own[i];
  }
  return faults;
}

TEST(FrameFaults, AFrameOutOfItsTurnOrOfAnotherSessionEndsTheConnection) { expect_ends(order_faults()); }

// --- all of them -------------------------------------------------------------------------------------------------------------

TEST(FrameFaults, ThereAreAsManyAsTheCatalogueAsksFor) {
  std::size_t cuts = 0;
  for (const Sample& sample : samples()) cuts += cuts_of(sample).size();
  EXPECT_EQ(header_faults().size(), moments().size() * header_cases_min);
  EXPECT_GE(cuts, cut_cases_min);
  EXPECT_GE(flips().size(), flip_cases_min);
  EXPECT_GE(order_faults().size(), order_cases_min);
}

}  // namespace
}  // namespace ccr::transport::frame_faults_test
