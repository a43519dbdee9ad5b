// The copies of a model's steered parameters, of which each of several ranks
// holds a part: the same range of elements of every copy of a parameter, so
// that it can mix its part without the others.
//
// Every rank makes the same calls in the same order, but for serve(), in which
// rank 0 alone calls and the others answer.
//
// Errors: those of the ranks' exchange; WorldError when a rank sends another
// number of elements.
// Thread safety: one thread.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "moft/algorithms/shards.h"
#include "moft/conditioning/steered_parameter.h"
#include "moft/weightings/steering.h"

namespace moft {

class CopyParts {
 public:
  // Cuts the elements of those `parameters` that will be steered, in order,
  // into even shares at the chunks of shards.h. REQUIRES several ranks.
  CopyParts(
      std::vector<std::shared_ptr<SteeredParameter>> parameters,
      const std::vector<bool>& steered,
      Ranks ranks);

  const Ranks& ranks() const { return ranks_; }
  // What this rank holds of each copy of a parameter.
  TensorPart part(std::size_t parameter) const;

  // Gives every parameter its mixture under c; once for the same copies.
  void gather(const Coefficients& c);
  // The copies have changed.
  void forget() { gathered_.reset(); }
  // Gives every parameter whole copies, or takes them away.
  void hold();
  void drop();
  at::Tensor whole(std::size_t parameter, std::size_t copy);
  // As Conditioning::serve().
  void serve(const std::function<void()>& work);

 private:
  // Tensors of all ranks' parts; `own` gives this rank's.
  using Own = std::function<at::Tensor(std::size_t parameter)>;
  std::vector<at::Tensor> exchange(
      const std::vector<Shard>& shards, const Own& own) const;
  void announce(const std::string& request) const;
  void answer(const std::string& request);

  std::vector<std::shared_ptr<SteeredParameter>> parameters_;
  Ranks ranks_;
  std::vector<Shard> shards_;  // of all ranks, by parameter
  std::optional<Coefficients> gathered_;
  bool held_ = false;     // every rank has all copies
  bool serving_ = false;  // this is rank 0, and the others answer
};

}  // namespace moft
