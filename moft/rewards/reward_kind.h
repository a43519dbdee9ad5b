// A kind of reward, and the table of all kinds.
//
// A kind is one entry: its key in a recipe, its settings, what it reads, and
// how a reward is made of them. To add one to moft, write its files and add it
// to builtin_reward_kinds() in reward_kind.cpp; to add one from outside, call
// register_reward_kind() before the first recipe is read. Recipes, checks,
// help and hashes follow from the entry:
//
//   struct PoliteOptions {
//     std::string word = "please";
//     template <class V>
//     void fields(V& v) { v("word", word, Help{"the word to look for"}); }
//   };
//   register_reward_kind(RewardKindOf<PoliteOptions>{
//       .name = "polite",
//       .help = "1 if the answer contains a word",
//       .make = [](const PoliteOptions& options, RewardContext& context) {
//         return std::make_shared<Polite>(context.objective(), options);
//       }});
//
//   objectives: {manners: {polite: {word: thanks}}}    # in a recipe
//
// No entry is registered by a static initialiser: linkers drop those from
// static libraries.
//
// Thread safety: register_reward_kind() must not run beside anything that uses
// the table. The functions of an entry are called by one thread at a time.
#pragma once

#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "moft/core/any_options.h"
#include "moft/data/example.h"
#include "moft/rewards/gate_options.h"

namespace moft {

class Reward;
class RewardContext;

// A file that a reward's numbers depend on. A run keeps its hash.
struct RewardFile {
  std::string key;  // below the kind's key: "model", "model config.json"
  std::filesystem::path path;
  bool watched = false;  // must not change while the reward is in use
};

// A kind whose settings are the struct S, which has fields() (core/fields.h)
// and, if it can be gated, a member std::optional<GateOptions> gate.
template <class S>
struct RewardKindOf {
  std::string name;  // its key in a recipe, "length"
  std::string help;  // one phrase, for the recipe reference

  // The reward of the objective that `context` names, without its gate.
  // Throws CallerError.
  std::function<std::shared_ptr<const Reward>(const S&, RewardContext& context)>
      make;

  // The fields of the examples that it reads. Default: none.
  std::function<std::vector<std::string>(const S&)> example_fields = nullptr;
  // The files that it reads. Default: the files, and the files in the folders,
  // that fields declared with Path{} name.
  std::function<std::vector<RewardFile>(const S&)> files = nullptr;
  // Finds within milliseconds what make() would refuse in its files. Throws
  // CallerError. Default: nothing.
  std::function<void(const S&)> check_files = nullptr;
  // What a user should know about these examples before training, one
  // sentence each. They have the example_fields. Default: nothing.
  std::function<std::vector<std::string>(
      const S&, const std::vector<Example>& examples)>
      warnings = nullptr;
};

// The same for settings of any type: `settings` are those of this kind.
struct RewardKind {
  template <class S>
  RewardKind(RewardKindOf<S> kind);  // NOLINT: a conversion

  std::string name;
  std::string help;
  AnyOptions absent;  // its settings, not given
  std::function<std::shared_ptr<const Reward>(
      const AnyOptions& settings, RewardContext&)>
      make;
  std::function<std::vector<std::string>(const AnyOptions& settings)>
      example_fields;
  std::function<std::vector<RewardFile>(const AnyOptions& settings)> files;
  std::function<void(const AnyOptions& settings)> check_files;
  std::function<std::vector<std::string>(
      const AnyOptions& settings, const std::vector<Example>& examples)>
      warnings;
  // Null for none.
  std::function<const GateOptions*(const AnyOptions& settings)> gate;
  // The time that a step may wait for it, in seconds (`step_deadline` of the
  // settings); 0 for a reward that is computed here.
  std::function<double(const AnyOptions& settings)> step_deadline;
};

// moft's own, in the order of the recipe reference.
std::vector<RewardKind> builtin_reward_kinds();

// All kinds that a recipe may name: the built-in ones, then those registered.
// References stay valid.
const std::deque<RewardKind>& reward_kinds();

// Throws CallerError for a name that is taken or not an identifier, and for a
// kind without make().
void register_reward_kind(RewardKind kind);

// The default of RewardKindOf::files.
std::vector<RewardFile> files_named_by(AnyOptions settings);

template <class S>
RewardKind::RewardKind(RewardKindOf<S> kind)
    : name(std::move(kind.name)),
      help(std::move(kind.help)),
      absent(AnyOptions::absent<S>()) {
  const auto typed = [](auto function) {
    return [function = std::move(function)](
               const AnyOptions& settings, auto&&... rest) {
      return function(settings.get<S>(), std::forward<decltype(rest)>(rest)...);
    };
  };
  if (kind.make) make = typed(std::move(kind.make));
  if (kind.example_fields) example_fields = typed(kind.example_fields);
  files = kind.files ? decltype(files)(typed(kind.files)) : files_named_by;
  if (kind.check_files) check_files = typed(kind.check_files);
  if (kind.warnings) warnings = typed(kind.warnings);
  gate = [](const AnyOptions& settings) -> const GateOptions* {
    if constexpr (requires(const S& s) { s.gate.value(); }) {
      const auto& given = settings.get<S>().gate;
      return given ? &*given : nullptr;
    } else {
      return nullptr;
    }
  };
  step_deadline = [](const AnyOptions& settings) {
    if constexpr (requires(const S& s) { double{s.step_deadline}; }) {
      return settings.get<S>().step_deadline;
    } else {
      return 0.0;
    }
  };
}

}  // namespace moft
