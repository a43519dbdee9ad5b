// Counter-based random numbers: the only source of randomness in moft.
//
// A stream is named by (seed, purpose, step, row). Two streams with the same
// name give the same numbers whatever the batch size, the thread count or the
// number of restarts; nothing has to be saved to resume.
//
// The generator is Philox4x32-10 (Salmon et al., "Parallel random numbers: as
// easy as 1, 2, 3", SC 2011): key = seed, counter = (block, row, step,
// purpose). Reference vectors of that paper's library are in the test.
//
// Thread safety: a stream belongs to one thread; distinct streams are free.
#pragma once

#include <array>
#include <cstdint>

namespace moft {

// What a draw is for. The values are part of the file formats (a resumed run
// must draw the same numbers), so never renumber them.
enum class Purpose : std::uint32_t {
  kInitialise = 1,  // adapters and value heads
  kShuffle = 2,     // order of the training examples
  kWeighting = 3,   // Dirichlet draws of w
  kKlStrength = 4,  // draws of alpha
  kToken = 5,       // sampling a completion while training
  kGenerate = 6,    // sampling a completion on request
  kEvaluate = 7,    // sampling held-out completions
  kBootstrap = 8,   // confidence intervals
  kCalibrate = 9,   // samples of the reference for `moft calibrate`
  kMinibatch = 10,  // which prompts are updated from together
  kTest = 100,
};

// Philox4x32-10: one block of four 32-bit words.
std::array<std::uint32_t, 4> philox4x32(
    std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key);

class RandomStream {
 public:
  RandomStream(
      std::uint64_t seed,
      Purpose purpose,
      std::uint32_t step = 0,
      std::uint32_t row = 0);

  std::uint32_t next_u32();
  std::uint64_t next_u64();
  // Uniform in [0, 1) with 53 random bits.
  double uniform();
  // Uniform whole number in [0, bound), without bias. REQUIRES bound > 0.
  std::uint64_t below(std::uint64_t bound);
  // Standard normal (Box-Muller, one value per two uniforms).
  double normal();
  // Gamma(shape, 1), shape > 0 (Marsaglia and Tsang, 2000; shapes below 1 by
  // the u^(1/shape) boost, in logarithms so that tiny shapes do not vanish).
  double log_gamma(double shape);

 private:
  std::array<std::uint32_t, 2> key_;
  std::array<std::uint32_t, 4> counter_;
  std::array<std::uint32_t, 4> block_{};
  int used_ = 4;
};

}  // namespace moft
