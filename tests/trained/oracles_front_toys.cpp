// Oracles of docs/paper.md's rows 87, 106 and 107: toys trained by exact
// gradients, soups against joint training.
#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "tests/trained/front_toys.h"
#include "tests/trained/oracles.h"

namespace moft::exact {
namespace {

using enum FrontKind;

// Ten problems each; means over problems and weightings.
struct ToyRow {
  FrontKind kind;
  int objectives, outputs;
  double alpha;
  int steps;
  double soup_regret, together_regret;
  // Share of the interior weightings where CLP is better, and of the corners
  // where the soup is at least as good.
  double interior_share, corner_share;
  // Figure 4's bars: 1 - V_clp / V_soup.
  double interior_bar, corner_bar;
};

constexpr ToyRow kRows[] = {
    {kRandom,
     2,
     20,
     0.01,
     1200,
     0.08002705823672703,
     0.03179308233279627,
     0.8888888888888888,
     0.55,
     -0.09289000088137662,
     0.023586028161919632},
    {kRandom,
     2,
     20,
     0.01,
     12000,
     0.05786139793380773,
     0.022687553584905186,
     0.9,
     0.55,
     -0.07246270069684296,
     0.02994407372871822},
    {kRandom,
     2,
     20,
     0.1,
     1200,
     0.007174904454612981,
     0.0077139930608297064,
     0.6555555555555556,
     0.95,
     -0.003310794366821728,
     0.017829808689106712},
    {kRandom,
     2,
     20,
     0.1,
     12000,
     0.0005448220072454293,
     0.0002891334168830342,
     0.8333333333333334,
     1.0,
     -0.000668332321841108,
     0.0006336873023934986},
    {kConcave,
     2,
     20,
     0.01,
     1200,
     0.045670980914425285,
     0.037388417005276404,
     0.6333333333333333,
     0.85,
     -0.04095346578207877,
     0.053450984349504724},
    {kConcave,
     2,
     20,
     0.01,
     12000,
     0.03443752619891994,
     0.022437471831995164,
     0.6666666666666666,
     0.8,
     -0.050029911211396584,
     0.05288782895872821},
    {kConcave,
     2,
     20,
     0.1,
     1200,
     0.009340362520375529,
     0.010122632537141615,
     0.6,
     1.0,
     -0.005409278982997362,
     0.02240373312622059},
    {kConcave,
     2,
     20,
     0.1,
     12000,
     0.002078954821831528,
     0.00025909577729592065,
     1.0,
     0.95,
     -0.004403542496547663,
     0.00039111500321122316},
    {kConvex,
     2,
     20,
     0.01,
     1200,
     0.04240658095933996,
     0.03625361836496476,
     0.8111111111111111,
     0.05,
     -0.015827506915790473,
     -0.0021459340226463843},
    {kConvex,
     2,
     20,
     0.01,
     12000,
     0.018473056590553687,
     0.013616305260094708,
     0.9222222222222223,
     0.05,
     -0.013156081005843737,
     -0.00018894472925239935},
    {kConvex,
     2,
     20,
     0.1,
     1200,
     0.004131032506449066,
     0.006508650899040261,
     0.35555555555555557,
     1.0,
     0.004043414338906648,
     0.011934453057827931},
    {kConvex,
     2,
     20,
     0.1,
     12000,
     0.000777596759591491,
     0.0001433295976870472,
     0.9333333333333333,
     0.45,
     -0.0025751383078337514,
     8.26380893840295e-05},
    {kRandom,
     3,
     30,
     0.01,
     1200,
     0.1045685665958517,
     0.06866500024721224,
     0.81,
     0.8,
     -0.11255065278977859,
     0.09321478844823679},
    {kRandom,
     3,
     30,
     0.01,
     12000,
     0.07821478312723672,
     0.043425266417180766,
     0.84,
     0.7333333333333333,
     -0.1017609190155603,
     0.07471059434988588},
    {kRandom,
     3,
     30,
     0.1,
     1200,
     0.018454047392980535,
     0.026079359399363858,
     0.63,
     1.0,
     -0.003212865091726548,
     0.059171516160535315},
    {kRandom,
     3,
     30,
     0.1,
     12000,
     0.002171698032858451,
     0.0027138414937831834,
     0.85,
     1.0,
     -0.0022026337720312296,
     0.010003600766252266},
    {kConcave,
     3,
     30,
     0.01,
     1200,
     0.08196939983289125,
     0.09430173792866184,
     0.65,
     0.9333333333333333,
     -0.04270010911872358,
     0.1414834973043719},
    {kConcave,
     3,
     30,
     0.01,
     12000,
     0.06710217733362278,
     0.04829545029436519,
     0.89,
     0.6666666666666666,
     -0.09733743675745889,
     0.08102221509626302},
    {kConcave,
     3,
     30,
     0.1,
     1200,
     0.015181792996030438,
     0.03316969235695673,
     0.25,
     1.0,
     0.008589015594669139,
     0.11415609026634632},
    {kConcave,
     3,
     30,
     0.1,
     12000,
     0.003440684618048027,
     0.0019849984478885548,
     1.0,
     1.0,
     -0.007356841893295492,
     0.006655710329567433},
    {kConvex,
     3,
     30,
     0.01,
     1200,
     0.04295297242057871,
     0.05813237920410821,
     0.61,
     0.7,
     0.008658426500176192,
     0.15587436714402467},
    {kConvex,
     3,
     30,
     0.01,
     12000,
     0.025960208741278835,
     0.01587883724725761,
     0.91,
     0.16666666666666666,
     -0.06061442472892725,
     0.0360140661961706},
    {kConvex,
     3,
     30,
     0.1,
     1200,
     0.004826866024133346,
     0.017856944029492373,
     0.15,
     1.0,
     0.034474109409754566,
     0.14182847477336932},
    {kConvex,
     3,
     30,
     0.1,
     12000,
     0.0004645427195188374,
     0.00037758238015570407,
     0.77,
     0.9333333333333333,
     -0.0016595835751276856,
     0.0024064478181964446},
};

std::string kind_name(FrontKind kind) {
  if (kind == kRandom) return "random";
  return kind == kConcave ? "concave" : "convex";
}

// Sums over weightings of one kind.
struct Tally {
  double count = 0, share = 0, bar = 0;
};

void verify_toy(OracleBook& book, const ToyRow& row) {
  const Matrix weightings = comparison_weightings(row.objectives);
  double soup = 0, together = 0;
  Tally interior, corner;
  for (std::uint64_t seed = 200; seed < 210; ++seed) {
    const FrontComparison front = compare_training(
        front_problem(row.kind, seed, row.outputs, row.objectives),
        {.steps = row.steps, .alpha = row.alpha},
        weightings);
    for (std::size_t k = 0; k < weightings.size(); ++k) {
      const Vector& w = weightings[k];
      const bool at_corner = *std::max_element(w.begin(), w.end()) > .999;
      Tally& tally = at_corner ? corner : interior;
      ++tally.count;
      soup += front.optimum[k] - front.soup[k];
      together += front.optimum[k] - front.together[k];
      tally.share += at_corner ? front.soup[k] >= front.together[k]
                               : front.together[k] > front.soup[k];
      tally.bar += 1 - front.together[k] / front.soup[k];
    }
  }
  const std::string name = fmt::format(
      "toy fronts: {}, {} rewards, alpha {}, {} steps",
      kind_name(row.kind),
      row.objectives,
      row.alpha,
      row.steps);
  const double count = interior.count + corner.count;
  book.equal_all(
      name + " (regret of soup, of CLP; bars inside, at corners)",
      {row.soup_regret, row.together_regret, row.interior_bar, row.corner_bar},
      {soup / count,
       together / count,
       interior.bar / interior.count,
       corner.bar / corner.count},
      1e-6);
  book.equal(
      name + ", interior share where CLP is better",
      row.interior_share,
      interior.share / interior.count,
      .011);
  // One corner of 20 or 30 may be a tie.
  book.equal(
      name + ", corners where the soup is no worse",
      row.corner_share,
      corner.share / corner.count,
      .051);
}

}  // namespace

void verify_front_toys(OracleBook& book) {
  for (const ToyRow& row : kRows)
    verify_toy(book, row);
}

}  // namespace moft::exact
