// Where rank 0 listens, and by which of its own addresses a rank reaches it.
//
// Nothing here trusts or checks who connects: docs/distributed.md, "Trusted
// networks only".
// Thread safety: any thread.
#pragma once

#include <cstdint>
#include <string>

#include "moft/distributed/launch.h"

namespace moft {

// The master's address in digits ("10.0.0.1", "fd00::1"), the same on every
// rank whose resolver agrees: IPv4 before IPv6, and other addresses before
// loopback ones unless all ranks are on this machine. Throws CallerError when
// the name has no address, and when it has only loopback addresses while some
// ranks are on other machines (a line "127.0.1.1 <host>" in /etc/hosts).
std::string resolve_master(const Launch& launch);

// The address of this machine from which packets to `address` leave; sends
// nothing. Throws WorldError when there is no route.
std::string local_address_towards(
    const std::string& address, std::uint16_t port);

// A socket bound to `address` and `port` (0: any free port), not yet
// listening. The caller owns the descriptor. Throws WorldError when the port
// is in use or the address is not this machine's.
int bind_listener(const std::string& address, std::uint16_t port);
// The port of such a socket.
std::uint16_t port_of(int descriptor);

}  // namespace moft
