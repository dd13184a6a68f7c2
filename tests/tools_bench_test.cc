// What `ccr bench` prints of a measurement.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tools/bench_text.h"

namespace ccr::tools::tools_bench_test {
namespace {

using nlohmann::json;

TEST(BenchText, ALinkIsATableOfItsRuns) {
  const json result = json::parse(R"({"schema":1,"kind":"bench_link","when":"2026-01-02T03:04:05Z","node":"alpha","peer":"beta","seconds":10.04,
    "percentiles":[{"name":"round trip","unit":"us","count":900,"least":190,"p50":210,"p90":250,"p99":400,"p999":12000,"most":13000}],
    "runs":[{"from":"alpha","to":"beta","streams":1,"bytes_per_second":112400000,"processors_here":0.25,"processors_there":null,"congestion":"cubic","retransmits":3,
             "connections":[{"window_granted":65536,"peer_window":6291456,"rtt_seconds":0.0002}]},
            {"from":"alpha","to":"beta","streams":2,"bytes_per_second":116000000,"processors_here":0.25,"processors_there":0.5,"congestion":null,"retransmits":null,"connections":[]}],
    "verdict":{"text":"alpha to beta: 116.0 MB/s with 2 streams, 97 % of it with one"}})");
  EXPECT_EQ(bench_text(result),
            "link: alpha with beta, 10.0 s, 2026-01-02T03:04:05Z\n"
            "\n"
            "LATENCY     COUNT  LEAST   P50     P90     P99     P99.9    MOST\n"
            "round trip  900    190 us  210 us  250 us  400 us  12.0 ms  13.0 ms\n"
            "\n"
            "DIRECTION      STREAMS  RATE        SHARE  CPU HERE  CPU THERE  WINDOW   RTT     RESENT  CONGESTION\n"
            "alpha to beta  1        112.4 MB/s  97 %   0.25      -          6.0 MiB  200 us  3       cubic\n"
            "alpha to beta  2        116.0 MB/s  100 %  0.25      0.50       -        -       -       -\n"
            "\n"
            "alpha to beta: 116.0 MB/s with 2 streams, 97 % of it with one\n");
}

TEST(BenchText, ALogIsATableOfItsBlocks) {
  const json result = json::parse(R"({"kind":"bench_log","when":"2026-01-02T03:04:05Z","node":"alpha","peer":null,"seconds":8,"directory":"/srv/log","percentiles":[],
    "rows":[{"node":"alpha","block_bytes":4096,"syncs_per_second":2500.4,"bytes_per_second":10240000}],"shares":[{"share":0.05}],"verdict":{"text":"fine"}})");
  EXPECT_EQ(bench_text(result),
            "log: alpha, 8.0 s, 2026-01-02T03:04:05Z\n"
            "directory /srv/log\n"
            "\n"
            "NODE   BLOCK    SYNCS/S  RATE       SHARE\n"
            "alpha  4.0 KiB  2500     10.2 MB/s  5 %\n"
            "\n"
            "fine\n");
}

TEST(BenchText, APipeIsATableOfItsSecondsAndItsStages) {
  const json result = json::parse(R"({"kind":"bench_ship","when":"2026-01-02T03:04:05Z","node":"alpha","peer":"beta","seconds":20,"database":"orders","percentiles":[],
    "per_second":[{"seconds":1.0,"commits_per_second":1000,"page_bytes_per_second":65536000,"log_bytes_per_second":70000000,"wire_bytes_per_second":null,
                   "durable_there_p50_us":900,"durable_there_p99_us":1500,"on_the_way":3,"processors_here":0.9}],
    "many_clients":{"commits":8000,"page_bytes":1048576,"log_bytes":2097152,"wire_bytes":null,"processors_here":0.9,"processors_there":0.5},
    "stages":{"carriers":[{"name":"link","used":70000000,"limit":117000000,"share":0.6}],"processors":[{"name":"processor of alpha","used":0.9,"limit":1,"share":0.9}]},
    "verdict":{"text":"limited by the processor of alpha"}})");
  EXPECT_EQ(bench_text(result),
            "ship orders: alpha with beta, 20.0 s, 2026-01-02T03:04:05Z\n"
            "\n"
            "SECOND  COMMITS/S  PAGES      LOG        WIRE  P50 THERE  P99 THERE  ON THE WAY  CPU HERE\n"
            "1.0     1000       65.5 MB/s  70.0 MB/s  -     900 us     1500 us    3           0.90\n"
            "\n"
            "8000 commits: 1.0 MiB of pages, 2.0 MiB of log, - on the wire; CPU 0.90 here, 0.50 there\n"
            "\n"
            "STAGE               USED       LIMIT       SHARE\n"
            "link                70.0 MB/s  117.0 MB/s  60 %\n"
            "processor of alpha  0.90       1.00        90 %\n"
            "\n"
            "limited by the processor of alpha\n");
}

TEST(BenchText, ASeedIsATableOfItsDatabases) {
  const json result = json::parse(R"({"kind":"bench_seed","when":"2026-01-02T03:04:05Z","node":"alpha","peer":"beta","seconds":20,"directory":"/srv/log","percentiles":[],
    "per_second":[{"seconds":1.0,"page_bytes_per_second":65536000,"wire_bytes_per_second":66000000,"processors_here":0.5}],
    "databases":[{"database":1,"bytes":16777216,"wire_bytes":16900000,"seconds":0.5,"bytes_per_second":33554432,"root_equal":true},
                 {"database":2,"bytes":16777216,"wire_bytes":16900000,"seconds":0.4,"bytes_per_second":41943040,"root_equal":false}],
    "together":{"bytes":33554432,"wire_bytes":33800000,"seconds":0.5,"bytes_per_second":67108864,"processors_here":0.5,"processors_there":null,"root_equal":false},
    "stages":{"carriers":[{"name":"link","used":67600000,"limit":117000000,"share":0.58}],"processors":[]},"verdict":{"text":"fine"}})");
  EXPECT_EQ(bench_text(result),
            "seed: alpha with beta, 20.0 s, 2026-01-02T03:04:05Z\n"
            "directory /srv/log\n"
            "\n"
            "SECOND  PAGES      WIRE       CPU HERE\n"
            "1.0     65.5 MB/s  66.0 MB/s  0.50\n"
            "\n"
            "DATABASE  BYTES     SECONDS  RATE       WIRE      CPU HERE  CPU THERE  ROOT\n"
            "1         16.0 MiB  0.50     33.6 MB/s  16.1 MiB  -         -          equal\n"
            "2         16.0 MiB  0.40     41.9 MB/s  16.1 MiB  -         -          DIFFERS\n"
            "together  32.0 MiB  0.50     67.1 MB/s  32.2 MiB  0.50      -          DIFFERS\n"
            "\n"
            "STAGE  USED       LIMIT       SHARE\n"
            "link   67.6 MB/s  117.0 MB/s  58 %\n"
            "\n"
            "fine\n");
}

TEST(BenchText, WhatIsMissingIsNotKnownAndForeignTextIsSafe) {
  const std::string text = bench_text(json::parse(R"({"kind":"bench_link","node":"al\u001bpha","peer":7,"runs":[{}],"percentiles":[{}]})"));
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_NE(text.find("al\\x1bpha"), std::string::npos) << text;
}

}  // namespace
}  // namespace ccr::tools::tools_bench_test
