// A server of chat completions of our own (chat_server.py) beside a test.
#pragma once

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace moft::test {

class ChatServer {
 public:
  ChatServer() {
    namespace fs = std::filesystem;
    std::string pattern =
        (fs::temp_directory_path() / "moft-chat-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    std::vector<std::string> words = {
        "python3",
        std::string(MOFT_SOURCE_DIR) + "/tests/support/chat_server.py",
        folder_.string()};
    std::vector<char*> pointers;
    for (std::string& word : words)
      pointers.push_back(word.data());
    pointers.push_back(nullptr);
    if (::posix_spawnp(
            &server_, "python3", nullptr, nullptr, pointers.data(), environ))
      throw std::runtime_error("python3 cannot be started");
    while (!fs::exists(folder_ / "port")) {
      if (::waitpid(server_, nullptr, WNOHANG) == server_)
        throw std::runtime_error("the server ended");
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
  ~ChatServer() {
    ::kill(server_, SIGKILL);
    ::waitpid(server_, nullptr, 0);
    std::filesystem::remove_all(folder_);
  }
  ChatServer(const ChatServer&) = delete;
  ChatServer& operator=(const ChatServer&) = delete;

  std::string url() const { return "http://127.0.0.1:" + read("port") + "/v1"; }
  // For files of the test.
  const std::filesystem::path& folder() const { return folder_; }

  // What has been asked, in the order of arrival.
  std::vector<nlohmann::json> requests() const {
    std::istringstream lines(read("requests"));
    std::vector<nlohmann::json> found;
    for (std::string line; std::getline(lines, line);)
      found.push_back(nlohmann::json::parse(line));
    return found;
  }
  std::string read(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(folder_ / name).rdbuf();
    return text.str();
  }

 private:
  std::filesystem::path folder_;
  pid_t server_ = -1;
};

}  // namespace moft::test
