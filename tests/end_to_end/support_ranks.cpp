// Ports, variables, processes.
#include "tests/end_to_end/support_ranks.h"

#include <stdexcept>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace moft::test {

int free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* plain = reinterpret_cast<sockaddr*>(&address);
  if (::bind(socket, plain, size) != 0) throw std::runtime_error("bind");
  ::getsockname(socket, plain, &size);
  ::close(socket);
  return ntohs(address.sin_port);
}

Words variables_of(int rank, int size, int port) {
  return {
      "RANK=" + std::to_string(rank),
      "WORLD_SIZE=" + std::to_string(size),
      "LOCAL_RANK=" + std::to_string(rank),
      "LOCAL_WORLD_SIZE=" + std::to_string(size),
      "MASTER_ADDR=127.0.0.1",
      "MASTER_PORT=" + std::to_string(port)};
}

Ranks::Ranks(
    const std::filesystem::path& folder, const Words& arguments, int size) {
  const int port = free_port();
  for (int rank = 0; rank < size; ++rank) {
    const auto error = folder / ("error-" + std::to_string(rank) + ".json");
    programs_.push_back(std::make_unique<Program>(
        folder,
        arguments,
        std::nullopt,
        with(
            variables_of(rank, size, port),
            {"TORCHELASTIC_ERROR_FILE=" + error.string()})));
  }
}

void Ranks::expect_code(int code) {
  for (const auto& program : programs_)
    EXPECT_EQ(program->exit_code(), code) << program->errors();
}

}  // namespace moft::test
