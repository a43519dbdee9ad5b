#include "moft/data/overlap.h"

#include <gtest/gtest.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

Example post(
    const std::string& text, const std::string& where, const std::string& id) {
  Example example;
  example.id = id;
  example.fields = {{"post", text}, {"note", id}};
  example.where = where;
  return example;
}

const PromptTemplate kPrompt("Summarise: {post}");

TEST(Overlap, IsFoundByThePromptNotByOtherFields) {
  const std::vector<Example> train = {
      post("one", "t:1", "a"),
      post("two", "t:2", "b"),
      post("two", "t:3", "c")};
  const std::vector<Example> held = {
      post("two", "h:1", "x"),
      post("three", "h:2", "a"),
      post("one", "h:3", "y")};
  const Overlap overlap = find_overlap(kPrompt, held, train);
  EXPECT_EQ(overlap.count, 2u);
  EXPECT_EQ(overlap.of, 3u);
  using Places = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(overlap.places, (Places{{"h:1", "t:2"}, {"h:3", "t:1"}}));
  EXPECT_EQ(
      describe_overlap(overlap, "data.evaluation", "data.train"),
      "2 of the 3 prompts of data.evaluation are also in data.train: h:1 is "
      "t:2, h:3 is t:1");
  // A template that ignores what differs makes the prompts one.
  EXPECT_EQ(find_overlap(PromptTemplate("Hello"), held, train).count, 3u);
}

TEST(Overlap, NothingInCommon) {
  const Overlap overlap = find_overlap(
      kPrompt, {post("one ", "h:1", "a")}, {post("one", "t:1", "a")});
  EXPECT_EQ(overlap.count, 0u);
  EXPECT_TRUE(overlap.places.empty());
}

TEST(Overlap, NamesTheFirstPlacesOnly) {
  std::vector<Example> same;
  for (int line = 1; line <= 5; ++line)
    same.push_back(post(std::to_string(line), "f:" + std::to_string(line), ""));
  const Overlap overlap = find_overlap(kPrompt, same, same);
  EXPECT_EQ(overlap.count, 5u);
  EXPECT_EQ(
      describe_overlap(overlap, "data.final", "data.train"),
      "5 of the 5 prompts of data.final are also in data.train: f:1, f:2, f:3, "
      "..");
  const Overlap one = find_overlap(kPrompt, {post("1", "", "k")}, same);
  EXPECT_EQ(
      describe_overlap(one, "data.final", "data.train"),
      "1 of the 1 prompts of data.final is also in data.train: example 'k' is "
      "f:1");
}

TEST(Overlap, RefusesAnExampleWithoutTheField) {
  EXPECT_THROW(
      find_overlap(PromptTemplate("{other}"), {post("1", "h:1", "")}, {}),
      CallerError);
}

}  // namespace
}  // namespace moft
