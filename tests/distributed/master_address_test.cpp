#include "moft/distributed/master_address.h"

#include <string>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

Launch launch_to(const std::string& address, int size, int local_size) {
  Launch launch;
  launch.size = size;
  launch.local_size = local_size;
  launch.master_address = address;
  launch.master_port = 29'500;
  return launch;
}

TEST(MasterAddress, IsInDigits) {
  EXPECT_EQ(resolve_master(launch_to("127.0.0.1", 2, 2)), "127.0.0.1");
  EXPECT_EQ(resolve_master(launch_to("192.0.2.7", 4, 2)), "192.0.2.7");
  EXPECT_EQ(resolve_master(launch_to("localhost", 2, 2)), "127.0.0.1");
}

// The line "127.0.1.1 <host>" in /etc/hosts, as Debian's installer writes it.
TEST(MasterAddress, IsNotALoopbackAddressForOtherMachines) {
  for (const char* address : {"127.0.1.1", "::1", "localhost"}) {
    try {
      resolve_master(launch_to(address, 4, 2));
      ADD_FAILURE() << address;
    } catch (const CallerError& error) {
      EXPECT_NE(
          std::string(error.what()).find("other machines cannot reach"),
          std::string::npos)
          << error.what();
    }
  }
}

TEST(MasterAddress, RefusesANameWithoutAddress) {
  // RFC 2606: never a name.
  EXPECT_THROW(resolve_master(launch_to("a.invalid", 2, 2)), CallerError);
}

TEST(MasterAddress, IsReachedFromItsOwnInterface) {
  EXPECT_EQ(local_address_towards("127.0.0.1", 80), "127.0.0.1");
}

// Whoever connects to another address of this machine is refused.
TEST(MasterAddress, ListensOnItsAddressOnly) {
  const int listener = bind_listener("127.0.0.1", 0);
  ASSERT_EQ(::listen(listener, 1), 0);
  const std::uint16_t port = port_of(listener);
  EXPECT_GT(port, 0);
  const auto connects = [port](const char* address) {
    sockaddr_in target{};
    target.sin_family = AF_INET;
    target.sin_port = htons(port);
    ::inet_pton(AF_INET, address, &target.sin_addr);
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    const int result =
        ::connect(socket, reinterpret_cast<sockaddr*>(&target), sizeof target);
    ::close(socket);
    return result == 0;
  };
  EXPECT_TRUE(connects("127.0.0.1"));
  EXPECT_FALSE(connects("127.0.0.2"));
  ::close(listener);
}

TEST(MasterAddress, SaysThatAPortIsInUse) {
  const int listener = bind_listener("127.0.0.1", 0);
  ASSERT_EQ(::listen(listener, 1), 0);
  try {
    bind_listener("127.0.0.1", port_of(listener));
    ADD_FAILURE();
  } catch (const WorldError& error) {
    EXPECT_NE(
        std::string(error.what()).find("set MASTER_ADDR"), std::string::npos);
  }
  ::close(listener);
  // Not an address of this machine.
  EXPECT_THROW(bind_listener("192.0.2.7", 0), WorldError);
}

}  // namespace
}  // namespace moft
