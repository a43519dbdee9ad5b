// The keys of a config.json that every model family reads the same way.
//
// Thread safety: a view of a JSON object and its place, which must outlive it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "moft/core/errors.h"

namespace moft {

class ConfigKeys {
 public:
  // `place` names the file; `model` is what it should describe ("T5 model").
  ConfigKeys(
      const nlohmann::json& config,
      const std::string& place,
      const char* model = "language model")
      : config_(config), place_(place), model_(model) {}

  // Present and not null.
  bool has(const char* key) const {
    return config_.contains(key) && !config_.at(key).is_null();
  }
  // A missing key is not null: it means the family's default.
  bool has_null(const char* key) const {
    return config_.contains(key) && config_.at(key).is_null();
  }
  const nlohmann::json& at(const char* key) const { return config_.at(key); }
  const std::string& place() const { return place_; }

  // CallerError unless the key is a whole number from 1 to 2^31.
  std::int64_t size(const char* key) const {
    if (!has(key) || !at(key).is_number_integer()) {
      throw_caller_error(
          "{}: key '{}' must be a whole number; is this the config.json of a "
          "{}?",
          place_,
          key,
          model_);
    }
    const auto value = at(key).get<std::int64_t>();
    if (value < 1 || value > (std::int64_t{1} << 31)) {
      throw_caller_error(
          "{}: key '{}' is {}; give a value from 1 to 2^31",
          place_,
          key,
          at(key).dump());
    }
    return value;
  }
  std::int64_t size_or(const char* key, std::int64_t otherwise) const {
    return has(key) ? size(key) : otherwise;
  }
  bool flag_or(const char* key, bool otherwise) const {
    if (!has(key)) return otherwise;
    if (!at(key).is_boolean()) {
      throw_caller_error("{}: key '{}' must be true or false", place_, key);
    }
    return at(key).get<bool>();
  }
  double number_or(const char* key, double otherwise) const {
    if (!has(key)) return otherwise;
    if (!at(key).is_number()) {
      throw_caller_error("{}: key '{}' must be a number", place_, key);
    }
    return at(key).get<double>();
  }
  double positive_or(const char* key, double otherwise) const {
    if (!has(key)) return otherwise;
    const double value = at(key).is_number() ? at(key).get<double>() : 0.0;
    if (!(value > 0)) {
      throw_caller_error(
          "{}: key '{}' is {}; give a number above 0",
          place_,
          key,
          at(key).dump());
    }
    return value;
  }
  std::string text_or(const char* key, const std::string& otherwise) const {
    if (!has(key)) return otherwise;
    if (!at(key).is_string()) {
      throw_caller_error("{}: key '{}' must be a text", place_, key);
    }
    return at(key).get<std::string>();
  }

  // `id`, the key's value or one of them, as a token id below `vocabulary`.
  std::int32_t token(
      const nlohmann::json& id,
      const char* key,
      std::int64_t vocabulary) const {
    const auto value =
        id.is_number_integer() ? id.get<std::int64_t>() : std::int64_t{-1};
    if (value < 0 || value >= vocabulary) {
      throw_caller_error(
          "{}: {} (here or in generation_config.json) is {}; give a token id "
          "below the vocabulary's {}",
          place_,
          key,
          id.dump(),
          vocabulary);
    }
    return static_cast<std::int32_t>(value);
  }
  // The same of eos_token_id, a number or a list; none without the key.
  std::vector<std::int32_t> end_tokens(std::int64_t vocabulary) const {
    constexpr const char* kKey = "eos_token_id";
    if (!has(kKey)) return {};
    if (!at(kKey).is_array()) return {token(at(kKey), kKey, vocabulary)};
    std::vector<std::int32_t> ids;
    for (const nlohmann::json& id : at(kKey))
      ids.push_back(token(id, kKey, vocabulary));
    return ids;
  }

  // CallerError: the key's value, or `otherwise`, which it means that the key
  // is missing, is a computation that moft does not do.
  [[noreturn]] void refuse(
      const char* key,
      const std::string& supported,
      double otherwise = 0.0) const {
    if (!config_.contains(key)) {
      throw_caller_error(
          "{}: key '{}' is missing, which means {}; moft computes {}",
          place_,
          key,
          otherwise,
          supported);
    }
    throw_caller_error(
        "{}: {} = {} is not supported; moft computes {}",
        place_,
        key,
        at(key).dump(),
        supported);
  }

 private:
  const nlohmann::json& config_;
  const std::string& place_;
  const char* model_;
};

}  // namespace moft
