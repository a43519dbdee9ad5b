// Gathers results, or failures.
#include "moft/distributed/together.h"

#include <exception>

#include "moft/core/errors.h"

namespace moft {
namespace {

constexpr char kDone = '+';
constexpr char kCaller = 'c';
constexpr char kWorld = 'w';

}  // namespace

std::vector<std::string> gather_results(
    Group& group, const std::function<std::string()>& work) {
  std::exception_ptr own;
  std::string outcome;
  try {
    outcome = kDone + work();
  } catch (const CallerError& error) {
    own = std::current_exception();
    outcome = kCaller + std::string(error.what());
  } catch (const std::exception& error) {
    own = std::current_exception();
    outcome = kWorld + std::string(error.what());
  }
  std::vector<std::string> all = group.gather(outcome);
  if (own) std::rethrow_exception(own);
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    if (all[rank].front() == kDone) continue;
    const std::string words =
        fmt::format("rank {}: {}", rank, all[rank].substr(1));
    if (all[rank].front() == kCaller) throw CallerError(words);
    throw WorldError(words);
  }
  for (std::string& result : all)
    result.erase(0, 1);
  return all;
}

}  // namespace moft
