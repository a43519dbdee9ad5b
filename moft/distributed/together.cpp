// Results and failures, told to every rank.
#include "moft/distributed/together.h"

#include <exception>

#include "moft/core/errors.h"

namespace moft {
namespace {

// The first letter of what is told: how the work ended.
constexpr char kDone = 'd';
constexpr char kCaller = 'c';
constexpr char kWorld = 'w';

struct Outcome {
  std::string told;          // the letter, then the result or the error's words
  std::exception_ptr error;  // of the work; none: it is done
};

Outcome outcome_of(const std::function<std::string()>& work) {
  try {
    return {kDone + work(), nullptr};
  } catch (const CallerError& error) {
    return {kCaller + std::string(error.what()), std::current_exception()};
  } catch (const std::exception& error) {
    return {kWorld + std::string(error.what()), std::current_exception()};
  }
}

// The result that another rank told; `name` goes before the words of an error.
std::string result_of(const std::string& told, const std::string& name) {
  std::string text = told.substr(1);
  if (told.front() == kCaller) throw CallerError(name + text);
  if (told.front() == kWorld) throw WorldError(name + text);
  return text;
}

}  // namespace

std::vector<std::string> gather_results(
    Group& group,
    const std::function<std::string()>& work,
    const std::function<void()>& meet) {
  const Outcome own = outcome_of(work);
  if (meet) meet();
  std::vector<std::string> all = group.gather(own.told);
  if (own.error) std::rethrow_exception(own.error);
  for (std::size_t rank = 0; rank < all.size(); ++rank)
    all[rank] = result_of(all[rank], fmt::format("rank {}: ", rank));
  return all;
}

std::string run_on_first(
    Group& group, const std::function<std::string()>& work) {
  if (group.size() == 1) return work();
  if (group.rank() != 0) return result_of(group.broadcast(""), "");
  const Outcome own = outcome_of(work);
  group.broadcast(own.told);
  if (own.error) std::rethrow_exception(own.error);
  return own.told.substr(1);
}

void do_on_first(Group& group, const std::function<void()>& work) {
  run_on_first(group, [&] {
    work();
    return std::string();
  });
}

}  // namespace moft
