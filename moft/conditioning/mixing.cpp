#include "moft/conditioning/mixing.h"

#include <vector>

#include "moft/kernels/parallel.h"

namespace moft {
namespace {

struct Term {
  at::Tensor source;
  double coefficient;
};

void mix_floats(const std::vector<Term>& terms, at::Tensor& result) {
  std::vector<const float*> sources;
  for (const Term& term : terms) {
    sources.push_back(term.source.const_data_ptr<float>());
  }
  float* out = result.data_ptr<float>();
  kernels::parallel_ranges(
      result.numel(), 1 << 14, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) {
          double sum = terms[0].coefficient * sources[0][i];
          for (std::size_t t = 1; t < terms.size(); ++t) {
            sum += terms[t].coefficient * sources[t][i];
          }
          out[i] = static_cast<float>(sum);
        }
      });
}

}  // namespace

at::Tensor mix(
    const std::vector<at::Tensor>& sources, const Coefficients& coefficients) {
  TORCH_CHECK(
      sources.size() == coefficients.values().size(),
      "[mix] got ",
      sources.size(),
      " sources and ",
      coefficients.values().size(),
      " coefficients");
  std::vector<Term> terms;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (coefficients.values()[i] != 0.0) {
      terms.push_back({sources[i].contiguous(), coefficients.values()[i]});
    }
  }
  if (terms.size() == 1 && terms[0].coefficient == 1.0) {
    return terms[0].source.clone();
  }
  at::Tensor result = at::empty_like(terms[0].source);
  if (result.device().is_cpu() && result.scalar_type() == at::kFloat) {
    mix_floats(terms, result);
    return result;
  }
  at::Tensor sum = terms[0].source.to(at::kDouble) * terms[0].coefficient;
  for (std::size_t t = 1; t < terms.size(); ++t) {
    sum.add_(terms[t].source.to(at::kDouble), terms[t].coefficient);
  }
  return result.copy_(sum);
}

}  // namespace moft
