// Rank 0's result or error, told to every rank.
#include "moft/distributed/first_rank.h"

#include <exception>

#include "moft/core/errors.h"

namespace moft {
namespace {

// The first letter of what is told: how the work ended.
constexpr char kDone = 'd';
constexpr char kCaller = 'c';
constexpr char kWorld = 'w';

std::string lead(Group& group, const std::function<std::string()>& work) {
  std::string told;
  std::exception_ptr error;
  try {
    told = kDone + work();
  } catch (const CallerError& caught) {
    told = kCaller + std::string(caught.what());
    error = std::current_exception();
  } catch (const std::exception& caught) {
    told = kWorld + std::string(caught.what());
    error = std::current_exception();
  }
  group.broadcast(told);
  if (error) std::rethrow_exception(error);
  return told.substr(1);
}

}  // namespace

std::string run_on_first(
    Group& group, const std::function<std::string()>& work) {
  if (group.size() == 1) return work();
  if (group.rank() == 0) return lead(group, work);
  const std::string told = group.broadcast("");
  std::string text = told.substr(1);
  if (told[0] == kCaller) throw CallerError(text);
  if (told[0] == kWorld) throw WorldError(text);
  return text;
}

void do_on_first(Group& group, const std::function<void()>& work) {
  run_on_first(group, [&] {
    work();
    return std::string();
  });
}

}  // namespace moft
