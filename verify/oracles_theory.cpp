// Oracles: theory.
#include "verify/oracles_theory.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include <fmt/format.h>

#include "verify/splitmix.h"
#include "verify/theory.h"

namespace moft::exact {
namespace {

struct BoundRow {
  std::uint64_t seed;
  double gap, corrected, simple, theorem2;
};

constexpr BoundRow kBounds[] = {
    {101,
     0.00019554839043182322,
     0.021319932826188517,
     273.7044654713515,
     1317520296.0613103},
    {102,
     0.0016207781567100976,
     0.038840997137266006,
     0.12895667990470833,
     1.0870537933595463},
    {103,
     0.0166137022121678,
     0.016866192627726994,
     0.11392138250333515,
     0.938799238060828},
    {104,
     5.253017939639386e-05,
     0.00017133825320653895,
     0.11272328116904698,
     1.3729102918034786},
    {105,
     0.010437151487662145,
     0.012003691263554796,
     1.6687019082079249,
     46.82247420087466},
    {106,
     0.00776086384723729,
     0.008817989838278521,
     0.11810027408036819,
     0.9674008837291092},
    {107,
     0.004431520184958122,
     0.0892295073722174,
     4.6693451490717885,
     38.80713513945464},
    {108,
     0.021715485159301252,
     0.037397800521763405,
     18.22766430771741,
     510.6254206619511},
    {109,
     0.01021760867652408,
     0.033461606506535714,
     1.0476791215452708,
     25.242853873915518},
    {110,
     0.0068720695865039875,
     0.02606118506156061,
     0.33428605665650946,
     6.8123831623152356},
    {111,
     0.02289728722307294,
     0.07304926727801925,
     4.982223880960832,
     160.07072536707076},
    {112,
     0.033687523278398426,
     0.08063074691365579,
     2.461135512992747,
     49.487787611758606},
    {113,
     0.01142580412116276,
     0.06238030048519541,
     2.843713307843767,
     68.57446859179036},
    {114,
     0.05365827308220987,
     0.06342315789731438,
     1.2809013652958234,
     20.63771309803986},
    {115,
     0.010164375106610526,
     0.11110267276713054,
     4.298968266358797,
     70.0480109274468},
    {116,
     0.04623811627483038,
     0.05830267281120461,
     2.149768044742192,
     60.387206072759795},
    {117,
     0.021962651787779907,
     0.030266060898494075,
     2.2605255102844617,
     36.24299578301477},
    {118,
     0.07319148297411783,
     0.11357989943980007,
     4.626041842489987,
     93.20600033770351},
    {119,
     0.0008827170195274987,
     0.002246747427303205,
     0.5233515377863175,
     6.336338213390648},
    {120,
     0.0003080212248738883,
     0.0004544319983075859,
     0.0022307721030574686,
     0.018579405644544567},
};

struct FamilyRow {
  double p;
  double ratio;  // KL of the mixture / KL of either policy
};

constexpr FamilyRow kFamily[] = {
    {1e-1, 1.4451838553294858},
    {1e-2, 4.686312336044171},
    {1e-3, 15.432690146025507},
    {1e-4, 49.59891897349174},
    {1e-6, 499.58928846380235},
};

double relative(double obtained, double expected) {
  return std::abs(obtained / expected - 1.0);
}

void verify_bounds(OracleBook& book) {
  for (const BoundRow& row : kBounds) {
    const MixtureReport report = bound_mixture(random_mixture(row.seed));
    const double worst = std::max(
        {relative(report.gap, row.gap),
         relative(report.corrected, row.corrected),
         relative(report.simple, row.simple),
         relative(report.theorem2, row.theorem2)});
    book.at_most(
        fmt::format(
            "theory: case {} (gap, three bounds), relative error", row.seed),
        1e-11,
        worst);
  }
  int broken = 0;
  double tightest = 0;
  for (std::uint64_t seed = 1000; seed < 6000; ++seed) {
    const MixtureReport report = bound_mixture(random_mixture(seed));
    const double bound = std::min(
        {report.theorem1, report.theorem2, report.corrected, report.simple});
    broken += report.gap > bound * (1 + 1e-9);
    tightest = std::max(tightest, report.gap / report.corrected);
  }
  book.equal("theory: bounds broken in 5000 random cases", 0, broken, 0);
  book.at_least("theory: largest gap / corrected bound in those", .9, tightest);
  for (const FamilyRow& row : kFamily) {
    const MixtureReport report = bound_mixture(bad_coverage(row.p));
    book.equal(
        fmt::format("theory: bad coverage, p = {:.0e}, KL grows by", row.p),
        row.ratio,
        report.kl_mixture / report.kl1,
        1e-8 * row.ratio);
  }
  const double nothing = -std::numeric_limits<double>::infinity();
  book.equal(
      "theory: coverage constant without cover",
      std::numeric_limits<double>::infinity(),
      coverage_constant({0, nothing}, {std::log(.5), std::log(.5)}),
      0);
}

void verify_lemmas(OracleBook& book) {
  // Lemma 3 at x = (B, -B), y = (-B, B), lambda = 1/2.
  book.equal(
      "lemma 3: witness, B = 1",
      .4337808304830271,
      log_partition_gap({1, -1}, {-1, 1}, .5),
      1e-14);
  book.at_least(
      "lemma 3: the witness is above B^2 / 8, the bound as printed",
      lemma3_bound_as_printed(1),
      log_partition_gap({1, -1}, {-1, 1}, .5));
  SplitMix64 random(33);
  int printed = 0, corrected = 0, base = 0, both = 0, fifth = 0;
  for (int i = 0; i < 20000; ++i) {
    const int n = 2 + static_cast<int>(random.below(8));
    const double b = .05 * std::exp(std::log(200.0) * random.uniform());
    Vector x(n), y(n);
    double largest = 0;
    for (Vector* v : {&x, &y}) {
      for (double& value : *v) {
        value = random.uniform() < .5 ? -b : b * (2 * random.uniform() - 1);
        largest = std::max(largest, std::abs(value));
      }
    }
    const double left = log_partition_gap(x, y, random.uniform());
    printed += left > lemma3_bound_as_printed(largest) + 1e-12;
    corrected += left > lemma3_bound(largest) + 1e-12;

    x.back() = y.back() = 0;
    const double kl = kl_divergence(log_softmax(x), log_softmax(y));
    base += kl < quadratic_kl_bound(x, y, /*base_only=*/true) - 1e-12;
    both += kl < quadratic_kl_bound(x, y, /*base_only=*/false) - 1e-12;

    const Vector p = random.dirichlet1(n);
    fifth += smallest_hessian_eigenvalue(p) < lemma5_bound(p) * (1 - 1e-12);
  }
  book.at_least("lemma 3: broken as printed, of 20000", 1, printed);
  book.equal("lemma 3: broken with B^2 / 2, of 20000", 0, corrected, 0);
  book.at_least("lemma 4: broken with p_min at one end, of 20000", 1, base);
  book.equal("lemma 4: broken with p_min at both ends, of 20000", 0, both, 0);
  book.equal("lemma 5: broken, of 20000", 0, fifth, 0);
  book.equal(
      "lemma 5: equality at the uniform distribution of 5",
      1.0 / 25,
      smallest_hessian_eigenvalue(Vector(5, .2)),
      1e-14);
}

}  // namespace

void verify_theory(OracleBook& book) {
  verify_bounds(book);
  verify_lemmas(book);
}

}  // namespace moft::exact
