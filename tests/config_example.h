// The configuration of the manual, as a test starts from it: every key stands in it, [tls] is off.
#pragma once

#include <string>

namespace ccr::engine {

inline const std::string example_config = R"(cluster = "lab"

[nodes.alpha]
addresses = ["10.77.0.1:64327", "10.78.0.1:64327"]
[nodes.beta]
addresses = ["10.77.0.2:64327", "10.78.0.2:64327"]

[tls]
mode = "off"
ca   = "/etc/ccr/tls/ca.pem"
cert = "/etc/ccr/tls/{node}.pem"
key  = "/etc/ccr/tls/{node}.key"

[databases.orders]
kind   = "sqlite"
path   = "/srv/orders/orders.db"
logs   = "/srv/orders-log"
copies = ["alpha", "beta"]
generation_size = "1MiB"
log_budget      = "64GiB"
replay_lag      = { beta = "0s" }

[transport]
window      = "auto"
congestion  = "auto"
compression = "auto"
streams     = "auto"
seed_rate   = "unlimited"
heartbeat   = { interval = "1.2s", missed = 4 }

[verify]
rate = "200MB/s"

[scrub]
every = "7d"
rate  = "20MB/s"
when  = "always"
)";

}  // namespace ccr::engine
