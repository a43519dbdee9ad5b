// A process alone, as a group of one.
//
// Thread safety: as Group.
#pragma once

#include "moft/distributed/group.h"

namespace moft {

// Copies nothing that it does not return; never waits.
class SingleGroup final : public Group {
 public:
  using Group::sum;

  int rank() const override { return 0; }
  int size() const override { return 1; }
  std::vector<std::string> gather(std::string_view bytes) override;
  std::string broadcast(std::string_view bytes) override;
  void sum(std::span<const std::span<float>> parts) override;
  void sum(std::span<const std::span<double>> parts) override;
  BarrierWait barrier(std::string_view name) override;
  bool agree(bool flag) override { return flag; }
};

}  // namespace moft
