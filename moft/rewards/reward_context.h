// What the factory of a reward kind may use (reward_kind.h).
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <typeindex>
#include <utility>

#include <c10/core/Device.h>

namespace moft {

// Lives while one set of objectives is made. One thread.
class RewardContext {
 public:
  RewardContext(std::filesystem::path base, at::Device device)
      : base_(std::move(base)), device_(device) {}

  // The name of the objective whose reward is being made.
  const std::string& objective() const { return objective_; }
  void set_objective(std::string name) { objective_ = std::move(name); }
  // A path of the settings; relative ones are relative to the base.
  std::filesystem::path path(const std::string& written) const {
    return (base_ / written).lexically_normal();
  }
  // The device for what computes; inputs and results stay on the CPU.
  at::Device device() const { return device_; }

  // What make() gave for this type and key before, else what it gives now: an
  // encoder, or a whole reward, that several objectives share.
  template <class T, class Make>
  std::shared_ptr<const T> shared(const std::string& key, const Make& make) {
    std::shared_ptr<const void>& found =
        shared_[{std::type_index(typeid(T)), key}];
    if (!found) found = std::shared_ptr<const T>(make());
    return std::static_pointer_cast<const T>(found);
  }

 private:
  std::filesystem::path base_;
  at::Device device_;
  std::string objective_;
  std::map<std::pair<std::type_index, std::string>, std::shared_ptr<const void>>
      shared_;
};

}  // namespace moft
