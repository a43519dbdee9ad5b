// The keys of a Llama-shaped model's config.json (private to models/llama/).
#pragma once

#include <string>

#include "moft/models/config_keys.h"

namespace moft {

class LlamaKeys : public ConfigKeys {
 public:
  using ConfigKeys::ConfigKeys;

  double number_or(const char* key, double otherwise) const {
    if (!has(key)) return otherwise;
    if (!at(key).is_number()) {
      throw_caller_error("{}: key '{}' must be a number", place(), key);
    }
    return at(key).get<double>();
  }
  std::string text_or(const char* key, const std::string& otherwise) const {
    if (!has(key)) return otherwise;
    if (!at(key).is_string()) {
      throw_caller_error("{}: key '{}' must be a text", place(), key);
    }
    return at(key).get<std::string>();
  }

  // CallerError: the key's value means a computation that moft does not do.
  [[noreturn]] void refuse(
      const char* key, const std::string& supported) const {
    throw_caller_error(
        "{}: {} = {} is not supported; moft computes {}",
        place(),
        key,
        at(key).dump(),
        supported);
  }
};

}  // namespace moft
