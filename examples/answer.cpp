// Answers a prompt under weightings:
//   answer POLICY PROMPT relevance=0.8,brevity=0.2 relevance=0.2,brevity=0.8
#include <cstdio>

#include <moft/moft.h>

int main(int argc, char** argv) {
  const auto policy = moft::open_policy(argv[1]);
  moft::GenerateOptions options;
  options.max_new_tokens = 32;
  for (int i = 3; i < argc; ++i) {
    moft::CompletionRequest request{.prompt = policy->fill_prompt(argv[2])};
    request.steering = moft::Steering{
        moft::parse_weighting(argv[i], policy->names()),
        policy->default_alpha()};
    const auto answers = policy->complete({request}, options);
    std::printf("%s: %s\n", argv[i], answers[0].text.c_str());
  }
}
