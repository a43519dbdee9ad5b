#include "moft/conditioning/mixing.h"

#include <vector>

#include "moft/kernels/parallel.h"

namespace moft {
namespace {

struct Term {
  at::Tensor source;
  double coefficient;
};

std::vector<Term> terms_of(
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
  return terms;
}

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

// REQUIRES result contiguous, of the sources' shape and dtype.
void mix_into(const std::vector<Term>& terms, at::Tensor& result) {
  if (terms.size() == 1 && terms[0].coefficient == 1.0) {
    result.copy_(terms[0].source);
    return;
  }
  if (result.device().is_cpu() && result.scalar_type() == at::kFloat) {
    mix_floats(terms, result);
    return;
  }
  at::Tensor sum = terms[0].source.to(at::kDouble) * terms[0].coefficient;
  for (std::size_t t = 1; t < terms.size(); ++t) {
    sum.add_(terms[t].source.to(at::kDouble) * terms[t].coefficient);
  }
  result.copy_(sum);
}

}  // namespace

at::Tensor mix(
    const std::vector<at::Tensor>& sources, const Coefficients& coefficients) {
  const std::vector<Term> terms = terms_of(sources, coefficients);
  at::Tensor result = at::empty(sources[0].sizes(), sources[0].options());
  mix_into(terms, result);
  return result;
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
