// What the decoders of all families refuse, and what they are after a failure.
#include "moft/models/paged_decoder.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <limits>
#include <stdexcept>

#include <gtest/gtest.h>

#include "moft/core/errors.h"
#include "moft/models/load.h"

#include "tests/models/decoder_support.h"
#include "tests/support/tensors.h"
#include "tests/support/tiny_model.h"
#include "tests/support/tiny_t5.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

using test::decode_group;
using test::same_bits;

// The decoders of a plain T5 and of a plain Llama.
class PagedDecoderTest : public testing::TestWithParam<bool> {
 protected:
  PagedDecoderTest() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    std::string name = test->name();
    std::replace(name.begin(), name.end(), '/', '_');
    folder_ = fs::path(testing::TempDir()) / ("paged_decoder_" + name);
    if (GetParam()) {
      test::write_tiny_t5(folder_);
    } else {
      test::write_tiny_model(folder_);
    }
    model_ = load_language_model(folder_).model;
  }
  ~PagedDecoderTest() override { fs::remove_all(folder_); }

  static std::vector<Coefficients> two() {
    return {
        Coefficients::frozen_reference(),
        Coefficients(1.0, Weighting({0.5, 0.5}))};
  }

  fs::path folder_;
  std::unique_ptr<LanguageModel> model_;
};

INSTANTIATE_TEST_SUITE_P(
    Families, PagedDecoderTest, testing::Bool(), [](const auto& t5) {
      return std::string(t5.param ? "t5" : "llama");
    });

// Indices and numbers from outside are checked before anything is touched.
TEST_P(PagedDecoderTest, RefusesIndicesThatNameNothing) {
  const auto decoder = model_->open_decoder({});
  const auto good = decode_group({{3, 1}, {4}}, two(), {{0, 0}, {1, 1}});
  const auto refused = [&](const std::function<void(DecodeGroup&)>& change) {
    DecodeGroup group = good;
    change(group);
    EXPECT_THROW(decoder->admit(group), CallerError);
  };
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  for (const std::int64_t index : {std::int64_t{-1}, std::int64_t{2}, kMost})
    refused([&](DecodeGroup& group) { group.rows[1].prompt = index; });
  for (const std::int64_t index : {std::int64_t{-1}, std::int64_t{2}, kMost})
    refused([&](DecodeGroup& group) { group.rows[1].steering = index; });
  for (const std::int64_t tokens : {std::int64_t{-1}, kMost, kMost / 2})
    refused([&](DecodeGroup& group) { group.max_new_tokens = {tokens}; });
  refused([](DecodeGroup& group) { group.max_new_tokens = {1, 2, 3}; });
  refused([](DecodeGroup& group) { group.rows.clear(); });
  refused([](DecodeGroup& group) {
    group.record_features = true;  // one prompt under two steerings
    group.rows[1] = {0, 1};
  });
  refused([](DecodeGroup& group) {
    group.record_features = true;  // a prompt without rows
    group.rows.pop_back();
  });
  const std::vector<std::int32_t> fed{5, 6};
  const auto step = [&](std::vector<Slot> slots,
                        std::vector<std::int32_t> ids) {
    return decoder->step(slots, ids);
  };
  EXPECT_THROW(step({0, 1}, fed), CallerError);
  EXPECT_THROW(decoder->evict(0), CallerError);
  const auto slots = decoder->admit(good).slots;
  EXPECT_EQ(slots, (std::vector<Slot>{0, 1}));
  EXPECT_THROW(step(slots, fed), CallerError);  // not read yet
  decoder->prefill();
  EXPECT_THROW(step({0, -1}, fed), CallerError);
  EXPECT_THROW(step({0, 2}, fed), CallerError);
  EXPECT_THROW(step(slots, {5}), CallerError);
  EXPECT_THROW(step({}, {}), CallerError);
  for (const std::int32_t id : {-1, 1 << 20})
    EXPECT_THROW(step(slots, {5, id}), CallerError);
  EXPECT_THROW(decoder->evict(2), CallerError);
  // None of it changed an answer.
  const auto untouched = model_->open_decoder({});
  untouched->admit(good);
  untouched->prefill();
  EXPECT_TRUE(same_bits(step(slots, fed), untouched->step(slots, fed)));
}

// Notes whether each turn is a new one; the first one fails.
class FailingDecoder : public PagedDecoder {
 public:
  explicit FailingDecoder(const LanguageModel& model)
      : PagedDecoder(model, {1, 1, 2}, {}) {}

  std::vector<bool> new_turns;

 protected:
  void check(const TokenIds&, std::int64_t) const override {}
  std::int64_t entries_of(const TokenIds& prompt) const override {
    return std::ssize(prompt);
  }
  at::Tensor read(const std::vector<Chunk>&) override {
    return at::zeros({1, 2});
  }
  at::Tensor feed(const at::Tensor& ids, const Turn& turn) override {
    new_turns.push_back(turn.is_new);
    if (new_turns.size() == 2) throw std::runtime_error("no memory");
    return at::zeros({ids.size(0), 2});
  }
};

TEST_P(PagedDecoderTest, ATurnThatFailedIsPreparedAgain) {
  FailingDecoder decoder(*model_);
  const auto slots = decoder.admit(decode_group({{3}}, two(), {{0, 0}})).slots;
  decoder.prefill(Decoder::kWholePrompts);
  const std::vector<std::int32_t> fed{5};
  decoder.step(slots, fed);
  EXPECT_THROW(decoder.step(slots, fed), std::runtime_error);
  decoder.step(slots, fed);
  decoder.step(slots, fed);
  EXPECT_EQ(decoder.new_turns, (std::vector<bool>{true, false, true, false}));
}

}  // namespace
}  // namespace moft
