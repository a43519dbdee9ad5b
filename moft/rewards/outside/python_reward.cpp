// The reward kind `python`.
#include "moft/rewards/outside/python_reward.h"

#include <cstdlib>

#include <nlohmann/json.hpp>

#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/rewards/outside/lines_channel.h"
#include "moft/rewards/outside/outside_reward.h"
#include "moft/rewards/reward_context.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

std::string place_of_code(const PythonOptions& options) {
  if (options.file) return fs::path(*options.file).filename().string();
  return options.module.value_or("");
}

// Objectives whose settings agree in this share a source.
std::string source_key(const PythonOptions& options) {
  PythonOptions common = options;
  common.function.clear();
  common.key.reset();
  common.chat = false;
  common.interface = PythonInterface::kAuto;
  common.arguments.clear();
  common.missing = MissingReward::kStop;
  return print_options(common);
}

std::shared_ptr<const RewardSource> make_source(const PythonOptions& options) {
  LinesOptions lines;
  lines.place = place_of_code(options);
  lines.greets = true;
  const auto open = [lines, interpreter = options.interpreter](
                        const SourceOutputs& outputs,
                        RewardClock::time_point deadline,
                        const std::atomic<bool>& stopped) {
    LinesOptions own = lines;
    own.command = {
        interpreter,
        find_reward_host().string(),
        nlohmann::json(outputs).dump()};
    return std::make_unique<LinesChannel>(own, outputs, deadline, stopped);
  };
  return std::make_shared<RewardSource>(lines.place, options, open);
}

nlohmann::json about(const PythonOptions& options, const fs::path& file) {
  nlohmann::json json;
  if (options.file) {
    json["file"] = file.string();
  } else {
    json["module"] = *options.module;
  }
  json["function"] = options.function;
  if (options.key) json["key"] = *options.key;
  json["chat"] = options.chat;
  json["interface"] = enum_name(options.interface);
  if (!options.arguments.empty())
    json["arguments"] = nlohmann::json::parse(options.arguments);
  return json;
}

}  // namespace

void PythonOptions::check(const std::string& path) const {
  if (file.has_value() == module.has_value()) {
    throw_caller_error(
        "{}file and {}module are {}; give exactly one of the two",
        path,
        path,
        file ? "both given" : "both missing");
  }
  if (arguments.empty()) return;
  const auto json = nlohmann::json::parse(arguments, nullptr, false);
  if (!json.is_object()) {
    throw_caller_error(
        "{}arguments is {}; give a JSON object in quotes, such as "
        "'{{\"scale\": 2}}'",
        path,
        quote_text(arguments));
  }
}

fs::path find_reward_host() {
  if (const char* given = std::getenv("MOFT_REWARD_HOST")) return given;
  std::error_code error;
  fs::path folder = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (int level = 0; level < 4; ++level) {
    const fs::path script = folder / "share/moft/reward_host.py";
    if (fs::exists(script, error)) return script;
    folder = folder.parent_path();
  }
  throw_caller_error(
      "reward_host.py, which runs Python reward functions, is not in "
      "share/moft beside this program; install moft with cmake --install, or "
      "set MOFT_REWARD_HOST to its path");
}

RewardKind python_kind() {
  return RewardKindOf<PythonOptions>{
      .name = "python",
      .help = "a Python function of TRL, OpenRLHF, verl or verifiers",
      .make =
          [](const PythonOptions& options, RewardContext& context) {
            const auto source = context.shared<RewardSource>(
                source_key(options), [&] { return make_source(options); });
            const fs::path file =
                options.file ? context.path(*options.file) : fs::path();
            source->add_output(context.objective(), about(options, file));
            return std::make_shared<OutsideReward>(
                context.objective(),
                source,
                context.objective(),
                options.missing);
          },
  };
}

}  // namespace moft
