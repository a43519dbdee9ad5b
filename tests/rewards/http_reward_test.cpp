// A reward server of our own: the ways it answers, and its faults.
#include "moft/rewards/outside/http_reward.h"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "moft/core/errors.h"
#include "moft/rewards/outside/http_channel.h"

#include "tests/rewards/outside_support.h"

extern char** environ;

namespace moft::test {
namespace {

namespace fs = std::filesystem;
using Values = std::vector<double>;

class HttpReward : public testing::Test {
 protected:
  HttpReward() {
    std::string pattern =
        (fs::temp_directory_path() / "moft-http-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    start();
    port_ = read("port");
  }
  ~HttpReward() override {
    stop();
    fs::remove_all(folder_);
  }

  void SetUp() override {
    try {
      require_http();
    } catch (const CallerError& error) {
      GTEST_SKIP() << error.what();
    }
  }

  // Arguments: port, host, certificate. False: it ended at once.
  bool start(std::vector<std::string> arguments = {"0"}) {
    std::vector<std::string> words = {
        "python3", outside_file("server.py").string(), folder_.string()};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> pointers;
    for (std::string& word : words)
      pointers.push_back(word.data());
    pointers.push_back(nullptr);
    fs::remove(folder_ / "port");
    EXPECT_EQ(
        ::posix_spawnp(
            &server_, "python3", nullptr, nullptr, pointers.data(), environ),
        0);
    while (!fs::exists(folder_ / "port")) {
      if (::waitpid(server_, nullptr, WNOHANG) == server_) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return true;
  }
  void stop() {
    ::kill(server_, SIGKILL);
    ::waitpid(server_, nullptr, 0);
  }

  std::string read(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(folder_ / name).rdbuf();
    return text.str();
  }
  std::vector<nlohmann::json> requests() const {
    std::istringstream lines(read("requests"));
    std::vector<nlohmann::json> found;
    for (std::string line; std::getline(lines, line);)
      found.push_back(nlohmann::json::parse(line));
    return found;
  }

  std::string objective(
      const std::string& path,
      const std::string& more = "",
      const std::string& name = "made") const {
    return "  " + name + ": {http: {url: \"http://127.0.0.1:" + port_ + path +
           "\"" + more + "}}\n";
  }
  static std::string objective_at(
      const std::string& url, const std::string& more = "") {
    return "  made: {http: {url: \"" + url + "\"" + more + "}}\n";
  }
  static RewardBatch batch() {
    static const Example kOne{
        .id = "e1", .fields = {{"label", "good"}}, .where = "posts.jsonl:1"};
    static const Example kTwo{
        .id = "e2", .fields = {{"label", "bad"}}, .where = "posts.jsonl:2"};
    RewardBatch made = answers_to({&kOne, &kTwo}, {"a", "bb", "ccc", "dddd"});
    made.raw_completions.clear();
    return made;
  }
  Values scores(const std::string& yaml, std::size_t objective = 0) const {
    return scores_of(objectives_from(yaml), batch(), objective);
  }
  std::string fault(const std::string& yaml) const {
    return fault_of(objectives_from(yaml), batch());
  }

  fs::path folder_;
  pid_t server_ = -1;
  std::string port_;
};

const Values kLengths = {1, 2, 3, 4};

TEST_F(HttpReward, PostsWhatOpenRlhfPosts) {
  EXPECT_EQ(scores(objective("/score")), kLengths);
  const auto sent = requests();
  ASSERT_EQ(sent.size(), 2u);
  const bool first = sent[0]["body"]["labels"][0] == "good";
  EXPECT_EQ(
      sent[first ? 0 : 1]["body"],
      nlohmann::json::parse(
          R"({"query": ["ask:a", "ask:bb"], "prompts": ["ask:", "ask:"],
              "labels": ["good", "good"]})"));
  EXPECT_TRUE(sent[0]["authorization"].is_null());
}

TEST_F(HttpReward, UnderstandsTheAnswersInUse) {
  EXPECT_EQ(
      scores(objective("/named", ", name: half")), (Values{.5, 1, 1.5, 2}));
  EXPECT_EQ(scores(objective("/logs", ", name: acc")), (Values{1, 1, 1, 1}));
  EXPECT_EQ(scores(objective("/logs", ", name: scores")), Values(4, 0.5));
  EXPECT_EQ(scores(objective("/components")), kLengths);
  EXPECT_EQ(
      scores(objective("/components", ", name: style")),
      (Values{-1, -2, -3, -4}));
  EXPECT_EQ(
      scores(objective("/score", ", format: slime, unit: row")), kLengths);
}

TEST_F(HttpReward, SeveralObjectivesComeFromOneCall) {
  const std::string yaml = objective("/named", ", name: length", "a") +
                           objective("/named", ", name: half", "b");
  const Scores both = objectives_from(yaml).score(batch());
  EXPECT_EQ(column_of(both.raw, 0), kLengths);
  EXPECT_EQ(column_of(both.raw, 1), (Values{.5, 1, 1.5, 2}));
  EXPECT_EQ(requests().size(), 2u);  // one for each prompt
}

TEST_F(HttpReward, AnswersThatComeLateAndOutOfOrderArePlacedByRow) {
  for (const char* unit : {"row", "group", "step"}) {
    EXPECT_EQ(
        scores(objective("/late", std::string(", unit: ") + unit)), kLengths);
  }
}

TEST_F(HttpReward, ConnectionsAreKeptAndUsedTogether) {
  const ObjectiveSet one =
      objectives_from(objective("/score", ", workers: 1, unit: row"));
  for (int step = 0; step < 3; ++step)
    EXPECT_EQ(scores_of(one, batch()), kLengths);
  std::set<int> connections;
  for (const auto& request : requests())
    connections.insert(request["connection"].get<int>());
  EXPECT_EQ(requests().size(), 12u);
  EXPECT_EQ(connections.size(), 1u);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(scores(objective("/slow", ", unit: row")), kLengths);
  // One after the other they take .8 s.
  EXPECT_LT(
      std::chrono::steady_clock::now() - start, std::chrono::milliseconds(700));
}

TEST_F(HttpReward, FaultsThatPassAreTriedAgain) {
  for (const char* fault :
       {"500", "429", "garbage", "reset", "body", "stall"}) {
    EXPECT_EQ(
        scores(objective(
            std::string("/once/") + fault, ", timeout: 1, unit: step")),
        kLengths)
        << fault;
  }
}

TEST_F(HttpReward, AServerThatSaysWhenIsAskedThen) {
  const auto start = std::chrono::steady_clock::now();
  testing::internal::CaptureStderr();
  EXPECT_EQ(scores(objective("/once/503", ", unit: step")), kLengths);
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("answered 503; attempt 2 follows in 2.0 s"), log.npos)
      << log;
}

TEST_F(HttpReward, AnswersInEveryPacking) {
  for (const char* path : {"/created", "/chunked", "/closes"})
    EXPECT_EQ(scores(objective(path, ", unit: row, workers: 1")), kLengths)
        << path;
}

TEST_F(HttpReward, ReadsAddressesOfVersionSix) {
  stop();
  if (!start({"0", "::1"})) GTEST_SKIP() << "this machine has no IPv6";
  EXPECT_EQ(
      scores(objective_at("http://[::1]:" + read("port") + "/score")),
      kLengths);
}

TEST_F(HttpReward, CertificatesAreVerified) {
  stop();
  const std::string file = (folder_ / "own.pem").string();
  const std::string make =
      "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost "
      "-addext subjectAltName=DNS:localhost -keyout " +
      file + " -out " + file + ".crt 2>/dev/null && cat " + file + ".crt >> " +
      file;
  if (std::system(make.c_str()) != 0)
    GTEST_SKIP() << "needs the program openssl";
  ASSERT_TRUE(start({"0", "127.0.0.1", file}));
  const std::string at = ":" + read("port") + "/score";
  const std::string trusts = ", certificates: " + file + ".crt";
  EXPECT_EQ(scores(objective_at("https://localhost" + at, trusts)), kLengths);
  for (const std::string& other :
       {objective_at("https://localhost" + at),
        objective_at("https://127.0.0.1" + at, trusts)}) {
    const std::string said = fault(other);
    EXPECT_NE(said.find("reward 'made': SSL"), said.npos) << said;
  }
}

TEST_F(HttpReward, AServerThatIsRestartedIsWaitedFor) {
  const ObjectiveSet set = objectives_from(objective("/score"));
  EXPECT_EQ(scores_of(set, batch()), kLengths);
  stop();
  std::thread restart([this] {
    std::this_thread::sleep_for(std::chrono::seconds(2));
    start({port_});
  });
  EXPECT_EQ(scores_of(set, batch()), kLengths);
  restart.join();
}

TEST_F(HttpReward, FaultsThatDoNotPassStopTheRun) {
  const auto expect = [&](std::string yaml, const std::string& what) {
    // One call after the other, so that the first one fails first.
    yaml.insert(yaml.rfind("}}"), ", workers: 1");
    const std::string said = fault(yaml);
    EXPECT_TRUE(said.starts_with("reward 'made': ")) << said;
    EXPECT_NE(said.find(what), std::string::npos) << said;
    EXPECT_NE(said.find("; prompt 'ask:', completion 'a'"), std::string::npos)
        << said;
  };
  expect(objective("/null"), "gave no number (None or null)");
  expect(objective("/nan"), "is nan");
  expect(objective("/few"), "3 rewards for 2 completions");
  expect(objective("/denied"), "answered 401; look at key_variable");
  expect(
      objective("/moved?token=hidden"),
      "answered 307, a redirection to 'http://127.0.0.1:" + port_ +
          "/score', which is not followed");
  expect(objective("/endless"), "the answer has over 67108864 bytes");
  expect(objective("/deep"), "lists in lists over 128 deep");
  expect(objective("/list"), "a list of 2 where a number or null is expected");
  expect(
      objective("/trickle", ", timeout: 0.5, call_deadline: 1, unit: step"),
      "(call_deadline is 1 s)");
  expect(objective("/score", ", name: other"), "no rewards 'other'");
  expect(objective("/named"), "say with `name` which");
  expect(
      objective("/garbage", ", call_deadline: 1, unit: step"),
      "the answer (17 bytes) is not JSON; gave up after ");
  expect(
      objective("/stalls", ", timeout: 0.2, call_deadline: 1, unit: step"),
      "(call_deadline is 1 s)");
}

TEST_F(HttpReward, MissingRewardsCanLeaveTheirRowsOut) {
  EXPECT_EQ(
      objectives_from(objective("/null", ", missing: skip"))
          .score(batch())
          .skipped.size(),
      4u);
}

TEST_F(HttpReward, TheKeyIsSentAndNeverShown) {
  ::setenv("MOFT_TEST_KEY", "very-secret", 1);
  const std::string key = ", key_variable: MOFT_TEST_KEY";
  testing::internal::CaptureStderr();
  EXPECT_EQ(scores(objective("/score?token=hidden", key)), kLengths);
  EXPECT_EQ(requests().at(0)["authorization"], "Bearer very-secret");
  const std::string said =
      fault(objective("/denied?token=hidden", key)) +
      fault(objective("/once/500?token=hidden", key + ", call_deadline: 0.1"));
  const std::string log = said + testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("answered 401"), std::string::npos) << said;
  EXPECT_NE(said.find("answered 500"), std::string::npos) << said;
  EXPECT_EQ(log.find("very-secret"), std::string::npos) << log;
  EXPECT_EQ(log.find("hidden"), std::string::npos) << log;
  ::unsetenv("MOFT_TEST_KEY");
  EXPECT_THROW(objectives_from(objective("/score", key)), CallerError);
}

// Neither prompts nor completions, unless asked.
TEST_F(HttpReward, RetriesAreLoggedWithoutText) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(scores(objective("/once/500", ", unit: step")), kLengths);
  std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("the server answered 500; attempt 2"), std::string::npos)
      << log;
  EXPECT_EQ(log.find("ask:"), std::string::npos) << log;
  testing::internal::CaptureStderr();
  scores(objective("/score", ", log_calls: true"));
  log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("ask:"), std::string::npos) << log;
}

TEST(HttpOptions, HideSecretsOfUrls) {
  EXPECT_EQ(
      shown_url("https://me:word@host:9/a@b?key=1#x"), "https://host:9/a@b");
  EXPECT_EQ(shown_url("http://host/score"), "http://host/score");
}

TEST(HttpOptions, AreChecked) {
  const auto refusal = [](const std::string& settings) -> std::string {
    try {
      objectives_from("  made: {http: {" + settings + "}}\n");
    } catch (const CallerError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(
      refusal("url: \"ftp://host\""),
      "recipe.yaml: objectives.made.http.url is 'ftp://host'; give one that "
      "begins with "
      "http:// or https://");
  EXPECT_EQ(
      refusal("url: \"http://host\", format: slime"),
      "recipe.yaml: objectives.made.http.format is slime, which asks about one "
      "completion, "
      "but objectives.made.http.unit is group; give unit: row");
}

}  // namespace
}  // namespace moft::test
