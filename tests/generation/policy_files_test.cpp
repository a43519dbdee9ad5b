// Policy directories: round trips and damage.
#include <fstream>
#include <limits>

#include <nlohmann/json.hpp>

#include "moft/checkpoints/safetensors.h"
#include "moft/checkpoints/safetensors_writer.h"
#include "moft/core/atomic_files.h"
#include "moft/core/errors.h"
#include "moft/core/files.h"
#include "moft/generation/export.h"
#include "moft/generation/policy_directory.h"

#include "tests/generation/support.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

using test::same_bits;
using test::tiny_batch;

class PolicyFilesTest : public test::TinyPolicyTest,
                        public testing::WithParamInterface<SteeredSet> {
 protected:
  fs::path publish(SteeredSet set) {
    policy_ = make_trained(set);
    const fs::path directory = folder_ / "policy";
    save_policy(*policy_, base(), directory, "the card\n");
    return directory;
  }
  std::unique_ptr<SteeredPolicy> policy_;
};

std::string refusal(const fs::path& path) {
  try {
    load_policy(path);
  } catch (const CallerError& error) {
    return error.what();
  }
  return "loaded";
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void expect_words(
    const std::string& message, const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    EXPECT_NE(message.find(word), std::string::npos) << message;
  }
}

TEST_P(PolicyFilesTest, APolicyComesBackBitForBit) {
  const fs::path directory = publish(GetParam());
  const auto loaded = load_policy(directory);
  const auto wanted = policy_->conditioning()->tensors();
  const auto tensors = loaded->conditioning()->tensors();
  ASSERT_EQ(tensors.size(), wanted.size());
  for (const auto& [name, value] : wanted) {
    EXPECT_TRUE(same_bits(tensors.at(name), value)) << name;
  }
  const Steering steering{Weighting({0.3, 0.7}), 0.3};
  const auto c = RowSteering::uniform(policy_->coefficients_of(steering));
  EXPECT_TRUE(same_bits(
      logits(loaded->model(), tiny_batch(), c),
      logits(policy_->model(), tiny_batch(), c)));
  EXPECT_EQ(
      definition_text(loaded->definition()),
      definition_text(policy_->definition()));
  EXPECT_EQ(loaded->temperature(), 0.8);
  EXPECT_EQ(loaded->kl_range().alpha_min(), 0.1);
  EXPECT_EQ(loaded->objectives()[1].name, "kind");
  EXPECT_EQ(loaded->objectives()[1].low, -1.0);
  EXPECT_EQ(read_file(directory / "README.md"), "the card\n");
}

INSTANTIATE_TEST_SUITE_P(
    Sets,
    PolicyFilesTest,
    testing::Values(SteeredSet::kFull, SteeredSet::kLora),
    [](const auto& set) { return std::string(enum_name(set.param)); });

class DamagedPolicyTest : public test::TinyPolicyTest {
 protected:
  DamagedPolicyTest() {
    policy_ = make_trained(SteeredSet::kLora);
    directory_ = folder_ / "policy";
    save_policy(*policy_, base(), directory_, "card\n");
  }
  void write_steering(const std::map<std::string, at::Tensor>& tensors) {
    std::vector<SafetensorsEntry> entries;
    for (const auto& [name, tensor] : tensors) {
      const at::Tensor value = tensor.contiguous();
      entries.push_back({name, TensorType::kF32, value.sizes().vec(), [value] {
                           return std::as_bytes(std::span<const float>(
                               value.const_data_ptr<float>(),
                               static_cast<std::size_t>(value.numel())));
                         }});
    }
    write_safetensors(directory_ / "steering.safetensors", std::move(entries));
  }
  void change_definition(
      const std::function<void(nlohmann::ordered_json&)>& change) {
    auto json =
        nlohmann::ordered_json::parse(definition_text(policy_->definition()));
    change(json);
    test::write_tiny_text(directory_ / "moft.json", json.dump());
  }

  std::unique_ptr<SteeredPolicy> policy_;
  fs::path directory_;
};

TEST_F(DamagedPolicyTest, ADefinitionThatIsNoJsonIsNamed) {
  test::write_tiny_text(directory_ / "moft.json", "{\"objectives\": [");
  expect_words(refusal(directory_), {"moft.json"});
}

TEST_F(DamagedPolicyTest, AnUnknownKeyIsNamed) {
  change_definition([](auto& json) { json["temprature"] = 1; });
  expect_words(refusal(directory_), {"moft.json", "temprature"});
}

TEST_F(DamagedPolicyTest, NoObjectivesOrOneTwiceAreRefused) {
  change_definition(
      [](auto& json) { json["objectives"] = nlohmann::json::array(); });
  expect_words(refusal(directory_), {"moft.json", "objectives"});
  change_definition(
      [](auto& json) { json["objectives"][1]["name"] = "short"; });
  expect_words(refusal(directory_), {"moft.json", "'short'", "twice"});
}

TEST_F(DamagedPolicyTest, AMissingSteeringFileIsNamed) {
  fs::remove(directory_ / "steering.safetensors");
  expect_words(refusal(directory_), {"steering.safetensors"});
}

TEST_F(DamagedPolicyTest, TensorsMustBeExactlyTheDefinitions) {
  auto tensors = policy_->conditioning()->tensors();
  tensors["short/extra"] = at::zeros({1});
  write_steering(tensors);
  expect_words(refusal(directory_), {"steering.safetensors", "moft.json"});
  tensors.erase("short/extra");
  const auto first = *tensors.begin();
  tensors.erase(first.first);
  write_steering(tensors);
  expect_words(refusal(directory_), {first.first, "missing"});
  tensors[first.first] = at::zeros({2, 2});
  write_steering(tensors);
  expect_words(refusal(directory_), {first.first, "[2, 2]"});
}

class PolicyBaseTest : public DamagedPolicyTest {
 protected:
  // Over the base in place, as `cat` or rsync --inplace do.
  void write_over_base(std::size_t at) const {
    std::fstream file(
        base() / "model.safetensors",
        std::ios::binary | std::ios::in | std::ios::out);
    file.seekg(-static_cast<std::streamoff>(at), std::ios::end);
    const int byte = file.get();
    file.seekp(-static_cast<std::streamoff>(at), std::ios::end);
    file.put(static_cast<char>(byte ^ 1));
  }
};

TEST_F(PolicyBaseTest, ABaseWrittenOverInPlaceIsRefused) {
  load_policy(directory_);
  write_over_base(3);
  expect_words(
      refusal(directory_),
      {"policy/model.safetensors", "is not the base", "base_files.json"});
  write_over_base(3);  // back again: another time, the same content
  EXPECT_EQ(refusal(directory_), "loaded");
}

TEST_F(PolicyBaseTest, PoliciesWithoutTimesAreComparedByHash) {
  policy_->record_provenance(
      "xxh3 base weights model.safetensors",
      hash_file(base() / "model.safetensors"));
  save_policy(*policy_, base(), directory_, "card\n");
  fs::remove(directory_ / "base_files.json");
  EXPECT_EQ(refusal(directory_), "loaded");
  write_over_base(3);
  expect_words(refusal(directory_), {"is not the base", "moft.json"});
}

TEST_F(PolicyBaseTest, ConfigurationAndTokenizerAreThePolicysOwn) {
  const std::string config = read_file(directory_ / "config.json");
  test::write_tiny_text(base() / "config.json", "{}");
  test::write_tiny_text(base() / "tokenizer.json", "{}");
  EXPECT_EQ(read_file(directory_ / "config.json"), config);
  EXPECT_EQ(refusal(directory_), "loaded");
}

TEST_F(PolicyBaseTest, SavingAgainKeepsWhatOthersPutThere) {
  fs::create_directory(directory_ / "thesis");
  test::write_tiny_text(directory_ / "thesis/notes.txt", "mine");
  test::write_tiny_text(directory_ / "model-00001-of-00002.safetensors", "old");
  save_policy(*policy_, base(), directory_, "second\n");
  EXPECT_EQ(read_file(directory_ / "thesis/notes.txt"), "mine");
  EXPECT_EQ(read_file(directory_ / "README.md"), "second\n");
  EXPECT_FALSE(fs::exists(directory_ / "model-00001-of-00002.safetensors"));
  EXPECT_EQ(refusal(directory_), "loaded");
}

TEST_F(PolicyBaseTest, ADirectoryThatIsNotAPolicyIsNotReplaced) {
  const fs::path theirs = folder_ / "theirs";
  fs::create_directory(theirs);
  test::write_tiny_text(theirs / "config.json", "{}");
  EXPECT_THROW(save_policy(*policy_, base(), theirs, "card\n"), CallerError);
  EXPECT_THROW(
      export_policy(
          *policy_,
          directory_,
          Steering{Weighting({0.3, 0.7}), 0.3},
          theirs,
          {.if_exists = IfExists::kReplace}),
      CallerError);
  EXPECT_EQ(read_file(theirs / "config.json"), "{}");
}

class PlainModelTest : public test::TinyPolicyTest {};

TEST_F(PlainModelTest, AHuggingFaceDirectoryHasNoKnobs) {
  const auto plain = load_policy(base());
  EXPECT_EQ(plain->conditioning(), nullptr);
  EXPECT_TRUE(plain->objectives().empty());
  EXPECT_EQ(plain->temperature(), 1.0);
  EXPECT_EQ(plain->definition().prompt_template, "{prompt}");
  EXPECT_EQ(plain->fill_prompt("a b.").ids, plain->tokenizer().encode("a b."));
}

// A plain model's prompt is the whole of it: markup counts. A template's field
// is a stranger's text.
TEST_F(PlainModelTest, MarkupInAWholePromptCountsAndInAFieldItDoesNot) {
  const auto plain = load_policy(base());
  const TokenIds marked = plain->fill_prompt("a<end>b").ids;
  EXPECT_EQ(marked, (TokenIds{1, test::tiny_end(), 2}));
  Example example;
  example.fields["prompt"] = "a<end>b";
  EXPECT_EQ(plain->fill_prompt(example).ids, marked);
  EXPECT_EQ(plain->whole_prompt("a<end>b", "here", {}).ids, marked);
  const auto steered = make(SteeredSet::kLora);
  const TokenIds filled = steered->fill_prompt("a<end>b").ids;
  EXPECT_EQ(std::count(filled.begin(), filled.end(), test::tiny_end()), 0);
  EXPECT_EQ(steered->whole_prompt("a<end>b", "here", {}).ids, marked);
}

// Whatever belongs to the base's tokenizer stays with it.
TEST_F(PlainModelTest, PoliciesAndExportsKeepTheTokenizersFiles) {
  const std::vector<std::string> files = {
      "added_tokens.json",
      "chat_template.jinja",
      "merges.txt",
      "special_tokens_map.json",
      "tokenizer.model",
      "vocab.json",
      "additional_chat_templates/rag.jinja"};
  fs::create_directories(base() / "additional_chat_templates");
  for (const std::string& name : files)
    test::write_tiny_text(base() / name, "{}");
  const auto policy = make_trained(SteeredSet::kLora);
  save_policy(*policy, base(), folder_ / "policy", "card\n");
  export_policy(
      *policy,
      folder_ / "policy",
      Steering{Weighting({0.3, 0.7}), 0.2},
      folder_ / "exported");
  for (const char* made : {"policy", "exported"}) {
    for (const std::string& name : files)
      EXPECT_EQ(read_file(folder_ / made / name), "{}") << made << name;
    EXPECT_TRUE(fs::exists(folder_ / made / "tokenizer.json")) << made;
  }
}

// Broken weights give no silent numbers.
TEST_F(PlainModelTest, ALogProbabilityThatIsNoNumberIsAnError) {
  const auto policy = make(SteeredSet::kFull);
  {
    at::NoGradGuard no_gradient;
    for (const auto& entry : policy->conditioning()->trained())
      entry.master.fill_(std::numeric_limits<double>::quiet_NaN());
    policy->conditioning()->masters_changed();
  }
  const Steering steering{Weighting({0.3, 0.7}), 0.1};
  const ScoreRequest request{TokenIds{1, 2}, {3, 4}, steering, "pairs.jsonl:3"};
  try {
    policy->score({request}, {});
    FAIL() << "scored";
  } catch (const WorldError& error) {
    expect_words(
        error.what(),
        {"pairs.jsonl:3", "completion token 1", "'c'", "logits", "not finite"});
  }
}

TEST_F(PlainModelTest, AGgufFileIsTheModelOfItsDirectory) {
  const fs::path file =
      fs::path(MOFT_SOURCE_DIR) / "tests/reference/models/llama_gguf_f32.gguf";
  LoadedModel loaded = load_language_model(file);
  const LoadedModel directory = load_language_model(
      fs::path(MOFT_SOURCE_DIR) / "tests/reference/models/llama_gguf");
  const ScoreBatch batch = tiny_batch();
  const auto reference = RowSteering::uniform(Coefficients::frozen_reference());
  const at::Tensor logits_of_file = logits(*loaded.model, batch, reference);
  EXPECT_TRUE(
      same_bits(logits_of_file, logits(*directory.model, batch, reference)));
  EXPECT_EQ(loaded.config.at("rope_theta"), 5000.0);
  EXPECT_EQ(loaded.config.at("model_type"), "llama");
  EXPECT_TRUE(loaded.gguf_tokenizer.has_value());
}

// All parts of a split GGUF are linked, under names that find each other.
TEST_F(PlainModelTest, APolicyOfASplitGgufComesBack) {
  const fs::path first = fs::path(MOFT_SOURCE_DIR) /
                         "tests/reference/models/llama_variants" /
                         "split-00001-of-00002.gguf";
  LoadedModel loaded = load_language_model(first);
  EXPECT_EQ(loaded.weight_files.size(), 2u);
  auto tokenizer = load_base_tokenizer(first, loaded);
  SteeredPolicy policy(
      std::move(loaded),
      std::move(tokenizer),
      definition(SteeredSet::kLora),
      7);
  const fs::path directory = folder_ / "split";
  save_policy(policy, first, directory, "the card\n");
  EXPECT_TRUE(fs::exists(directory / "model-00002-of-00002.gguf"));
  const auto opened = load_policy(directory);
  const LoadedModel whole =
      load_language_model(first.parent_path() / "linear.gguf");
  const ScoreBatch batch = tiny_batch();
  EXPECT_TRUE(same_bits(
      logits(
          *opened->base().model,
          batch,
          RowSteering::uniform(Coefficients::frozen_reference())),
      logits(
          *whole.model,
          batch,
          RowSteering::uniform(Coefficients::frozen_reference()))));
}

// A base in bf16, as new versions of transformers write it.
TEST_F(PlainModelTest, AnExportSaysTheTypeOfItsNumbersUnderBothNames) {
  std::ifstream written(base() / "config.json");
  nlohmann::json config = nlohmann::json::parse(written);
  config["dtype"] = "bfloat16";
  config["scale_decoder_outputs"] = true;  // which only a T5 means
  std::ofstream(base() / "config.json") << config;
  const auto policy = make(SteeredSet::kLora);
  const Steering steering{Weighting({0.3, 0.7}), 0.1};
  export_policy(*policy, base(), steering, folder_ / "plain");
  const auto exported =
      nlohmann::json::parse(read_file(folder_ / "plain" / "config.json"));
  EXPECT_EQ(exported["dtype"], "float32");
  EXPECT_EQ(exported["torch_dtype"], "float32");
}

// transformers 4 reads rope_theta and rope_scaling, version 5 rope_parameters.
TEST_F(PlainModelTest, AnExportSaysTheRotarySettingsForBothVersions) {
  std::ifstream written(base() / "config.json");
  nlohmann::json config = nlohmann::json::parse(written);
  config.erase("rope_theta");
  config.erase("rope_scaling");
  const nlohmann::json scaling = {{"rope_type", "linear"}, {"factor", 4.0}};
  config["rope_parameters"] = scaling;
  config["rope_parameters"]["rope_theta"] = 500.0;
  std::ofstream(base() / "config.json") << config;
  const auto policy = make(SteeredSet::kLora);
  const Steering steering{Weighting({0.3, 0.7}), 0.1};
  export_policy(*policy, base(), steering, folder_ / "plain");
  const auto exported =
      nlohmann::json::parse(read_file(folder_ / "plain" / "config.json"));
  EXPECT_EQ(exported["rope_theta"], 500.0);
  EXPECT_EQ(exported["rope_scaling"], scaling);
  EXPECT_EQ(exported["rope_parameters"], config["rope_parameters"]);
}

TEST_F(PlainModelTest, AnEndTokenOutsideTheVocabularyIsRefused) {
  for (const int id : {-1, 4000}) {
    std::ofstream(base() / "generation_config.json")
        << nlohmann::json{{"eos_token_id", id}};
    try {
      load_language_model(base());
      FAIL() << id << " was accepted";
    } catch (const CallerError& error) {
      expect_words(error.what(), {"eos_token_id", "is " + std::to_string(id)});
    }
  }
}

TEST_F(PlainModelTest, ScoresThatAreNotNumbersAreAnError) {
  const auto plain = load_policy(base());
  const std::vector<ScoreRequest> requests{
      {TokenIds{3, 9}, {5, 1}, std::nullopt}};
  EXPECT_NO_THROW(plain->score(requests, {}));
  for (const auto& parameter : plain->model().steerable().parameters) {
    if (parameter->name() == "model.norm.weight")
      parameter->reference().fill_(3e38F);
  }
  EXPECT_THROW(plain->score(requests, {}), WorldError);
}

}  // namespace
}  // namespace moft
