// The generator of the exact tasks' instances: splitmix64.
//
// Every random instance of this part (bandits, tables, fixtures) is named by
// one seed and can be regenerated bit for bit in any language. Training never
// draws from here; its randomness is core/random.h's.
//
// Source: S. Vigna's splitmix64 (public domain), our own code.
// Thread safety: one stream belongs to one thread.
#pragma once

#include <cstdint>
#include <vector>

namespace moft::exact {

class SplitMix64 {
 public:
  explicit SplitMix64(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next_u64();
  double uniform();  // [0, 1), 53 bits
  // Box-Muller, the cosine half of each pair of uniforms.
  double normal();
  double exponential();        // rate 1
  std::uint64_t below(int n);  // floor(uniform() n)

  std::vector<double> uniforms(int n);
  std::vector<double> normals(int n);
  // Dirichlet(1, .., 1): m exponentials, normalised.
  std::vector<double> dirichlet1(int m);

 private:
  std::uint64_t state_;
};

}  // namespace moft::exact
