// The weighted sum of a parameter's copies, in double and rounded once.
#include "moft/conditioning/mixing.h"

#include <algorithm>
#include <vector>

#include "moft/kernels/elementwise.h"
#include "moft/kernels/parallel.h"

namespace moft {
namespace {

// The sources that count, with their coefficients.
struct Terms {
  std::vector<at::Tensor> sources;
  std::vector<double> factors;

  bool is_copy() const { return factors.size() == 1 && factors[0] == 1.0; }
};

Terms terms_of(
    const std::vector<at::Tensor>& sources, const Coefficients& coefficients) {
  if (coefficients.is_frozen_reference())
    return {{sources.at(0).contiguous()}, {1.0}};
  TORCH_CHECK(
      sources.size() == coefficients.values().size(),
      "[mix] got ",
      sources.size(),
      " sources and ",
      coefficients.values().size(),
      " coefficients");
  Terms terms;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (coefficients.values()[i] == 0.0) continue;
    terms.sources.push_back(sources[i].contiguous());
    terms.factors.push_back(coefficients.values()[i]);
  }
  return terms;
}

// Elements [begin, end) of the flattened sources.
void mix_range(
    const Terms& terms, std::int64_t begin, std::int64_t end, float* result) {
  if (terms.is_copy()) {
    const float* source = terms.sources[0].const_data_ptr<float>();
    std::copy(source + begin, source + end, result);
    return;
  }
  std::vector<const float*> sources;
  for (const at::Tensor& source : terms.sources)
    sources.push_back(source.const_data_ptr<float>() + begin);
  kernels::mix(sources, terms.factors, end - begin, result);
}

// REQUIRES result contiguous, of the sources' shape and dtype.
void mix_into(const Terms& terms, at::Tensor& result) {
  if (result.device().is_cpu() && result.scalar_type() == at::kFloat) {
    float* out = result.data_ptr<float>();
    kernels::parallel_ranges(
        result.numel(), 1 << 14, [&](std::int64_t begin, std::int64_t end) {
          mix_range(terms, begin, end, out + begin);
        });
    return;
  }
  if (terms.is_copy()) {
    result.copy_(terms.sources[0]);
    return;
  }
  at::Tensor sum = terms.sources[0].to(at::kDouble) * terms.factors[0];
  for (std::size_t t = 1; t < terms.factors.size(); ++t)
    sum.add_(terms.sources[t].to(at::kDouble) * terms.factors[t]);
  result.copy_(sum);
}

}  // namespace

at::Tensor mix(
    const std::vector<at::Tensor>& sources, const Coefficients& coefficients) {
  const Terms terms = terms_of(sources, coefficients);
  at::Tensor result = at::empty(sources[0].sizes(), sources[0].options());
  mix_into(terms, result);
  return result;
}

kernels::ReadRows mixed_rows(
    const std::vector<at::Tensor>& sources, const Coefficients& coefficients) {
  const std::int64_t width = sources.at(0).numel() / sources[0].size(0);
  return [terms = terms_of(sources, coefficients), width](
             std::int64_t begin, std::int64_t end, float* target) {
    mix_range(terms, begin * width, end * width, target);
  };
}

at::Tensor mix_each(
    const std::vector<at::Tensor>& sources,
    const std::vector<Coefficients>& coefficients) {
  std::vector<std::int64_t> shape = sources.at(0).sizes().vec();
  shape.insert(shape.begin(), static_cast<std::int64_t>(coefficients.size()));
  at::Tensor result = at::empty(shape, sources[0].options());
  for (std::size_t k = 0; k < coefficients.size(); ++k) {
    at::Tensor row = result.select(0, static_cast<std::int64_t>(k));
    mix_into(terms_of(sources, coefficients[k]), row);
  }
  return result;
}

}  // namespace moft
