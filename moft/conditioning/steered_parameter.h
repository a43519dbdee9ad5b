// One named parameter of a model and what conditioning makes of it.
//
//   frozen  the reference tensor alone;
//   shared  trained, but the same for every steering (S^c); the reference
//           keeps its own value;
//   steered m trained copies beside the frozen reference (S).
//
// Ranks may share the copies (copy_parts.h): each holds the same elements of
// all of them, flat, and a mixture has to be put in before it is read.
//
// All tensors are float32 masters on one device. `value(c)` is what a forward
// pass under coefficients c multiplies with; mixed values are cached until the
// copies change: m + 1 (wide: m + 2), or as many as make_room() asked for. The
// reference may be read from its file when it is first needed; packing a frozen
// parameter frees its plain copy.
//
// Thread safety: const members may run in one thread at a time (caches).
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ATen/ATen.h>

#include "moft/algorithms/gradient.h"
#include "moft/kernels/linear_function.h"
#include "moft/weightings/steering.h"

namespace moft {

enum class ParameterRole { kFrozen, kShared, kSteered };

// How rows under several steerings meet the copies of a weight.
//   kMixed  the rows of each steering multiply with its mixed weight, rounded
//           once and cached;
//   kWide   every row multiplies with all m + 1 sources and the products are
//           summed: nothing to mix, however many steerings there are.
enum class SteeringWay { kMixed, kWide };

class SteeredParameter {
 public:
  SteeredParameter(std::string name, at::Tensor reference);
  // `source` gives rows of the reference, of this shape, when they are needed.
  SteeredParameter(
      std::string name,
      std::vector<std::int64_t> shape,
      at::Device device,
      kernels::RowSource source);

  const std::string& name() const { return name_; }
  ParameterRole role() const { return role_; }
  bool steered() const { return role_ == ParameterRole::kSteered; }
  const std::vector<std::int64_t>& shape() const { return shape_; }
  std::int64_t size(std::size_t dimension) const {
    return shape_.at(dimension);
  }
  std::int64_t numel() const;
  at::Device device() const { return device_; }
  const at::Tensor& reference() const;
  // Masters theta^(1..m) of a steered parameter; one of a shared parameter;
  // none of one whose copies ranks share.
  const std::vector<at::Tensor>& copies() const { return copies_; }
  // What is trained here: the copies, or this rank's part of each.
  const std::vector<at::Tensor>& masters() const {
    return part_ ? parts_ : copies_;
  }
  const std::optional<TensorPart>& part() const { return part_; }
  // What mixing reads: theta_ref, theta^(1), .., theta^(m). REQUIRES whole
  // copies.
  std::vector<at::Tensor> sources() const;

  // Puts the parameter into S: m copies of the reference, or
  // the elements of `part` alone, where ranks share them.
  void make_steered(
      std::int64_t objectives,
      const std::optional<TensorPart>& part = std::nullopt);
  // Trained and common to all steerings: one copy of the reference.
  void make_shared();
  // To be called after the copies were written through `masters()`.
  void copies_changed();

  // --- of copies that ranks share
  // This part's elements of value(c), flat.
  at::Tensor mixed_part(const Coefficients& c) const;
  // value(c), from the parts of all ranks, until the copies change; in the
  // place of the one before.
  void put_mixture(const Coefficients& c, at::Tensor value);
  // Whole copies for what reads several of them at once; none: lets go of them.
  void hold_copies(std::vector<at::Tensor> copies);

  // The tensor of a forward pass without gradient.
  at::Tensor value(const Coefficients& coefficients) const;
  // The same, packed for row products; 2-D parameters only.
  const kernels::FrozenWeight& packed(const Coefficients& coefficients) const;
  // Rows of value(c) by index, [ids, columns]; of a frozen table that is a
  // tied head too, from its packed form. Few rows of a mixture are mixed by
  // themselves and not kept. 2-D parameters only.
  at::Tensor rows(
      const at::Tensor& ids, const Coefficients& coefficients) const;

  // How packed() stores numbers; float32 unless told.
  void set_storage(kernels::Storage storage) { storage_ = storage; }
  kernels::Storage storage() const { return storage_; }
  // How row products use the copies; kMixed unless told.
  void set_way(SteeringWay way) { way_ = way; }
  SteeringWay way() const { return way_; }
  // Keeps at least this many mixed values from now on (never fewer than
  // m + 1): those of a batch that reads each of them for every token.
  void make_room(std::size_t values) const { room_ = values; }
  // Says whether the embedding table is the output head too, so that rows()
  // need not keep a second form of it.
  void set_tied_head(bool tied = true) { tied_head_ = tied; }

  // Training: value(c) as a leaf that collects the gradient G; while a leaf
  // exists every differentiable forward pass uses it. The gradient of copy i
  // is c_i G (CLP, appendix A.3).
  void begin_gradient(const Coefficients& coefficients);
  void end_gradient();
  // Undefined outside begin_gradient .. end_gradient.
  const at::Tensor& leaf() const { return leaf_; }

 private:
  struct Mixed {
    Coefficients coefficients;  // as cache_key() gives them
    at::Tensor value;           // undefined until asked for
    std::optional<kernels::FrozenWeight> packed;
  };
  Mixed& mixed(const Coefficients& coefficients) const;
  at::Tensor value_of(Mixed& entry) const;
  kernels::FrozenWeight pack(Mixed& entry) const;
  Coefficients cache_key(const Coefficients& coefficients) const;
  at::Tensor part_of_reference() const;  // flat
  // Ranks share the copies, and this one has no whole ones.
  bool lacks_copies() const { return part_ && copies_.empty(); }

  std::string name_;
  kernels::Storage storage_ = kernels::Storage::kFloat32;
  SteeringWay way_ = SteeringWay::kMixed;
  bool tied_head_ = false;
  ParameterRole role_ = ParameterRole::kFrozen;
  std::vector<std::int64_t> shape_;
  at::Device device_;
  kernels::RowSource source_;
  mutable at::Tensor reference_;  // undefined until asked for
  std::vector<at::Tensor> copies_;
  std::optional<TensorPart> part_;
  std::vector<at::Tensor> parts_;  // of the copies, where ranks share them
  std::optional<std::pair<Coefficients, at::Tensor>> mixture_;  // put in
  at::Tensor leaf_;
  mutable std::list<Mixed> cache_;  // most recently used first
  mutable std::size_t room_ = 0;
};

}  // namespace moft
