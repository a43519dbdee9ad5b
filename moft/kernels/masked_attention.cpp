#include "moft/kernels/masked_attention.h"

#include <algorithm>

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "moft/kernels/parallel.h"

namespace moft::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor fused(
    const at::Tensor& q,
    const at::Tensor& k,
    const at::Tensor& v,
    const at::Tensor& mask,
    double scale) {
  return at::scaled_dot_product_attention(
      q, k, v, mask, /*dropout_p=*/0.0, /*is_causal=*/false, scale);
}

// A tensor of the shape of `like`, whose transpose(1, 2) is contiguous.
at::Tensor empty_by_token(const at::Tensor& like) {
  return at::empty(
             {like.size(0), like.size(2), like.size(1), like.size(3)},
             like.options())
      .transpose(1, 2);
}

// Gradients of one batch; those of the sequences are independent of each other
// but for a mask they share.
class Backward {
 public:
  Backward(const variable_list& saved, at::Tensor of_y, double scale)
      : q_(saved[0]),
        k_(saved[1]),
        v_(saved[2]),
        mask_(saved[3]),
        of_y_(std::move(of_y)),
        scale_(scale),
        of_q_(empty_by_token(q_)),
        of_k_(empty_by_token(k_)),
        of_v_(empty_by_token(v_)),
        is_cpu_(q_.device().is_cpu()),
        shared_mask_(mask_.size(0) == 1),
        ranges_(is_cpu_ ? std::min<std::int64_t>(q_.size(0), kRanges) : 1) {
    std::vector<std::int64_t> shape = mask_.sizes().vec();
    shape[0] = shared_mask_ ? ranges_ : q_.size(0);
    of_mask_ = at::zeros(shape, mask_.options());
  }

  variable_list run() {
    parallel_ranges(ranges_, 1, [&](auto begin, auto end) {
      const at::NoGradGuard no_gradient;  // of this thread
      for (auto range = begin; range < end; ++range)
        run_range(range);
    });
    return {
        of_q_,
        of_k_,
        of_v_,
        shared_mask_ ? of_mask_.sum(0, /*keepdim=*/true) : of_mask_,
        at::Tensor()};
  }

 private:
  // So many sums of a shared mask's gradient, whatever the number of threads.
  static constexpr std::int64_t kRanges = 8;

  void run_range(std::int64_t range) {
    const std::int64_t sequences = q_.size(0);
    const std::int64_t begin = sequences * range / ranges_;
    const std::int64_t end = sequences * (range + 1) / ranges_;
    const std::int64_t at_once = is_cpu_ ? 1 : sequences;
    for (auto s = begin; s < end; s += at_once)
      run_sequences(s, at_once, range);
  }

  void run_sequences(std::int64_t s, std::int64_t n, std::int64_t range) {
    const at::Tensor q = q_.narrow(0, s, n), k = k_.narrow(0, s, n);
    const at::Tensor of_y = of_y_.narrow(0, s, n);
    const at::Tensor mask = shared_mask_ ? mask_ : mask_.narrow(0, s, n);
    const at::Tensor of_mask = shared_mask_ ? of_mask_.narrow(0, range, 1)
                                            : of_mask_.narrow(0, s, n);
    at::Tensor p = at::matmul(q, k.transpose(-2, -1));
    p = at::softmax(p.mul_(scale_).add_(mask), -1);
    of_v_.narrow(0, s, n).copy_(at::matmul(p.transpose(-2, -1), of_y));
    at::Tensor of_scores =
        at::matmul(of_y, v_.narrow(0, s, n).transpose(-2, -1));
    of_scores = at::_softmax_backward_data(of_scores, p, -1, at::kFloat);
    of_mask.add_(of_scores.sum_to_size(of_mask.sizes()));
    of_scores.mul_(scale_);
    of_q_.narrow(0, s, n).copy_(at::matmul(of_scores, k));
    of_k_.narrow(0, s, n).copy_(at::matmul(of_scores.transpose(-2, -1), q));
  }

  at::Tensor q_, k_, v_, mask_, of_y_;
  double scale_;
  at::Tensor of_q_, of_k_, of_v_, of_mask_;
  bool is_cpu_;
  bool shared_mask_;
  std::int64_t ranges_;
};

struct TrainedMask : torch::autograd::Function<TrainedMask> {
  static at::Tensor forward(
      AutogradContext* context,
      const at::Tensor& q,
      const at::Tensor& k,
      const at::Tensor& v,
      const at::Tensor& mask,
      double scale) {
    context->save_for_backward({q, k, v, mask});
    context->saved_data["scale"] = scale;
    // A mask that asks for a gradient keeps ATen from its fused kernel.
    return fused(q.detach(), k.detach(), v.detach(), mask.detach(), scale);
  }

  static variable_list backward(
      AutogradContext* context, variable_list gradients) {
    return Backward(
               context->get_saved_variables(),
               gradients[0],
               context->saved_data["scale"].toDouble())
        .run();
  }
};

}  // namespace

at::Tensor masked_attention(
    const at::Tensor& q,
    const at::Tensor& k,
    const at::Tensor& v,
    const at::Tensor& mask,
    double scale) {
  const bool trained = at::GradMode::is_enabled() && mask.requires_grad();
  return trained ? TrainedMask::apply(q, k, v, mask, scale)
                 : fused(q, k, v, mask, scale);
}

}  // namespace moft::kernels
