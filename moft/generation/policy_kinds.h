// Kinds of policies: what moft.json's `kind` may say, and how each is opened.
//
// A kind is one entry of the table: a name, a reader of what is known without
// weights, and an opener. `clp`, the policies that `moft train` writes, is
// built in; register_policy_kind() adds others, from this library or from
// outside, before the first open_policy(). Commands know no kind.
//
// Errors: CallerError for a kind that the table does not have.
// Thread safety: register before other threads open policies.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "moft/data/prompt_options.h"
#include "moft/generation/policy.h"
#include "moft/models/load.h"

namespace moft {

// The job that a policy is opened for.
struct PolicyOpening {
  LoadOptions load;
  // See Policy::expect_steerings().
  std::int64_t steerings = 1;
  // How a plain model reads dialogues; a policy has its own way.
  std::optional<ChatSettings> chat = std::nullopt;
};

struct PolicyKind {
  std::string name;
  std::function<PolicyInfo(const std::filesystem::path& directory)> describe;
  std::function<std::unique_ptr<Policy>(
      const std::filesystem::path& directory, const LoadOptions& options)>
      open;
};

// CallerError when a kind of this name is there already.
void register_policy_kind(PolicyKind kind);

// A policy directory of any kind, the run directory that holds one, or a plain
// model: a Hugging Face directory or a GGUF file.
std::unique_ptr<Policy> open_policy(
    const std::filesystem::path& path, const PolicyOpening& opening = {});

// What a policy directory says of itself; reads no weights. CallerError when
// `directory` holds no moft.json.
PolicyInfo describe_policy(const std::filesystem::path& directory);

// A plain model read with these prompts and this temperature: a policy's
// reference before there is a policy.
std::unique_ptr<Policy> open_reference(
    const std::filesystem::path& model,
    const PromptSpec& prompt,
    double temperature,
    const LoadOptions& options = {});

}  // namespace moft
