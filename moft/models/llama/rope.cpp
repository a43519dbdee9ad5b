// Reads and writes rotary settings of config.json.
#include "moft/models/llama/rope.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "moft/core/errors.h"
#include "moft/models/config_keys.h"

namespace moft {
namespace {

using nlohmann::json;

constexpr const char* kKinds =
    "plain rotary embeddings and the kinds linear, llama3, yarn and, inside "
    "the original context, dynamic; take a model of one of these kinds";
constexpr const char* kTheta = "rope_theta";
constexpr const char* kParameters = "rope_parameters";
constexpr const char* kOriginal = "original_max_position_embeddings";

// One object of rotary settings: its numbers, and errors that name it.
class Scaling {
 public:
  Scaling(const ConfigKeys& keys, std::string key, const json& object)
      : keys_(keys), key_(std::move(key)), object_(object) {
    if (!object_.is_object()) {
      throw_caller_error(
          "{}: {} is {}; give an object of rotary settings",
          keys_.place(),
          key_,
          object_.dump());
    }
    kind_ = read_kind();
    check_keys();
  }

  const std::string& key() const { return key_; }
  const std::string& kind() const { return kind_; }
  // What two ways of writing one setting have in common.
  json settings() const {
    json kept = json::object();
    for (const auto& [name, value] : object_.items()) {
      if (name != kTheta && name != "type" && name != "rope_type" &&
          !value.is_null())
        kept[name] = value;
    }
    return kept;
  }

  bool has(const char* name) const {
    return object_.contains(name) && !object_.at(name).is_null();
  }
  double number(const char* name) const {
    const double value = has(name) && object_.at(name).is_number()
                             ? object_.at(name).get<double>()
                             : 0.0;
    if (!(value > 0) || !std::isfinite(value))
      throw_caller_error(
          "{}: {}.{} is {}; give a number above 0",
          keys_.place(),
          key_,
          name,
          object_.contains(name) ? object_.at(name).dump() : "absent");
    return value;
  }
  // 0 counts as absent, as in transformers.
  double number_or(const char* name, double otherwise) const {
    const bool zero = has(name) && object_.at(name) == 0;
    return has(name) && !zero ? number(name) : otherwise;
  }
  bool flag_or(const char* name, bool otherwise) const {
    if (!has(name)) return otherwise;
    if (!object_.at(name).is_boolean())
      throw_caller_error(
          "{}: {}.{} must be true or false", keys_.place(), key_, name);
    return object_.at(name).get<bool>();
  }
  std::vector<double> numbers(const char* name, std::size_t count) const {
    const json value = has(name) ? object_.at(name) : json();
    bool right = value.is_array() && value.size() == count;
    std::vector<double> list;
    for (std::size_t i = 0; right && i < count; ++i) {
      right = value[i].is_number() && value[i].get<double>() > 0;
      if (right) list.push_back(value[i].get<double>());
    }
    if (!right)
      throw_caller_error(
          "{}: {}.{} must be a list of {} numbers above 0",
          keys_.place(),
          key_,
          name,
          count);
    return list;
  }

  [[noreturn]] void refuse(const std::string& supported) const {
    throw_caller_error(
        "{}: {} = {} is not supported; moft computes {}",
        keys_.place(),
        key_,
        object_.dump(),
        supported);
  }

 private:
  std::string read_kind() const {
    std::optional<std::string> kind;
    for (const char* name : {"rope_type", "type"}) {
      if (!object_.contains(name)) continue;
      const json& value = object_.at(name);
      if (!value.is_string()) refuse(kKinds);
      if (kind && *kind != value)
        refuse("one kind; rope_type and type differ, keep one of them");
      kind = value.get<std::string>();
    }
    return kind.value_or("default");
  }

  // Those that transformers knows for a kind; a value for any other is a
  // setting that would be ignored. Without a kind, version 4 fails on
  // rope_scaling, and version 5 ignores all settings but the base.
  void check_keys() const {
    static const std::map<std::string, std::set<std::string>> kKeysOfKind{
        {"default", {}},
        {"linear", {"factor"}},
        {"dynamic", {"factor", kOriginal}},
        {"llama3",
         {"factor", kOriginal, "low_freq_factor", "high_freq_factor"}},
        {"yarn",
         {"factor",
          kOriginal,
          "attention_factor",
          "beta_fast",
          "beta_slow",
          "mscale",
          "mscale_all_dim",
          "truncate"}},
        {"longrope",
         {"factor",
          kOriginal,
          "attention_factor",
          "short_factor",
          "long_factor"}}};
    const auto own = kKeysOfKind.find(kind_);
    if (own == kKeysOfKind.end()) refuse(kKinds);
    const json given = settings();
    for (const auto& [name, value] : given.items()) {
      // `finetuned` tells how weights were made, as the first YaRN models do.
      if (name == "partial_rotary_factor" || name == "finetuned" ||
          own->second.contains(name))
        continue;
      throw_caller_error(
          "{}: {}.{} is {}, which is not a setting of rotary embeddings of "
          "kind {}{}; correct its name or the kind, or remove it",
          keys_.place(),
          key_,
          name,
          value.dump(),
          kind_,
          has("rope_type") || has("type") ? "" : " (rope_type is missing)");
    }
  }

  const ConfigKeys& keys_;
  std::string key_;
  const json& object_;
  std::string kind_;
};

// rope_parameters by kind of layer: the settings of one kind, null without.
const json* settings_of_layers(const ConfigKeys& keys, const RopeKeys& names) {
  const json& nested = keys.at(kParameters);
  if (!nested.is_object())
    keys.refuse(kParameters, "one object of settings for each kind of layer");
  for (const auto& [kind, settings] : nested.items()) {
    if (kind == "full_attention" || kind == "sliding_attention") continue;
    throw_caller_error(
        "{}: {}.{} is not a kind of layer; this model's settings are in "
        "{}.full_attention and {}.sliding_attention",
        keys.place(),
        kParameters,
        kind,
        kParameters,
        kParameters);
  }
  const auto own = nested.find(names.layers);
  return own == nested.end() || own->is_null() ? nullptr : &*own;
}

// The objects that hold the settings, at most two, which say the same.
std::vector<Scaling> find_scalings(
    const ConfigKeys& keys, const RopeKeys& names) {
  std::vector<Scaling> found;
  const auto add = [&](const std::string& key, const json& object) {
    if (!object.is_object() || !object.empty())
      found.emplace_back(keys, key, object);
  };
  if (names.scaling != nullptr && keys.has(names.scaling))
    add(names.scaling, keys.at(names.scaling));
  if (keys.has(kParameters)) {
    if (names.layers == nullptr)
      add(kParameters, keys.at(kParameters));
    else if (const json* own = settings_of_layers(keys, names))
      add(fmt::format("{}.{}", kParameters, names.layers), *own);
  }
  if (found.size() == 2 && (found[0].kind() != found[1].kind() ||
                            found[0].settings() != found[1].settings()))
    throw_caller_error(
        "{}: {} and {} differ, and versions of transformers read different "
        "ones; keep the one that is meant",
        keys.place(),
        found[0].key(),
        found[1].key());
  return found;
}

// The base of the frequencies: of its own key, or of the settings.
double read_theta(
    const ConfigKeys& keys,
    const RopeKeys& names,
    const std::vector<Scaling>& scalings) {
  std::vector<std::pair<std::string, double>> given;
  if (keys.has(names.theta))
    given.emplace_back(names.theta, keys.number_or(names.theta, 0.0));
  for (const Scaling& scaling : scalings) {
    if (scaling.has(kTheta))
      given.emplace_back(scaling.key() + "." + kTheta, scaling.number(kTheta));
  }
  for (const auto& [key, theta] : given) {
    if (!(theta > 1.0 && theta < 1e30))
      throw_caller_error(
          "{}: {} is {}; give a number above 1 and below 1e30",
          keys.place(),
          key,
          theta);
    if (theta != given[0].second)
      throw_caller_error(
          "{}: {} is {} and {} is {}, and versions of transformers read "
          "different ones; keep the one that is meant",
          keys.place(),
          given[0].first,
          given[0].second,
          key,
          theta);
  }
  return given.empty() ? names.default_theta : given[0].second;
}

// transformers 5 takes the outer key where there is one, 4 the inner one.
std::int64_t original_context(
    const ConfigKeys& keys, const Scaling& scaling, std::int64_t context) {
  const std::int64_t outer = keys.size_or(kOriginal, 0);
  if (!scaling.has(kOriginal)) return outer > 0 ? outer : context;
  const double number = scaling.number(kOriginal);
  if (number < 1 || number > 0x1p31)
    throw_caller_error(
        "{}: the rope setting {} is {}; give a number of tokens up to 2^31",
        keys.place(),
        kOriginal,
        number);
  const auto inner = static_cast<std::int64_t>(number);
  if (outer > 0 && outer != inner)
    throw_caller_error(
        "{}: {} is {} and in the rope settings {}, and versions of "
        "transformers read different ones; keep the one that is meant",
        keys.place(),
        kOriginal,
        outer,
        inner);
  return inner;
}

void read_llama3(
    const ConfigKeys& keys, const Scaling& scaling, RopeScaling& rope) {
  rope.factor = scaling.number("factor");
  rope.low_frequency = scaling.number("low_freq_factor");
  rope.high_frequency = scaling.number("high_freq_factor");
  if (rope.high_frequency <= rope.low_frequency)
    throw_caller_error(
        "{}: the rope setting high_freq_factor ({}) must be above "
        "low_freq_factor ({})",
        keys.place(),
        rope.high_frequency,
        rope.low_frequency);
}

void read_yarn(
    const Scaling& scaling, std::int64_t context, RopeScaling& rope) {
  rope.factor = scaling.has("factor")
                    ? scaling.number("factor")
                    : static_cast<double>(context) /
                          static_cast<double>(rope.original_context);
  rope.beta_fast = scaling.number_or("beta_fast", 32.0);
  rope.beta_slow = scaling.number_or("beta_slow", 1.0);
  rope.truncate = scaling.flag_or("truncate", true);
  const double scale = scaling.number_or("mscale", 0.0);
  const double scale_all = scaling.number_or("mscale_all_dim", 0.0);
  rope.attention = yarn_attention(rope.factor, 1.0);
  if (scale > 0 && scale_all > 0)
    rope.attention = yarn_attention(rope.factor, scale) /
                     yarn_attention(rope.factor, scale_all);
  if (scaling.has("attention_factor"))
    rope.attention = scaling.number("attention_factor");
}

// Lists for short and long texts that are the same one.
void read_longrope(
    const Scaling& scaling, std::int64_t head_size, RopeScaling& rope) {
  const auto count = static_cast<std::size_t>(head_size / 2);
  rope.factors = scaling.numbers("short_factor", count);
  if (scaling.numbers("long_factor", count) != rope.factors ||
      !scaling.has("attention_factor"))
    scaling.refuse(kKinds);
  rope.attention = scaling.number("attention_factor");
}

// The llama3 settings whose factors these are (low 1, high 4 and an original
// context that is a power of two, as in all of Meta's models), if there are
// such. REQUIRES kFactors.
std::optional<RopeScaling> llama3_of_factors(
    const Rope& rope, std::int64_t head_size) {
  const auto& wanted = rope.scaling.factors;
  if (wanted.empty() || rope.scaling.attention != 1.0) return std::nullopt;
  RopeScaling guess;
  guess.kind = RopeKind::kLlama3;
  guess.factor = *std::max_element(wanted.begin(), wanted.end());
  if (guess.factor <= 1.0) return std::nullopt;
  for (int power = 4; power <= 24; ++power) {
    guess.original_context = std::int64_t{1} << power;
    const auto found = llama3_factors(guess, rope.theta, head_size);
    const bool same = std::equal(
        found.begin(),
        found.end(),
        wanted.begin(),
        wanted.end(),
        [](double a, double b) { return std::abs(a - b) <= 1e-5 * b; });
    if (same) return guess;
  }
  return std::nullopt;
}

}  // namespace

std::vector<double> llama3_factors(
    const RopeScaling& scaling, double theta, std::int64_t head_size) {
  const auto context = static_cast<double>(scaling.original_context);
  const double low = scaling.low_frequency, high = scaling.high_frequency;
  std::vector<double> factors;
  for (std::int64_t i = 0; i < head_size / 2; ++i) {
    const double exponent =
        static_cast<double>(2 * i) / static_cast<double>(head_size);
    const double length = 2 * std::numbers::pi * std::pow(theta, exponent);
    if (length < context / high) {
      factors.push_back(1.0);
    } else if (length > context / low) {
      factors.push_back(scaling.factor);
    } else {
      const double smooth = (context / length - low) / (high - low);
      factors.push_back(1.0 / ((1.0 - smooth) / scaling.factor + smooth));
    }
  }
  return factors;
}

double yarn_attention(double factor, double scale) {
  return factor <= 1.0 ? 1.0 : 0.1 * scale * std::log(factor) + 1.0;
}

Rope rope_from_json(
    const ConfigKeys& keys,
    std::int64_t context,
    std::int64_t head_size,
    const RopeKeys& names) {
  const std::vector<Scaling> scalings = find_scalings(keys, names);
  Rope rope;
  rope.theta = read_theta(keys, names, scalings);
  if (scalings.empty()) return rope;
  const Scaling& scaling = scalings[0];
  if (scaling.number_or("partial_rotary_factor", 1.0) != 1.0)
    scaling.refuse("rotary embeddings of whole heads");
  const std::string& kind = scaling.kind();
  RopeScaling& found = rope.scaling;
  if (kind == "linear") {
    found.factor = scaling.number("factor");
    if (found.factor != 1.0) found.kind = RopeKind::kLinear;
  } else if (kind == "llama3") {
    found.kind = RopeKind::kLlama3;
    found.original_context = original_context(keys, scaling, context);
    read_llama3(keys, scaling, found);
  } else if (kind == "yarn") {
    found.kind = RopeKind::kYarn;
    found.original_context = original_context(keys, scaling, context);
    read_yarn(scaling, context, found);
  } else if (kind == "dynamic") {
    found.kind = RopeKind::kDynamic;
    found.factor = scaling.number("factor");
  } else if (kind == "longrope") {
    found.kind = RopeKind::kFactors;
    read_longrope(scaling, head_size, found);
  }
  return rope;
}

void add_rope_to_json(
    const Rope& rope,
    std::int64_t context,
    std::int64_t head_size,
    json& config) {
  config["rope_theta"] = rope.theta;
  RopeScaling scaling = rope.scaling;
  if (scaling.kind == RopeKind::kFactors)
    if (const auto llama3 = llama3_of_factors(rope, head_size))
      scaling = *llama3;
  json& written = config["rope_scaling"];
  switch (scaling.kind) {
    case RopeKind::kPlain:
      config.erase("rope_scaling");
      return;
    case RopeKind::kLinear:
      written = {{"rope_type", "linear"}, {"factor", scaling.factor}};
      return;
    case RopeKind::kDynamic:
      written = {{"rope_type", "dynamic"}, {"factor", scaling.factor}};
      return;
    case RopeKind::kLlama3:
      written = {
          {"rope_type", "llama3"},
          {"factor", scaling.factor},
          {"low_freq_factor", scaling.low_frequency},
          {"high_freq_factor", scaling.high_frequency},
          {"original_max_position_embeddings", scaling.original_context}};
      return;
    case RopeKind::kYarn:
      written = {
          {"rope_type", "yarn"},
          {"factor", scaling.factor},
          {"attention_factor", scaling.attention},
          {"beta_fast", scaling.beta_fast},
          {"beta_slow", scaling.beta_slow},
          {"truncate", scaling.truncate},
          {"original_max_position_embeddings", scaling.original_context}};
      return;
    case RopeKind::kFactors:
      written = {
          {"rope_type", "longrope"},
          {"factor", 1.0},
          {"attention_factor", scaling.attention},
          {"short_factor", scaling.factors},
          {"long_factor", scaling.factors},
          {"original_max_position_embeddings", context}};
      return;
  }
}

}  // namespace moft
