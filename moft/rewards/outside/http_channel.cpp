// HTTP with libcurl, or its absence.
#include "moft/rewards/outside/http_channel.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/rewards/outside/wire.h"
#include "moft/rewards/reward.h"

#ifdef MOFT_HTTP
#include <curl/curl.h>
#endif

namespace moft {

std::string shown_url(const std::string& url) {
  std::string shown = url.substr(0, url.find_first_of("?#"));
  const std::size_t scheme = shown.find("://");
  const std::size_t host = scheme == std::string::npos ? 0 : scheme + 3;
  const std::size_t user = shown.substr(0, shown.find('/', host)).rfind('@');
  if (user != std::string::npos && user >= host)
    shown.erase(host, user + 1 - host);
  return shown;
}

void check_http_url(const std::string& url, const std::string& place) {
  if (url.starts_with("http://") || url.starts_with("https://")) return;
  throw_caller_error(
      "{} is {}; give one that begins with http:// or https://",
      place,
      quote_text(shown_url(url), 200));
}

std::string read_key(const std::optional<std::string>& key_variable) {
  if (!key_variable) return "";
  const char* key = std::getenv(key_variable->c_str());
  if (key && *key) return key;
  throw_caller_error(
      "the environment variable {}, named by key_variable, is not set; put "
      "the server's key into it",
      quote_text(*key_variable));
}

#ifdef MOFT_HTTP

namespace {

constexpr long kConnectMs = 10'000;

class Headers {
 public:
  ~Headers() { curl_slist_free_all(list_); }
  Headers() = default;
  Headers(const Headers&) = delete;
  Headers& operator=(const Headers&) = delete;

  void add(const std::string& line) {
    list_ = curl_slist_append(list_, line.c_str());
  }
  curl_slist* get() const { return list_; }

 private:
  curl_slist* list_ = nullptr;
};

class HttpChannel : public RewardChannel {
 public:
  HttpChannel(
      const HttpTarget& target,
      SourceOutputs outputs,
      HttpBody body,
      HttpReader reader)
      : target_(target),
        outputs_(std::move(outputs)),
        body_(std::move(body)),
        reader_(std::move(reader)),
        curl_(curl_easy_init()) {
    headers_.add("Content-Type: application/json");
    headers_.add("Accept: application/json");
    // Servers that do not know it would make each call a second slower.
    headers_.add("Expect:");
    if (!target_.key.empty())
      headers_.add("Authorization: Bearer " + target_.key);
    set(CURLOPT_URL, target_.url.c_str());
    set(CURLOPT_HTTPHEADER, headers_.get());
    set(CURLOPT_POST, 1L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_SSL_VERIFYPEER, 1L);
    set(CURLOPT_SSL_VERIFYHOST, 2L);
    set(CURLOPT_ACCEPT_ENCODING, "");
    set(CURLOPT_TCP_KEEPALIVE, 1L);
    set(CURLOPT_USERAGENT, "moft");
    if (!target_.certificates.empty())
      set(CURLOPT_CAINFO, target_.certificates.c_str());
    set(CURLOPT_ERRORBUFFER, error_);
    set(CURLOPT_WRITEFUNCTION, &HttpChannel::receive);
    set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, &HttpChannel::look);
    set(CURLOPT_XFERINFODATA, this);
  }
  ~HttpChannel() override { curl_easy_cleanup(curl_); }
  HttpChannel(const HttpChannel&) = delete;
  HttpChannel& operator=(const HttpChannel&) = delete;

  RewardReply ask(
      const RewardCall& call,
      RewardClock::time_point deadline,
      const std::atomic<bool>& stopped) override {
    const std::string body = body_(call);
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - RewardClock::now());
    const long ms = std::max<long>(left.count(), 1);
    set(CURLOPT_TIMEOUT_MS, ms);
    set(CURLOPT_CONNECTTIMEOUT_MS, std::min(ms, kConnectMs));
    set(CURLOPT_POSTFIELDS, body.c_str());
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    stopped_ = &stopped;
    answer_.clear();
    error_[0] = '\0';
    const CURLcode code = curl_easy_perform(curl_);
    if (stopped) throw GivenUp("the call was given up");
    check(code);
    check_status();
    const nlohmann::json answer = parse_reply(answer_);
    return reader_ ? reader_(answer, call)
                   : read_reply(answer, outputs_, call.rows());
  }

 private:
  template <typename Value>
  void set(CURLoption option, Value value) {
    const CURLcode code = curl_easy_setopt(curl_, option, value);
    if (code != CURLE_OK)
      throw_world_error("libcurl: {}", curl_easy_strerror(code));
  }

  static std::size_t receive(
      const char* data, std::size_t size, std::size_t count, void* self) {
    std::string& answer = static_cast<HttpChannel*>(self)->answer_;
    if (answer.size() + size * count > kLongestHttpAnswer) return 0;
    answer.append(data, size * count);
    return size * count;
  }

  // At least once a second.
  static int look(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return *static_cast<HttpChannel*>(self)->stopped_ ? 1 : 0;
  }

  void check(CURLcode code) const {
    switch (code) {
      case CURLE_OK:
        return;
      case CURLE_WRITE_ERROR:
        throw std::runtime_error(
            fmt::format("the answer has over {} bytes", kLongestHttpAnswer));
      case CURLE_PEER_FAILED_VERIFICATION:
      case CURLE_SSL_CACERT_BADFILE:
      case CURLE_URL_MALFORMAT:
      case CURLE_UNSUPPORTED_PROTOCOL:
        throw std::runtime_error(text_of(code));
      default:
        throw TransientRewardError(text_of(code));
    }
  }

  // libcurl's words for what happened; of a malformed URL they quote it.
  std::string text_of(CURLcode code) const {
    const bool own = error_[0] != '\0' && code != CURLE_URL_MALFORMAT;
    return own ? error_ : curl_easy_strerror(code);
  }

  void check_status() const {
    long status = 0;
    curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 200 && status < 300) return;
    const std::string what = fmt::format("the server answered {}", status);
    if (status == 408 || status == 425 || status == 429 || status >= 500) {
      curl_off_t wait = 0;
      curl_easy_getinfo(curl_, CURLINFO_RETRY_AFTER, &wait);
      throw AskLater(what, static_cast<double>(wait));
    }
    if (status == 401 || status == 403)
      throw std::runtime_error(what + "; look at key_variable");
    if (status >= 300 && status < 400) {
      const char* to = nullptr;
      curl_easy_getinfo(curl_, CURLINFO_REDIRECT_URL, &to);
      throw std::runtime_error(fmt::format(
          "{}, a redirection{}, which is not followed; give the new URL",
          what,
          to ? " to " + quote_text(shown_url(to), 200) : ""));
    }
    throw std::runtime_error(what);
  }

  HttpTarget target_;
  SourceOutputs outputs_;
  HttpBody body_;
  HttpReader reader_;
  CURL* curl_;
  Headers headers_;
  std::string answer_;
  char error_[CURL_ERROR_SIZE] = "";
  const std::atomic<bool>* stopped_ = nullptr;
};

}  // namespace

void require_http() {
  // Before any thread: curl_easy_init() would do it unguarded.
  static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (code != CURLE_OK)
    throw_world_error("libcurl: {}", curl_easy_strerror(code));
}

std::unique_ptr<RewardChannel> make_http_channel(
    const HttpTarget& target,
    SourceOutputs outputs,
    HttpBody body,
    HttpReader reader) {
  return std::make_unique<HttpChannel>(
      target, std::move(outputs), std::move(body), std::move(reader));
}

#else

void require_http() {
  throw_caller_error(
      "this moft was built without libcurl (MOFT_HTTP=OFF), which the reward "
      "kinds http and judge and `moft judge --url` need; build it with "
      "MOFT_HTTP=ON");
}

std::unique_ptr<RewardChannel> make_http_channel(
    const HttpTarget&, SourceOutputs, HttpBody, HttpReader) {
  require_http();
  return nullptr;
}

#endif

}  // namespace moft
