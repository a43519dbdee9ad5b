// Names to addresses, and sockets on them.
#include "moft/distributed/master_address.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

struct FreeAddresses {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};
using AddressList = std::unique_ptr<addrinfo, FreeAddresses>;

// The addresses of a name; `error` says why there are none.
AddressList look_up(
    const std::string& host, std::uint16_t port, int flags, int& error) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  error =
      ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (error != 0) found = nullptr;
  return AddressList(found);
}

std::string digits_of(const sockaddr* address, socklen_t length) {
  std::array<char, NI_MAXHOST> text{};
  const int error = ::getnameinfo(
      address, length, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST);
  if (error != 0)
    throw_world_error("network address: {}", ::gai_strerror(error));
  return text.data();
}

bool is_loopback(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    sockaddr_in four{};
    std::memcpy(&four, address, sizeof four);
    return (ntohl(four.sin_addr.s_addr) >> 24) == 127;
  }
  sockaddr_in6 six{};
  std::memcpy(&six, address, sizeof six);
  return IN6_IS_ADDR_LOOPBACK(&six.sin6_addr);
}

// Closes at the end of its scope unless released.
class Socket {
 public:
  Socket(int family, int type)
      : descriptor_(::socket(family, type | SOCK_CLOEXEC, 0)) {}
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  int descriptor() const { return descriptor_; }
  int release() {
    const int descriptor = descriptor_;
    descriptor_ = -1;
    return descriptor;
  }

 private:
  int descriptor_;
};

// The single address that digits stand for.
AddressList parse_digits(const std::string& address, std::uint16_t port) {
  int error = 0;
  AddressList found = look_up(address, port, AI_NUMERICHOST, error);
  if (!found) {
    throw_world_error("network address {}: {}", address, ::gai_strerror(error));
  }
  return found;
}

}  // namespace

std::string resolve_master(const Launch& launch) {
  int error = 0;
  const AddressList list =
      look_up(launch.master_address, launch.master_port, 0, error);
  if (!list) {
    throw_caller_error(
        "MASTER_ADDR {}: {}; give a name that every machine can resolve, or "
        "an address in digits",
        launch.master_address,
        ::gai_strerror(error));
  }
  std::vector<const addrinfo*> addresses;
  for (const addrinfo* entry = list.get(); entry; entry = entry->ai_next)
    addresses.push_back(entry);
  const auto rank_of = [&](const addrinfo* entry) {
    const bool far = !launch.all_local() && is_loopback(entry->ai_addr);
    return std::pair(far, entry->ai_family != AF_INET);
  };
  const addrinfo* best = *std::min_element(
      addresses.begin(), addresses.end(), [&](auto* a, auto* b) {
        return rank_of(a) < rank_of(b);
      });
  const std::string digits = digits_of(best->ai_addr, best->ai_addrlen);
  if (rank_of(best).first) {
    throw_caller_error(
        "MASTER_ADDR {}: its address on the machine of rank {} is {}, which "
        "other machines cannot reach; set MASTER_ADDR to the address of rank "
        "0's machine, or correct /etc/hosts",
        launch.master_address,
        launch.rank,
        digits);
  }
  return digits;
}

std::string local_address_towards(
    const std::string& address, std::uint16_t port) {
  const AddressList target = parse_digits(address, port);
  // Connecting a datagram socket chooses the route and sends nothing.
  const Socket socket(target->ai_family, SOCK_DGRAM);
  sockaddr_storage local{};
  socklen_t length = sizeof local;
  auto* own = reinterpret_cast<sockaddr*>(&local);
  if (::connect(socket.descriptor(), target->ai_addr, target->ai_addrlen) !=
          0 ||
      ::getsockname(socket.descriptor(), own, &length) != 0) {
    throw_world_error(
        "no route to {}, where rank 0 listens: {}; check MASTER_ADDR",
        address,
        std::strerror(errno));
  }
  return digits_of(own, length);
}

int bind_listener(const std::string& address, std::uint16_t port) {
  const AddressList target = parse_digits(address, port);
  Socket socket(target->ai_family, SOCK_STREAM);
  const int on = 1;
  // A port whose last user has just ended is free.
  ::setsockopt(socket.descriptor(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(socket.descriptor(), target->ai_addr, target->ai_addrlen) != 0) {
    throw_world_error(
        "cannot listen on {}, port {}: {}; set MASTER_ADDR to an address of "
        "rank 0's machine and MASTER_PORT to a free port",
        address,
        port,
        std::strerror(errno));
  }
  return socket.release();
}

std::uint16_t port_of(int descriptor) {
  sockaddr_storage local{};
  socklen_t length = sizeof local;
  if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&local), &length) !=
      0)
    throw_world_error("socket {}: {}", descriptor, std::strerror(errno));
  if (local.ss_family == AF_INET) {
    sockaddr_in four{};
    std::memcpy(&four, &local, sizeof four);
    return ntohs(four.sin_port);
  }
  sockaddr_in6 six{};
  std::memcpy(&six, &local, sizeof six);
  return ntohs(six.sin6_port);
}

}  // namespace moft
