// The reward kind `python`: functions of TRL, OpenRLHF, verl and verifiers,
// unchanged, in processes of the user's interpreter (reward_host.py).
//
// Objectives with the same file or module and the same settings share the
// processes and the calls.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "moft/rewards/outside/source_options.h"
#include "moft/rewards/reward_kind.h"

namespace moft {

enum class PythonInterface {
  kAuto,
  kTrl,
  kOpenRlhf,
  kVerl,
  kVerlBatch,
  kVerifiers,
  kVerifiersGroup
};
constexpr auto enum_names(PythonInterface) {
  return EnumNames<PythonInterface, 7>{{
      {PythonInterface::kAuto, "auto"},
      {PythonInterface::kTrl, "trl"},
      {PythonInterface::kOpenRlhf, "openrlhf"},
      {PythonInterface::kVerl, "verl"},
      {PythonInterface::kVerlBatch, "verl_batch"},
      {PythonInterface::kVerifiers, "verifiers"},
      {PythonInterface::kVerifiersGroup, "verifiers_group"},
  }};
}

struct PythonOptions : SourceOptions {
  std::optional<std::string> file;
  std::optional<std::string> module;
  std::string function;
  std::optional<std::string> key;
  bool chat = false;
  PythonInterface interface = PythonInterface::kAuto;
  std::string arguments;
  std::string interpreter = "python3";
  MissingReward missing = MissingReward::kStop;

  template <class V>
  void fields(V& v) {
    v("file", file, Help{"the Python file that holds the function"}, Path{});
    v("module",
      module,
      Help{"the module that holds it, imported from the current folder or the "
           "interpreter's packages; instead of `file`"});
    v("function",
      function,
      Help{"its name; dots lead into objects"},
      Required{});
    v("key",
      key,
      Help{"the entry of the dictionary it returns that is the reward; null: "
           "the one its interface names"});
    v("chat",
      chat,
      Help{"prompts and completions are given as lists of messages, not as "
           "texts"});
    v("interface",
      interface,
      Help{"how it is called; auto: by the names of its parameters"});
    v("arguments",
      arguments,
      Help{"more arguments by name, as a JSON object: '{\"scale\": 2}'"});
    v("interpreter", interpreter, Help{"the Python program"}, Required{});
    v("missing",
      missing,
      Help{"what a None does: stop the run, or leave the completion out of the "
           "update"});
    SourceOptions::fields(v);
  }
  // Exactly one of file and module; arguments that are a JSON object.
  void check(const std::string& path) const;
};

// reward_host.py, beside the program: in share/moft/ of a folder above it, or
// what the environment variable MOFT_REWARD_HOST names. CallerError when it is
// in none of them.
std::filesystem::path find_reward_host();

RewardKind python_kind();

}  // namespace moft
