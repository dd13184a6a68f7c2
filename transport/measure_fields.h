// The fields of the messages of a measurement, in wire order, for transport/messages.cc.
#pragma once

#include <bit>

#include "transport/body_codec.h"
#include "transport/measure_messages.h"
#include "transport/messages.h"

namespace ccr::transport {

template <class A>
void fields(A& a, typename A::template Ref<MeasureAsk> m) {
  a.word(m.step, MeasureStep::seed);
  a.u64(m.run);
  a.u32(m.milliseconds);
  a.u64(m.bytes_max);
  a.u32(m.message_bytes);
  a.u64(m.window);
  a.word(m.congestion, MeasureCongestion::reno);
  a.name(m.database);
  a.require(m.milliseconds <= measure_milliseconds_max, "a step of more than 60 s");
  a.require(m.window <= measure_window_max, "a window of more than 64 MiB");
  a.require(m.message_bytes <= measure_message_bytes_max, "writes of more than 4 MiB");
  a.require(m.step != MeasureStep::send || (m.message_bytes > 0 && m.message_bytes <= tail_bytes_max),
            "messages of nothing, or of more than 1 MiB");
  a.require(m.step != MeasureStep::send || m.message_bytes % measure_grain_bytes == 0, "messages that are not whole grains of 64 bytes");
  a.require(m.step != MeasureStep::disk || (m.message_bytes > 0 && m.message_bytes % log_block_bytes == 0),
            "writes that are not whole blocks of 4096 bytes");
  a.require(m.step != MeasureStep::seed || (std::has_single_bit(m.message_bytes) && m.message_bytes >= 512 && m.message_bytes <= 64 * KiB), "pages of no size that a database can have");
}

inline constexpr std::size_t measure_data_fields = 8;
template <class A>
void fields(A& a, typename A::template Ref<MeasureData> m) {
  a.u64(m.number);
  a.tail(m.bytes);
  a.require(!m.bytes.empty() && m.bytes.size() <= tail_bytes_max, "nothing to measure with, or more than 1 MiB");
  a.require(m.bytes.size() % measure_grain_bytes == 0, "a message that is not whole grains of 64 bytes");
}

template <class A>
void fields(A& a, typename A::template Ref<MeasureEnd> m) {
  a.u64(m.bytes);
  a.u64(m.nanoseconds);
  a.u64(m.processor_nanoseconds);
  a.u64(m.latency.count);
  a.u64(m.latency.least);
  a.u64(m.latency.p50);
  a.u64(m.latency.p90);
  a.u64(m.latency.p99);
  a.u64(m.latency.p999);
  a.u64(m.latency.most);
  a.name(m.congestion);
  a.u64(m.retransmits);
  a.digests(m.slots, measure_slots_max);
  a.u64(m.root);
}

}  // namespace ccr::transport
