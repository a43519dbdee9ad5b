// Rows that come and go, for every family and way of steering.
#include "moft/models/decoder.h"

#include <algorithm>
#include <filesystem>
#include <random>

#include <gtest/gtest.h>

#include "moft/conditioning/conditioning.h"
#include "moft/core/errors.h"
#include "moft/models/load.h"
#include "moft/models/page_pool.h"

#include "tests/models/decoder_support.h"
#include "tests/support/tensors.h"
#include "tests/support/tiny_model.h"
#include "tests/support/tiny_t5.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

using test::decode_group;
using test::same_bits;

struct Setting {
  const char* name;
  bool t5;
  SteeredSet set;
  bool lower_frozen;  // the lowest layer is not steered
  bool many = false;  // copies are applied as for many steerings
};

const Setting kSettings[] = {
    {"llama_full", false, SteeredSet::kFull, false},
    {"llama_full_many", false, SteeredSet::kFull, false, true},
    {"llama_lora", false, SteeredSet::kLora, false},
    {"llama_upper_lora", false, SteeredSet::kLora, true},
    {"t5_full", true, SteeredSet::kFull, false},
    {"t5_full_many", true, SteeredSet::kFull, false, true},
    {"t5_lora", true, SteeredSet::kLora, false},
    {"t5_upper_lora", true, SteeredSet::kLora, true}};

constexpr std::int32_t kIds = 28;  // both families have more

TokenIds random_tokens(std::mt19937& random, std::size_t count) {
  TokenIds ids(count);
  for (std::int32_t& id : ids)
    id = static_cast<std::int32_t>(random() % kIds);
  return ids;
}

class DecoderTest : public testing::TestWithParam<Setting> {
 protected:
  DecoderTest() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    std::string name = test->name();
    std::replace(name.begin(), name.end(), '/', '_');
    folder_ = fs::path(testing::TempDir()) / ("decoder_" + name);
    model_ = load(1);
  }
  ~DecoderTest() override { fs::remove_all(folder_); }

  // A trained policy's model.
  std::unique_ptr<LanguageModel> load(std::uint64_t seed) {
    fs::remove_all(folder_);
    if (GetParam().t5) {
      test::TinyT5Shape shape;
      shape.seed = seed;
      test::write_tiny_t5(folder_, shape);
    } else {
      test::write_tiny_model(folder_, {.numbers = true, .seed = seed});
    }
    auto model = std::move(load_language_model(folder_).model);
    ConditioningOptions options;
    options.steered_set = GetParam().set;
    options.lora.rank = 2;
    if (GetParam().lower_frozen) {
      options.lora.layers =
          "1.." + std::to_string(model->steerable().layers - 1);
    }
    auto conditioning =
        install_conditioning(model->steerable(), options, {"a", "b"}, 5);
    if (GetParam().many) conditioning->expect_steerings(5);
    at::NoGradGuard no_gradient;
    std::uint32_t row = 1000;
    for (const TrainedTensor& entry : conditioning->trained()) {
      entry.master.add_(
          test::normal_tensor(entry.master.sizes().vec(), row++, 0.2));
    }
    conditioning->masters_changed();
    conditionings_.push_back(std::move(conditioning));
    return model;
  }

  std::vector<Coefficients> steerings() const {
    return {
        Coefficients(0.0, Weighting({0.3, 0.7})),
        Coefficients(0.4, Weighting({0.6, 0.4})),
        Coefficients::frozen_reference(),
        Coefficients(0.0, Weighting({1.0, 0.0})),
        Coefficients(0.1, Weighting({0.5, 0.5}))};
  }

  fs::path folder_;
  std::vector<std::unique_ptr<Conditioning>> conditionings_;
  std::unique_ptr<LanguageModel> model_;
};

// Rows of a group, what each of them is fed, and its logits when it is alone.
struct Script {
  DecodeGroup group;
  std::vector<TokenIds> completions;
  std::vector<at::Tensor> alone;
};

Script make_script(
    LanguageModel& model,
    const std::vector<Coefficients>& steerings,
    std::mt19937& random) {
  Script script;
  const std::size_t prompts = 1 + random() % 2, rows = 1 + random() % 4;
  for (std::size_t p = 0; p < prompts; ++p)
    script.group.prompts.push_back(random_tokens(random, 1 + random() % 150));
  script.group.steerings = steerings;
  for (std::size_t r = 0; r < rows; ++r) {
    const auto prompt = static_cast<std::int64_t>(random() % prompts);
    const auto steering = static_cast<std::int64_t>(
        r > 0 && random() % 2 == 0
            ? static_cast<std::size_t>(script.group.rows.back().steering)
            : random() % steerings.size());
    const std::size_t length = 1 + random() % 90;
    script.completions.push_back(random_tokens(random, length));
    script.group.rows.push_back({prompt, steering});
    script.group.max_new_tokens.push_back(static_cast<std::int64_t>(length));
    DecodeGroup one = script.group;
    one.rows = {script.group.rows.back()};
    one.max_new_tokens = {static_cast<std::int64_t>(length)};
    script.alone.push_back(
        test::decoded(model, one, {script.completions.back()}));
  }
  return script;
}

// Random admissions, chunks of prompts, steps of some rows in any order, and
// rows that leave before their time; every row of logits is compared.
class Schedule {
 public:
  Schedule(Decoder& decoder, std::vector<Script>& scripts, std::mt19937& random)
      : decoder_(decoder), scripts_(scripts), random_(random) {}

  void run() {
    while (next_ < scripts_.size() || !rows_.empty()) {
      if (chance(3)) admit();
      if (chance(2)) prefill();
      step();
      if (chance(20)) evict_one();
    }
  }

  std::size_t compared() const { return compared_; }
  std::size_t refused() const { return refused_; }

 private:
  struct Row {
    Slot slot;
    const Script* script;
    std::size_t index;
    std::size_t seen = 0;  // logits
    std::size_t place() const { return seen - 1; }
  };

  bool chance(unsigned one_in) { return random_() % one_in == 0; }

  void admit() {
    if (next_ == scripts_.size()) return;
    const Script& script = scripts_[next_];
    const Admission admission = decoder_.admit(script.group);
    if (admission.slots.empty()) {
      EXPECT_NE(admission.refusal, "");
      EXPECT_FALSE(rows_.empty());
      ++refused_;
      return;
    }
    ++next_;
    for (std::size_t r = 0; r < admission.slots.size(); ++r)
      rows_.push_back({admission.slots[r], &script, r});
  }

  void see(Row& row, const at::Tensor& logits) {
    const auto t = static_cast<std::int64_t>(row.seen++);
    EXPECT_TRUE(same_bits(logits, row.script->alone[row.index][t]))
        << "row " << row.index << " token " << t;
    ++compared_;
  }

  void prefill() {
    const ReadyRows ready =
        decoder_.prefill(1 + static_cast<std::int64_t>(random_() % 60));
    for (std::size_t i = 0; i < ready.slots.size(); ++i) {
      const auto row =
          std::find_if(rows_.begin(), rows_.end(), [&](const Row& r) {
            return r.slot == ready.slots[i];
          });
      ASSERT_NE(row, rows_.end());
      see(*row, ready.logits[static_cast<std::int64_t>(i)]);
    }
  }

  void step() {
    for (std::size_t i = rows_.size(); i-- > 0;) {
      const Row& row = rows_[i];
      if (row.seen == row.script->completions[row.index].size()) evict(i);
    }
    std::vector<Row*> fed;
    for (Row& row : rows_) {
      if (row.seen > 0 && !chance(4)) fed.push_back(&row);
    }
    if (fed.empty()) return;
    if (chance(3)) std::shuffle(fed.begin(), fed.end(), random_);
    std::vector<Slot> slots;
    std::vector<std::int32_t> tokens;
    for (const Row* row : fed) {
      slots.push_back(row->slot);
      tokens.push_back(row->script->completions[row->index][row->place()]);
    }
    const at::Tensor logits = decoder_.step(slots, tokens);
    for (std::size_t i = 0; i < fed.size(); ++i)
      see(*fed[i], logits[static_cast<std::int64_t>(i)]);
  }

  void evict(std::size_t i) {
    decoder_.evict(rows_[i].slot);
    rows_.erase(rows_.begin() + static_cast<std::ptrdiff_t>(i));
  }

  void evict_one() {
    if (!rows_.empty()) evict(random_() % rows_.size());
  }

  Decoder& decoder_;
  std::vector<Script>& scripts_;
  std::mt19937& random_;
  std::size_t next_ = 0;
  std::vector<Row> rows_;
  std::size_t compared_ = 0;
  std::size_t refused_ = 0;
};

TEST_P(DecoderTest, NoRowDependsOnRowsThatJoinAndLeave) {
  std::mt19937 random(7);
  std::vector<Script> scripts;
  for (int i = 0; i < 14; ++i)
    scripts.push_back(make_script(*model_, steerings(), random));
  for (const DecoderLimits& limits :
       {DecoderLimits{.slots = 6, .pages = 26}, DecoderLimits{}}) {
    const auto decoder = model_->open_decoder(limits);
    Schedule schedule(*decoder, scripts, random);
    schedule.run();
    EXPECT_GT(schedule.compared(), 400U);
    if (limits.slots == 6) {
      EXPECT_GT(schedule.refused(), 0U);
    }
  }
}

TEST_P(DecoderTest, ChunksOfAPromptGiveTheBitsOfTheWhole) {
  std::mt19937 random(3);
  const auto group = decode_group(
      {random_tokens(random, 150), random_tokens(random, 65)},
      steerings(),
      {{0, 0}, {0, 1}, {1, 0}, {0, 0}});
  const auto whole = model_->open_decoder({});
  const auto slots = whole->admit(group).slots;
  const ReadyRows first = whole->prefill();
  EXPECT_EQ(first.slots, slots);
  const std::vector<std::int32_t> fed{4, 5, 6, 7};
  const at::Tensor second = whole->step(slots, fed);
  for (const std::int64_t chunk : {1, 7, 64, 151}) {
    const auto decoder = model_->open_decoder({});
    ASSERT_EQ(decoder->admit(group).slots, slots);
    std::vector<at::Tensor> rows(slots.size());
    int reads = 0;
    for (std::size_t ready = 0; ready < slots.size(); ++reads) {
      const ReadyRows some = decoder->prefill(chunk);
      for (std::size_t i = 0; i < some.slots.size(); ++i, ++ready) {
        rows[static_cast<std::size_t>(some.slots[i])] =
            some.logits[static_cast<std::int64_t>(i)];
      }
    }
    // An encoder looks both ways: it reads a prompt whole.
    EXPECT_GE(reads, GetParam().t5 ? 2 : 365 / chunk / 2);
    EXPECT_TRUE(same_bits(at::stack(rows), first.logits)) << chunk;
    EXPECT_TRUE(same_bits(decoder->step(slots, fed), second)) << chunk;
  }
}

// Four samples of a prompt of 130 tokens share its two full pages; T5's share
// the three pages of the encoded prompt.
TEST_P(DecoderTest, SamplesOfAPromptShareItsPages) {
  std::mt19937 random(3);
  const auto group = decode_group(
      {random_tokens(random, 130)},
      steerings(),
      {{0, 0}, {0, 0}, {0, 0}, {0, 0}},
      10);
  const std::int64_t needed = GetParam().t5 ? 3 + 4 : 2 + 4;
  EXPECT_EQ(
      model_->open_decoder({.pages = needed})->admit(group).slots.size(), 4U);
  EXPECT_EQ(
      model_->open_decoder({.pages = needed - 1})->admit(group).slots.size(),
      0U);
}

TEST_P(DecoderTest, SaysWhatDoesNotFit) {
  const auto decoder = model_->open_decoder({.slots = 3, .pages = 8});
  const auto two = decode_group({{3, 1, 4}}, steerings(), {{0, 0}, {0, 1}});
  const auto slots = decoder->admit(two).slots;
  EXPECT_EQ(slots, (std::vector<Slot>{0, 1}));
  const Admission more = decoder->admit(two);
  EXPECT_TRUE(more.slots.empty());
  EXPECT_EQ(more.refusal, "not enough slots: 2 needed, 1 of 3 free");
  const auto large = decode_group({{3, 1}}, steerings(), {{0, 0}}, 180);
  EXPECT_EQ(decoder->admit(large).slots, (std::vector<Slot>{2}));
  decoder->prefill();
  decoder->evict(slots[1]);
  const auto long_one =
      decode_group({TokenIds(129, 5)}, steerings(), {{0, 0}}, 100);
  const std::string refusal = decoder->admit(long_one).refusal;
  if (GetParam().t5) {
    EXPECT_EQ(refusal, "not enough pages of 64 tokens: 5 needed, 2 of 8 free");
  } else {
    EXPECT_EQ(refusal, "");
  }
  decoder->evict(slots[0]);
  EXPECT_EQ(decoder->admit(two).refusal == "", GetParam().t5);
}

TEST_P(DecoderTest, RefusesWhatTheModelCannotRead) {
  const auto decoder = model_->open_decoder({});
  for (const TokenIds& prompt : {TokenIds{}, TokenIds{-1}, TokenIds{1 << 20}}) {
    const auto group = decode_group({prompt}, steerings(), {{0, 0}});
    EXPECT_THROW(decoder->admit(group), CallerError);
  }
  EXPECT_EQ(
      decoder->admit(decode_group({{3}}, steerings(), {{0, 0}})).slots,
      (std::vector<Slot>{0}));
}

// What a policy that mixes the logits of several models needs: the same
// interface over the models' own decoders.
class MixtureDecoder : public Decoder {
 public:
  MixtureDecoder(
      std::vector<std::unique_ptr<Decoder>> parts, std::vector<double> shares)
      : parts_(std::move(parts)), shares_(std::move(shares)) {}

  Admission admit(const DecodeGroup& group) override {
    Admission admission;
    for (const auto& part : parts_) {
      Admission own = part->admit(group);
      if (!own.refusal.empty()) {
        for (std::size_t i = 0; parts_[i] != part; ++i) {
          for (const Slot slot : admission.slots)
            parts_[i]->evict(slot);
        }
        return own;
      }
      // Decoders that saw the same rows give the same slots.
      admission = std::move(own);
    }
    return admission;
  }
  ReadyRows prefill(std::int64_t tokens) override {
    ReadyRows mixed;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      ReadyRows own = parts_[i]->prefill(tokens);
      if (own.slots.empty()) continue;
      mixed.slots = own.slots;
      add(mixed.logits, own.logits, i);
    }
    return mixed;
  }
  at::Tensor step(
      std::span<const Slot> slots,
      std::span<const std::int32_t> tokens) override {
    at::Tensor mixed;
    for (std::size_t i = 0; i < parts_.size(); ++i)
      add(mixed, parts_[i]->step(slots, tokens), i);
    return mixed;
  }
  void evict(Slot slot) override {
    for (const auto& part : parts_)
      part->evict(slot);
  }

 private:
  void add(at::Tensor& sum, const at::Tensor& logits, std::size_t i) const {
    sum = sum.defined() ? sum + logits * shares_[i] : logits * shares_[i];
  }

  std::vector<std::unique_ptr<Decoder>> parts_;
  std::vector<double> shares_;
};

TEST_P(DecoderTest, AMixtureSitsOnSeveralDecoders) {
  const auto other = load(2);
  const std::vector<TokenIds> completions{{5, 2, 9, 9}, {1}, {3, 3, 7}};
  const auto group =
      decode_group({{4, 8, 1}, {2, 2}}, steerings(), {{0, 0}, {0, 0}, {1, 1}});
  const at::Tensor wanted = test::decoded(*model_, group, completions) * 0.25 +
                            test::decoded(*other, group, completions) * 0.75;
  std::vector<std::unique_ptr<Decoder>> parts;
  parts.push_back(model_->open_decoder({}));
  parts.push_back(other->open_decoder({.slots = 3}));
  MixtureDecoder mixture(std::move(parts), {0.25, 0.75});
  EXPECT_TRUE(same_bits(
      at::cat(test::decoded_rows(mixture, group, completions)), wanted));
  EXPECT_EQ(mixture.admit(group).slots.size(), 3U);
  EXPECT_NE(mixture.admit(group).refusal, "");
}

INSTANTIATE_TEST_SUITE_P(
    Families,
    DecoderTest,
    testing::ValuesIn(kSettings),
    [](const auto& setting) { return std::string(setting.param.name); });

}  // namespace
}  // namespace moft
