// The reward kind `http`: a server that is asked with POST.
//
// Objectives with the same URL and the same settings share the connections and
// the calls; each finds its rewards under its `name`.
//
// CMake's MOFT_HTTP=OFF builds without libcurl; recipes with this kind are
// then refused.
#pragma once

#include <optional>
#include <string>

#include "moft/rewards/outside/reward_source.h"
#include "moft/rewards/outside/source_options.h"
#include "moft/rewards/reward_kind.h"

namespace moft {

// The body of a call; wire.h has moft's, http_body() the others.
enum class HttpFormat { kOpenRlhf, kSlime, kMoft };
constexpr auto enum_names(HttpFormat) {
  return EnumNames<HttpFormat, 3>{{
      {HttpFormat::kOpenRlhf, "openrlhf"},
      {HttpFormat::kSlime, "slime"},
      {HttpFormat::kMoft, "moft"},
  }};
}

struct HttpOptions : SourceOptions {
  HttpOptions() { workers = 8; }

  std::string url;
  HttpFormat format = HttpFormat::kOpenRlhf;
  std::optional<std::string> name;
  std::string label = "label";
  std::optional<std::string> key_variable;
  std::optional<std::string> certificates;
  MissingReward missing = MissingReward::kStop;

  template <class V>
  void fields(V& v) {
    v("url", url, Help{"where calls are posted, http or https"}, Required{});
    v("format",
      format,
      Help{"the body of a call: OpenRLHF's, slime's (needs unit: row), or "
           "everything that moft knows of the rows"});
    v("name",
      name,
      Help{"which of the answer's rewards; null: the answer's only list"});
    v("label",
      label,
      Help{"the field of the examples that is sent as label, where they have "
           "it"});
    v("key_variable",
      key_variable,
      Help{"the environment variable that holds the bearer key"});
    v("certificates",
      certificates,
      Help{"a file of certificates to trust in place of the system's"},
      Path{});
    v("missing",
      missing,
      Help{"what a null does: stop the run, or leave the completion out of the "
           "update"});
    SourceOptions::fields(v);
  }
  void check(const std::string& path) const;
};

// The body of a call in a format. REQUIRES one row for slime's.
std::string http_body(
    const RewardCall& call, HttpFormat format, const std::string& label);

// A URL for logs: without user, password and query.
std::string shown_url(const std::string& url);

RewardKind http_kind();

}  // namespace moft
