// ENUM-1 as text: tokenizer, examples, objectives.
#include "verify/enum_text.h"

#include <map>

#include "moft/core/errors.h"

namespace moft::exact {
namespace {

constexpr TokenId kEnd = 0;
constexpr const char* kEndText = "<end>";

class EnumTokenizer : public Tokenizer {
 public:
  explicit EnumTokenizer(bool closes_prompts)
      : closes_prompts_(closes_prompts) {}

  std::vector<TokenId> encode(
      std::string_view text, const EncodeOptions&) const override {
    std::vector<TokenId> ids;
    for (const char sign : text) {
      if (sign >= 'a' && sign <= 'e') ids.push_back(sign - 'a' + 1);
      if (sign == ';') ids.push_back(kEnd);
      if (sign >= '0' && sign <= '9') {
        ids.push_back(1 + (sign - '0') / 5);
        ids.push_back(1 + (sign - '0') % 5);
      }
    }
    return ids;
  }

  std::string decode(
      std::span<const TokenId> ids, bool skip_special) const override {
    std::string text;
    for (const TokenId id : ids) {
      if (id != kEnd || !skip_special) text += token_bytes(id);
    }
    return text;
  }

  std::string token_bytes(TokenId id) const override {
    if (id == kEnd) return kEndText;
    return std::string(1, static_cast<char>('a' + id - 1));
  }
  bool is_special(TokenId id) const override { return id == kEnd; }
  std::optional<TokenId> find(std::string_view token) const override {
    if (token == kEndText) return kEnd;
    if (token.size() == 1 && token[0] >= 'a' && token[0] <= 'e')
      return token[0] - 'a' + 1;
    return std::nullopt;
  }
  std::int64_t vocab_size() const override { return kEnumVocabulary; }
  std::optional<TokenId> bos() const override { return std::nullopt; }
  std::optional<TokenId> eos() const override { return kEnd; }
  std::optional<TokenId> prompt_end() const override {
    return closes_prompts_ ? std::optional<TokenId>(kEnd) : std::nullopt;
  }

 private:
  bool closes_prompts_;
};

// One of the task's rewards, looked up by document and answer.
class EnumReward : public Reward {
 public:
  EnumReward(const EnumTask& task, std::size_t objective, std::string name)
      : Reward(std::move(name)), task_(task), objective_(objective) {
    for (std::size_t p = 0; p < task.prompts().size(); ++p)
      prompts_[enum_text(task.prompts()[p].document)] = p;
    for (std::size_t k = 0; k < task.answers().size(); ++k)
      answers_[enum_text(task.answers()[k])] = k;
  }

 protected:
  std::vector<double> compute(
      const RewardBatch& batch, RewardMemo&) const override {
    std::vector<double> values;
    for (std::size_t r = 0; r < batch.rows(); ++r) {
      const auto prompt =
          prompts_.find(text_field(*batch.examples[r], "document", name()));
      const auto answer = answers_.find(batch.completions[r]);
      if (prompt == prompts_.end() || answer == answers_.end())
        throw RewardRowError(r, "not an answer of ENUM-1");
      values.push_back(
          task_.problem(prompt->second).rewards[objective_][answer->second]);
    }
    return values;
  }

 private:
  const EnumTask& task_;
  std::size_t objective_;
  std::map<std::string, std::size_t> prompts_;
  std::map<std::string, std::size_t> answers_;
};

}  // namespace

std::vector<std::string> enum_objective_names(std::size_t count) {
  std::vector<std::string> names = {"faithful", "rouge", "length"};
  if (count == 0 || count > names.size()) {
    throw_caller_error(
        "ENUM-1: {} objectives; give between 1 and {}", count, names.size());
  }
  names.resize(count);
  return names;
}

std::shared_ptr<const Tokenizer> make_enum_tokenizer(bool closes_prompts) {
  return std::make_shared<EnumTokenizer>(closes_prompts);
}

std::string enum_text(const Sequence& tokens) {
  std::string text;
  for (const int token : tokens)
    text += static_cast<char>('a' + token - 1);
  return text;
}

std::vector<Example> enum_examples(const EnumTask& task) {
  std::vector<Example> examples;
  for (const EnumPrompt& prompt : task.prompts()) {
    Example example;
    example.fields["document"] = enum_text(prompt.document);
    example.id = example.fields["document"];
    example.where = "ENUM-1, document " + example.id;
    examples.push_back(std::move(example));
  }
  return examples;
}

ObjectiveSet enum_objectives(const EnumTask& task, std::size_t count) {
  std::vector<Objective> objectives;
  const auto names = enum_objective_names(count);
  for (std::size_t i = 0; i < names.size(); ++i) {
    objectives.push_back(
        {names[i], std::make_shared<EnumReward>(task, i, names[i]), 0.0, 1.0});
  }
  return ObjectiveSet(std::move(objectives));
}

std::vector<std::vector<TokenId>> enum_completions(const EnumTask& task) {
  std::vector<std::vector<TokenId>> completions;
  for (const Sequence& answer : task.answers()) {
    std::vector<TokenId> tokens(answer.begin(), answer.end());
    if (static_cast<std::int64_t>(tokens.size()) < kEnumMaxTokens)
      tokens.push_back(kEnd);
    completions.push_back(std::move(tokens));
  }
  return completions;
}

}  // namespace moft::exact
