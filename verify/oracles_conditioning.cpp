// Oracles: conditioning.
#include "verify/oracles_conditioning.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "moft/algorithms/adafactor.h"
#include "moft/algorithms/advantages.h"
#include "moft/conditioning/mixing.h"
#include "moft/weightings/steering.h"

#include "verify/splitmix.h"

namespace moft::exact {
namespace {

// Seeds 71, 72, 73 (1, 2, 3 copies of 4, 4, 5 numbers), alpha .01 .05 .3 1,
// softmdp then linear, alpha_min .01: the merged parameters.
const Vector kMerged = {
    1.5160081186205232,   0.9448722646780424,   -1.493025187230619,
    0.6240209078836214,   1.4835401099071113,   0.9388317673701932,
    -1.469417459129402,   0.620844392954054,    -1.1076693531703545,
    0.45675127010437555,  0.4146700128677149,   0.367332832767066,
    1.3536680750534626,   0.9146697781387968,   -1.3749865467245346,
    0.6081383332357845,   -1.6542688264601209,  0.3550593962348617,
    0.8121065128882012,   0.313856150451117,    0.5419678572181598,
    0.7636573454425686,   -0.7847933441941124,  0.5287254599966001,
    -1.730792752720688,   0.3408225338931297,   0.8677476228910693,
    0.3063694149268841,   -1.730792752720688,   0.3408225338931297,
    0.8677476228910693,   0.3063694149268841,   0.18529872991303048,
    0.8357683825523028,   -0.8236983049954104,  -0.6690863821744393,
    0.187315053118417,    0.8423827443080075,   -0.8173186757434407,
    -0.6669145207998378,  0.3482339384291141,   1.370262261801173,
    -0.3081727088766537,  -0.4935824327117012,  0.19538034593996317,
    0.8688401913308266,   -0.7918001587355623,  -0.6582270753014323,
    0.38217877353663154,  1.4816151533113542,   -0.20077154301857936,
    -0.45701910990696415, 0.2457884260746265,   1.034199235223446,
    -0.6323094274363219,  -0.6039305409363978,  0.38693105045168397,
    1.4972045581227797,   -0.18573537979844895, -0.45190024471430096,
    0.38693105045168397,  1.4972045581227797,   -0.18573537979844895,
    -0.45190024471430096, 0.9674251816314519,   -0.27303950466401933,
    -0.03410368084373616, 0.5705518639194815,   -1.2129606564762603,
    0.9394263779644759,   -0.27468699640576977, -0.02217247384435911,
    0.577861290989375,    -1.199978995921748,   -1.2951044076191314,
    -0.4061701504620331,  0.930034258499864,    1.1612126372442015,
    -0.16393758136415315, 0.8274311632965721,   -0.2812769633727714,
    0.025552354153149104, 0.6070989992689486,   -1.1480523537036986,
    -1.7664647387130028,  -0.4339057016699526,  1.1308963291964476,
    1.2842669650201848,   0.05460889261753585,  0.1274610716221728,
    -0.3224642569165319,  0.3238325291375754,   0.7898346760162838,
    -0.8235108398408905,  -1.832455185066145,   -0.43778867883906136,
    1.159017019093969,    1.3014945709088226,   0.08520539897497231,
    -1.832455185066145,   -0.43778867883906136, 1.159017019093969,
    1.3014945709088226,   0.08520539897497231};

// Parameters after five steps.
struct AdafactorTrace {
  std::int64_t rows, columns;  // columns 0: a vector
  std::int64_t min_dim_size_to_factor;
  double learning_rate;
  bool multiply_by_parameter_scale;
  std::uint64_t seed;
  Vector after5;
};

const std::vector<AdafactorTrace>& adafactor_traces() {
  static const std::vector<AdafactorTrace> kTraces = {
      {3,
       4,
       1,
       3e-05,
       true,
       31,
       {-0.014903021859375741,
        -0.11473415553678128,
        -0.06334759115875553,
        -0.0753788208453506,
        0.003665465828279613,
        -0.05686696624866923,
        0.06458584625840381,
        0.028285528614708604,
        -0.03235155984522947,
        0.08032609364313197,
        0.036730824538477314,
        0.007786195251744527}},
      {3,
       4,
       128,
       3e-05,
       true,
       32,
       {-0.18556553095320272,
        -0.01633532951237992,
        0.11593325026646036,
        -0.10051126270622507,
        -0.1263460676747773,
        -0.032924297923997134,
        0.09356285029292301,
        -0.14426370191220106,
        0.09431764671493599,
        -0.11866849363827253,
        -0.10702739594705363,
        0.1438106966145919}},
      {4,
       3,
       1,
       0.01,
       true,
       33,
       {0.0544465680846086,
        0.046565860601896186,
        0.13475148592865968,
        0.01814582206892924,
        0.14825079233565155,
        -0.0433420327079777,
        -0.02090560107129116,
        0.08630343055398212,
        -0.038417362878326484,
        -0.03377851490766145,
        0.01666604616342979,
        -0.009015898886572933}},
      {5,
       0,
       1,
       0.01,
       true,
       34,
       {0.04265512745613565,
        -0.10162350056915793,
        -0.06462131143335124,
        0.007191072662447304,
        -0.04272523638639444}},
      {3,
       3,
       1,
       0.1,
       false,
       35,
       {-0.24399074902102996,
        -0.3594385268493713,
        -0.06518288076994574,
        -0.5546998942958632,
        -0.24722359556647647,
        -0.13621425065229975,
        -0.05069681150357663,
        -0.319817168523437,
        0.30885435872561673}},
  };
  return kTraces;
}

// Seed 50: eight rewards of two objectives, values, log ratios; alpha .1,
// w (.3, .7): (1 - alpha)(w.R - w.V) - alpha log ratio, normalised.
const Vector kAdvantages = {
    0.5404258879597545,
    1.226945369338327,
    0.9889167504820869,
    -0.5196714153673623,
    -1.7124060366718235,
    0.4042700093249828,
    -1.3091435293174276,
    0.38066296425146245};

at::Tensor tensor_of(const Vector& values) {
  return at::tensor(values, at::kDouble);
}

Vector vector_of(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.to(at::kDouble).contiguous().reshape({-1});
  const auto* data = flat.const_data_ptr<double>();
  return Vector(data, data + flat.numel());
}

struct MergeTask {
  std::vector<at::Tensor> sources;  // reference, then copies
  Weighting w;
};

MergeTask merge_task(std::uint64_t seed, int copies, int numbers) {
  SplitMix64 random(seed);
  MergeTask task;
  for (int i = 0; i <= copies; ++i)
    task.sources.push_back(tensor_of(random.normals(numbers)));
  task.w = Weighting(random.dirichlet1(copies));
  return task;
}

double largest_difference(const Vector& a, const Vector& b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

}  // namespace

void verify_conditioning(OracleBook& book) {
  Vector merged;
  for (const std::uint64_t seed : {71, 72, 73}) {
    const MergeTask task =
        merge_task(seed, static_cast<int>(seed) - 70, seed == 73 ? 5 : 4);
    for (const double alpha : {.01, .05, .3, 1.0}) {
      for (const FMix f_mix : {FMix::kSoftmdp, FMix::kLinear}) {
        const Vector one = vector_of(mix(
            task.sources, coefficients({task.w, alpha}, KlRange(.01, f_mix))));
        merged.insert(merged.end(), one.begin(), one.end());
      }
    }
  }
  book.equal_all("merge: 24 cases of equation 3", kMerged, merged, 4e-16 * 4);

  const MergeTask task = merge_task(73, 3, 5);
  const KlRange range(.01);
  const auto merge = [&](const Weighting& w, double alpha) {
    return vector_of(mix(task.sources, coefficients({w, alpha}, range)));
  };
  book.equal(
      "merge: a corner at alpha_min is that copy, bit for bit",
      0,
      largest_difference(
          merge(Weighting::corner(3, 1), .01), vector_of(task.sources[2])),
      0);
  book.equal(
      "merge: alpha 1 is the reference, bit for bit",
      0,
      largest_difference(merge(task.w, 1.0), vector_of(task.sources[0])),
      0);
  // Masters are float32; the sum runs in double and is rounded once.
  const at::Tensor master = task.sources[0].to(at::kFloat);
  const std::vector<at::Tensor> equal(4, master);
  book.equal(
      "merge: equal copies give the reference back, bit for bit",
      0,
      largest_difference(
          vector_of(mix(equal, coefficients({task.w, .05}, range))),
          vector_of(master)),
      0);
}

void verify_optimizer(OracleBook& book) {
  for (const AdafactorTrace& trace : adafactor_traces()) {
    SplitMix64 random(trace.seed);
    std::vector<std::int64_t> shape = {trace.rows};
    if (trace.columns > 0) shape.push_back(trace.columns);
    const int numbers = static_cast<int>(trace.after5.size());
    const auto draw = [&] {
      return tensor_of(random.normals(numbers)).reshape(shape);
    };
    const at::Tensor master = (draw() * 0.1).to(at::kFloat);
    Adafactor adafactor(
        {{"p", master}},
        {.multiply_by_parameter_scale = trace.multiply_by_parameter_scale,
         .min_dim_size_to_factor = trace.min_dim_size_to_factor});
    for (int step = 0; step < 5; ++step)
      adafactor.step({{draw().to(at::kFloat)}}, trace.learning_rate);
    double largest = 0;
    for (const double value : trace.after5)
      largest = std::max(largest, std::abs(value));
    // float32: ten units in the last place of the largest.
    book.equal_all(
        fmt::format("Adafactor: five steps of seed {}", trace.seed),
        trace.after5,
        vector_of(master),
        10 * 0x1p-24 * largest);
  }

  SplitMix64 random(50);
  const Vector w = {.3, .7};
  const double alpha = .1;
  Vector rewards, values, advantages;
  for (Vector* list : {&rewards, &values}) {
    for (int row = 0; row < 8; ++row)
      list->push_back(dot(w, random.uniforms(2)));
  }
  for (int row = 0; row < 8; ++row) {
    const double log_ratio = .2 * random.normal();
    advantages.push_back(
        (1 - alpha) * (rewards[row] - values[row]) - alpha * log_ratio);
  }
  book.equal_all(
      "advantages: a batch of eight, normalised",
      kAdvantages,
      vector_of(make_advantages(
                    {tensor_of(advantages), at::zeros({8}, at::kDouble), {}},
                    AdvantageNormalisation::kBatch)
                    .advantages),
      1e-13);
}

}  // namespace moft::exact
