// The names of the functions between two linear maps.
#include "moft/models/activation.h"

#include <map>

namespace moft {

Activation read_activation(
    const ConfigKeys& keys, const char* key, const std::string& otherwise) {
  static const std::map<std::string, Activation> kActivations = {
      {"gelu", Activation::kGelu},
      {"gelu_new", Activation::kGeluTanh},
      {"gelu_pytorch_tanh", Activation::kGeluTanh},
      {"relu", Activation::kRelu},
      {"tanh", Activation::kTanh},
  };
  const auto found = kActivations.find(keys.text_or(key, otherwise));
  if (found == kActivations.end())
    keys.refuse(key, "gelu, gelu_new, gelu_pytorch_tanh, relu and tanh");
  return found->second;
}

}  // namespace moft
