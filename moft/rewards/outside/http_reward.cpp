// The reward kind `http`.
#include "moft/rewards/outside/http_reward.h"

#include "moft/core/errors.h"
#include "moft/core/json.h"
#include "moft/core/text.h"
#include "moft/rewards/outside/http_channel.h"
#include "moft/rewards/outside/outside_reward.h"
#include "moft/rewards/outside/wire.h"
#include "moft/rewards/reward_context.h"

namespace moft {
namespace {

using nlohmann::json;

std::string source_key(const HttpOptions& options) {
  HttpOptions common = options;
  common.name.reset();
  common.missing = MissingReward::kStop;
  return print_options(common);
}

std::shared_ptr<const RewardSource> make_source(
    const HttpOptions& options, RewardContext& context) {
  require_http();
  HttpTarget target;
  target.url = options.url;
  target.shown = shown_url(options.url);
  target.key = read_key(options.key_variable);
  if (options.certificates)
    target.certificates = context.path(*options.certificates).string();
  const auto open = [target, options](
                        const SourceOutputs& outputs,
                        RewardClock::time_point,
                        const std::atomic<bool>&) {
    return make_http_channel(
        target, outputs, [options](const RewardCall& call) {
          return http_body(call, options.format, options.label);
        });
  };
  return std::make_shared<RewardSource>(target.shown, options, open);
}

// A column, or nulls.
json column_of(const RewardCall& call, const std::string& name) {
  if (call.columns.contains(name)) return call.columns.at(name);
  return json(std::vector<json>(call.rows()));
}

}  // namespace

void HttpOptions::check(const std::string& path) const {
  check_http_url(url, path + "url");
  if (format == HttpFormat::kSlime && unit != CallUnit::kRow) {
    throw_caller_error(
        "{}format is slime, which asks about one completion, but {}unit is "
        "{}; give unit: row",
        path,
        path,
        enum_name(unit));
  }
}

std::string http_body(
    const RewardCall& call, HttpFormat format, const std::string& label) {
  if (format == HttpFormat::kMoft) return request_text(call);
  const json labels = column_of(call, label);
  json body;
  if (format == HttpFormat::kSlime) {
    body["prompt"] = call.prompts.front();
    body["response"] = call.completions.front();
    body["label"] = labels.front();
    return dump_json(body);
  }
  const auto& ends =
      call.raw_completions.empty() ? call.completions : call.raw_completions;
  json queries = json::array();
  for (std::size_t row = 0; row < call.rows(); ++row)
    queries.push_back(call.prompts[row] + ends[row]);
  body["query"] = std::move(queries);
  body["prompts"] = call.prompts;
  body["labels"] = labels;
  return dump_json(body);
}

RewardKind http_kind() {
  return RewardKindOf<HttpOptions>{
      .name = "http",
      .help = "a server that is asked with POST",
      .make =
          [](const HttpOptions& options, RewardContext& context) {
            const auto source = context.shared<RewardSource>(
                "http " + source_key(options),
                [&] { return make_source(options, context); });
            const std::string output = options.name.value_or("");
            source->add_output(output, nullptr);
            return std::make_shared<OutsideReward>(
                context.objective(), source, output, options.missing);
          },
      .check_files = [](const HttpOptions&) { require_http(); },
  };
}

}  // namespace moft
