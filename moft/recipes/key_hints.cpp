// Keys of other programs and what they are called here.
#include "moft/recipes/key_hints.h"

#include <string>
#include <vector>

#include "moft/core/settings_yaml.h"

namespace moft {
namespace {

const SettingsNode& table() {
  static const SettingsNode kTable =
      parse_yaml(key_hints_text(), "key_hints.yaml");
  return kTable;
}

struct Hints {
  std::vector<ForeignKey> foreign;
  std::vector<ConditionalKeys> conditional;

  explicit Hints(const std::string& command) {
    add_foreign(command);
    add_foreign("every_recipe");
    for (const auto& [prefix, node] :
         table().find(command + "_conditions")->members)
      conditional.push_back({prefix, node.text});
  }

  void add_foreign(const std::string& section) {
    for (const auto& [name, node] : table().find(section)->members) {
      const bool advised = node.kind == SettingsNode::Kind::kList;
      foreign.push_back(
          {name,
           advised ? node.items.at(0).text : node.text,
           advised ? std::string_view(node.items.at(1).text) : ""});
    }
  }
};

}  // namespace

KeyHints train_key_hints() {
  static const Hints kHints("train");
  return {kHints.foreign, kHints.conditional};
}

KeyHints sft_key_hints() {
  static const Hints kHints("sft");
  return {kHints.foreign, kHints.conditional};
}

KeyHints reward_key_hints() {
  static const Hints kHints("reward");
  return {kHints.foreign, kHints.conditional};
}

KeyHints dpo_key_hints() {
  static const Hints kHints("dpo");
  return {kHints.foreign, kHints.conditional};
}

}  // namespace moft
