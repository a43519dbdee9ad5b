// The posts of examples/posts/ keep the promises of their README: shape,
// lengths, and above all that no two of them resemble each other.
#include <algorithm>
#include <cctype>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace moft {
namespace {

constexpr size_t kMinTrainPosts = 256;
constexpr size_t kMinHeldoutPosts = 96;
constexpr size_t kMinFinalPosts = 60;
constexpr size_t kMinPostWords = 40;
constexpr size_t kMaxPostWords = 70;
constexpr size_t kMinSummaryWords = 5;
constexpr size_t kMaxSummaryWords = 16;
constexpr size_t kSharedRun = 6;      // words no two posts may share in a row
constexpr size_t kSharedOpening = 3;  // words no two posts may begin with

constexpr const char* kFiles[] = {
    "train.jsonl", "heldout.jsonl", "final.jsonl"};

const std::set<std::string> kKinds = {
    "question",
    "story",
    "notice",
    "complaint",
    "advice",
    "how-to",
    "review",
    "news",
    "description",
    "opinion"};

struct Post {
  std::string id;
  std::string kind;
  std::string post;
  std::string summary;
};

std::vector<std::string> split_words(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;)
    words.push_back(word);
  return words;
}

// Lower case without ASCII punctuation; words of punctuation alone vanish.
std::vector<std::string> plain_words(const std::string& text) {
  std::vector<std::string> words;
  for (const std::string& word : split_words(text)) {
    std::string plain;
    for (unsigned char c : word)
      if (c >= 0x80 || std::isalnum(c))
        plain += static_cast<char>(std::tolower(c));
    if (!plain.empty()) words.push_back(plain);
  }
  return words;
}

std::string join(const std::vector<std::string>& words, size_t at, size_t n) {
  std::string text;
  for (size_t i = at; i < at + n; ++i)
    text += (i == at ? "" : " ") + words[i];
  return text;
}

// One sentence per broken promise; empty when the line is a proper post.
std::vector<std::string> line_faults(const std::string& line, Post* out) {
  const auto json = nlohmann::json::parse(line, nullptr, false);
  if (json.is_discarded() || !json.is_object()) return {"no JSON object"};
  std::vector<std::string> faults;
  std::map<std::string, std::string> fields;
  for (const auto& [key, value] : json.items()) {
    if (!value.is_string())
      faults.push_back(key + " is not a string");
    else
      fields[key] = value.get<std::string>();
  }
  for (const char* key : {"id", "kind", "post", "summary"})
    if (fields.count(key) == 0) faults.push_back(std::string("no ") + key);
  if (fields.size() > 4) faults.push_back("a fifth field");
  if (!faults.empty()) return faults;
  *out = {fields["id"], fields["kind"], fields["post"], fields["summary"]};

  const size_t words = split_words(out->post).size();
  if (words < kMinPostWords || words > kMaxPostWords)
    faults.push_back("post of " + std::to_string(words) + " words");
  const size_t brief = split_words(out->summary).size();
  if (brief < kMinSummaryWords || brief > kMaxSummaryWords)
    faults.push_back("summary of " + std::to_string(brief) + " words");
  if ((out->post + out->summary).find_first_of("\n\r\t") != std::string::npos)
    faults.push_back("a line break or tab");
  if (out->id.empty()) faults.push_back("an empty id");
  if (kKinds.count(out->kind) == 0) faults.push_back("kind " + out->kind);
  return faults;
}

using Keys = std::function<std::vector<std::string>(const Post&)>;

// What two posts have in common, by the keys that each of them yields.
std::vector<std::string> collisions(
    const std::vector<Post>& posts, const Keys& keys) {
  std::map<std::string, size_t> owner;
  std::vector<std::string> found;
  for (size_t i = 0; i < posts.size(); ++i)
    for (const std::string& key : keys(posts[i])) {
      const auto [place, is_new] = owner.emplace(key, i);
      if (is_new || place->second == i) continue;
      found.push_back(
          posts[place->second].id + " and " + posts[i].id + ": " + key);
    }
  return found;
}

std::vector<std::string> opening_of(const Post& post) {
  const auto words = plain_words(post.post);
  return {join(words, 0, std::min(kSharedOpening, words.size()))};
}

std::vector<std::string> runs_of(const Post& post) {
  const auto words = plain_words(post.post);
  std::vector<std::string> runs;
  for (size_t i = 0; i + kSharedRun <= words.size(); ++i)
    runs.push_back(join(words, i, kSharedRun));
  return runs;
}

std::vector<Post> read_posts(const std::string& name) {
  const std::string path =
      std::string(MOFT_SOURCE_DIR) + "/examples/posts/" + name;
  std::ifstream file(path);
  EXPECT_TRUE(file.good()) << path;
  std::vector<Post> posts;
  size_t number = 0;
  for (std::string line; std::getline(file, line);) {
    Post post;
    ++number;
    for (const std::string& fault : line_faults(line, &post))
      ADD_FAILURE() << path << ":" << number << ": " << fault;
    posts.push_back(post);
  }
  return posts;
}

std::vector<Post> read_all() {
  std::vector<Post> posts;
  for (const char* name : kFiles)
    for (Post& post : read_posts(name))
      posts.push_back(std::move(post));
  return posts;
}

void expect_none(const std::vector<std::string>& found) {
  for (const std::string& text : found)
    ADD_FAILURE() << text;
}

TEST(Posts, EveryLineIsAProperPostAndThereAreEnough) {
  EXPECT_GE(read_posts("train.jsonl").size(), kMinTrainPosts);
  EXPECT_GE(read_posts("heldout.jsonl").size(), kMinHeldoutPosts);
  EXPECT_GE(read_posts("final.jsonl").size(), kMinFinalPosts);
}

TEST(Posts, EveryKindOccursInEveryFile) {
  for (const char* name : kFiles) {
    std::set<std::string> seen;
    for (const Post& post : read_posts(name))
      seen.insert(post.kind);
    EXPECT_EQ(seen, kKinds) << name;
  }
}

TEST(Posts, IdsPostsAndSummariesAreUniqueAcrossAllFiles) {
  const auto posts = read_all();
  using Strings = std::vector<std::string>;
  expect_none(collisions(posts, [](const Post& p) { return Strings{p.id}; }));
  expect_none(collisions(posts, [](const Post& p) { return Strings{p.post}; }));
  expect_none(
      collisions(posts, [](const Post& p) { return Strings{p.summary}; }));
}

TEST(Posts, NoTwoPostsBeginAlike) {
  expect_none(collisions(read_all(), opening_of));
}

TEST(Posts, NoTwoPostsShareARunOfSixWords) {
  expect_none(collisions(read_all(), runs_of));
}

// The checks above must be able to fail.
TEST(Posts, ChecksFindPlantedFaults) {
  Post post;
  std::string text = "w";
  for (int i = 1; i < 40; ++i)
    text += " w" + std::to_string(i);
  nlohmann::json good = {
      {"id", "a"},
      {"kind", "story"},
      {"post", text},
      {"summary", "five words are just enough"}};
  EXPECT_TRUE(line_faults(good.dump(), &post).empty());

  const auto faults_with = [&](const char* key, const nlohmann::json& value) {
    nlohmann::json bad = good;
    bad[key] = value;
    return line_faults(bad.dump(), &post).size();
  };
  EXPECT_EQ(faults_with("kind", "poem"), 1u);
  EXPECT_EQ(faults_with("id", 7), 2u);  // no string, hence missing
  EXPECT_EQ(faults_with("id", ""), 1u);
  EXPECT_EQ(faults_with("extra", "x"), 1u);
  EXPECT_EQ(faults_with("post", text.substr(text.find(' ') + 1)), 1u);
  EXPECT_EQ(faults_with("summary", "four words too few"), 1u);
  EXPECT_EQ(faults_with("summary", "two lines\nof five words"), 1u);
  EXPECT_EQ(line_faults("{\"id\": ", &post).size(), 1u);

  const Post one{"1", "story", "The cat, at last, sat down. Good.", ""};
  const Post two{"2", "story", "A day: the cat at last sat down", ""};
  const Post three{"3", "story", "The Cat at noon", ""};
  EXPECT_EQ(collisions({one, two}, runs_of).size(), 1u);
  EXPECT_EQ(collisions({one, three}, opening_of).size(), 1u);
  EXPECT_TRUE(collisions({two, three}, runs_of).empty());
  EXPECT_TRUE(collisions({two, three}, opening_of).empty());
}

}  // namespace
}  // namespace moft
