// The counterexample trained from samples and with small networks.
#include "tests/trained/counterexample_training.h"

#include <array>
#include <cmath>
#include <utility>

#include "moft/core/random.h"
#include "moft/weightings/sampling.h"

namespace moft::exact {
namespace {

using Copies = std::array<Vector, 2>;

int draw_output(const Vector& pi, RandomStream& stream) {
  const double u = stream.uniform();
  if (u < pi[0]) return 0;
  return u < pi[0] + pi[1] ? 1 : 2;
}

void normalise(Vector& values) {
  double mean = 0, variance = 0;
  const auto n = static_cast<double>(values.size());
  for (const double value : values)
    mean += value / n;
  for (const double value : values)
    variance += (value - mean) * (value - mean) / n;
  for (double& value : values)
    value = (value - mean) / (std::sqrt(variance) + 1e-8);
}

// The mean of A grad log pi over a batch drawn from pi.
Vector sampled_gradient(
    const Vector& logits,
    const Vector& w,
    const StochasticTraining& training,
    RandomStream& stream) {
  const Vector pi = softmax(logits);
  const Vector reward = weighted_sum(w, counterexample_rewards());
  std::vector<int> outputs;
  Vector advantages;
  for (int i = 0; i < training.batch; ++i) {
    const int y = draw_output(pi, stream);
    const double log_ratio = std::log(pi[y]) - std::log(1.0 / 3.0);
    outputs.push_back(y);
    advantages.push_back(
        (1 - training.alpha) * reward[y] - training.alpha * log_ratio);
  }
  normalise(advantages);
  Vector gradient(3, 0.0);
  for (int i = 0; i < training.batch; ++i) {
    for (int a = 0; a < 3; ++a) {
      const double score = (a == outputs[i] ? 1.0 : 0.0) - pi[a];
      gradient[a] += advantages[i] * score / training.batch;
    }
  }
  return gradient;
}

// One run; `w_of` gives the weighting of each step.
template <class WeightingOf>
Copies reinforce(
    const StochasticTraining& training, int steps, WeightingOf w_of) {
  Copies copies = {Vector(3, 0.0), Vector(3, 0.0)};
  for (int step = 0; step < steps; ++step) {
    const Vector w = w_of(step);
    const Vector merged = combine(w[0], copies[0], w[1], copies[1]);
    RandomStream stream(training.seed, Purpose::kToken, step);
    const Vector gradient = sampled_gradient(merged, w, training, stream);
    for (int i = 0; i < 2; ++i)
      copies[i] = combine(1.0, copies[i], training.step_size * w[i], gradient);
  }
  return copies;
}

}  // namespace

Policy3 reinforce_together(const StochasticTraining& training) {
  const Copies copies = reinforce(training, training.steps, [&](int step) {
    RandomStream stream(training.seed, Purpose::kWeighting, step);
    return sample_dirichlet({1.0, 1.0}, stream).values();
  });
  return mixture(copies[0], copies[1]);
}

Policy3 reinforce_soup(const StochasticTraining& training) {
  Copies experts;
  for (int i = 0; i < 2; ++i) {
    StochasticTraining own = training;
    own.seed = 2 * training.seed + i;
    const Vector corner = {1.0 - i, 0.0 + i};
    experts[i] =
        reinforce(own, training.steps / 2, [&](int) { return corner; })[i];
  }
  return mixture(experts[0], experts[1]);
}

namespace {

// Parameters in one list: hidden biases u [H], inputs U [H][2], last layer W
// [3][H], b [3].
struct Layout {
  int hidden;
  int inputs() const { return hidden; }
  int last() const { return hidden + 2 * hidden; }
  int bias() const { return last() + 3 * hidden; }
  int size() const { return bias() + 3; }
};

struct Forward {
  Vector hidden;
  Vector logits;
};

Forward forward(const Layout& at, const Vector& theta, const Vector& input) {
  Forward result;
  for (int h = 0; h < at.hidden; ++h) {
    const double* in = &theta[at.inputs() + 2 * h];
    result.hidden.push_back(
        std::tanh(theta[h] + in[0] * input[0] + in[1] * input[1]));
  }
  for (int a = 0; a < 3; ++a) {
    double sum = theta[at.bias() + a];
    for (int h = 0; h < at.hidden; ++h)
      sum += theta[at.last() + a * at.hidden + h] * result.hidden[h];
    result.logits.push_back(sum);
  }
  return result;
}

class Network {
 public:
  Network(NetworkSteering steering, const NetworkTraining& training)
      : steering_(steering), training_(training), at_{training.hidden} {
    RandomStream stream(training.seed, Purpose::kInitialise);
    Vector start(at_.size(), 0.0);
    for (int i = 0; i < at_.hidden; ++i)
      start[i] = stream.normal();
    for (int i = at_.inputs(); i < at_.last(); ++i) {
      const double value = .1 * stream.normal();
      if (steering == NetworkSteering::kPrompt) start[i] = value;
    }
    const double scale = training.output_scale / std::sqrt(at_.hidden);
    for (int i = at_.last(); i < at_.bias(); ++i)
      start[i] = scale * stream.normal();
    copies_ = {start, start};
    reference_ = log_softmax(forward(at_, start, {0, 0}).logits);
  }

  void train() {
    if (steering_ == NetworkSteering::kSoup) {
      for (int step = 0; step < training_.steps / 2; ++step)
        this->step({{1, 0}, {0, 1}}, 1.0);
      return;
    }
    Matrix weightings;
    for (int k = 0; k < 20; ++k)
      weightings.push_back({1 - (k + .5) / 20, (k + .5) / 20});
    for (int step = 0; step < training_.steps; ++step)
      this->step(weightings, 1.0 / 20);
  }

  Vector policy(double lambda) const {
    const Vector w = {1 - lambda, lambda};
    return softmax(forward(at_, merged(w), input(w)).logits);
  }

 private:
  // Steered parameters have two copies; the others keep copies_[0] only.
  bool steers(int parameter) const {
    const bool hidden = parameter < at_.inputs();
    switch (steering_) {
      case NetworkSteering::kFull:
      case NetworkSteering::kSoup:
        return true;
      case NetworkSteering::kLogits:
        return parameter >= at_.last();
      case NetworkSteering::kHidden:
        return hidden;
      case NetworkSteering::kPrompt:
        return false;
    }
    return false;
  }

  Vector input(const Vector& w) const {
    return steering_ == NetworkSteering::kPrompt ? w : Vector{0, 0};
  }

  Vector merged(const Vector& w) const {
    Vector theta = combine(w[0], copies_[0], w[1], copies_[1]);
    for (int i = 0; i < at_.size(); ++i) {
      if (!steers(i)) theta[i] = copies_[0][i];
    }
    return theta;
  }

  // Gradient of the regularised value in the merged parameters.
  Vector gradient(const Vector& theta, const Vector& w) const {
    const Vector in = input(w);
    const Forward f = forward(at_, theta, in);
    const Vector log_pi = log_softmax(f.logits);
    const Vector pi = exponentials(log_pi);
    Vector gain = combine(
        1 - training_.alpha,
        weighted_sum(w, counterexample_rewards()),
        -training_.alpha,
        combine(1.0, log_pi, -1.0, reference_));
    const double mean = dot(pi, gain);
    Vector result(at_.size(), 0.0);
    Vector back(at_.hidden, 0.0);
    for (int a = 0; a < 3; ++a) {
      const double by_logit = pi[a] * (gain[a] - mean);
      result[at_.bias() + a] = by_logit;
      for (int h = 0; h < at_.hidden; ++h) {
        const int weight = at_.last() + a * at_.hidden + h;
        result[weight] = by_logit * f.hidden[h];
        back[h] += by_logit * theta[weight];
      }
    }
    for (int h = 0; h < at_.hidden; ++h) {
      result[h] = back[h] * (1 - f.hidden[h] * f.hidden[h]);
      for (int i = 0; i < 2; ++i)
        result[at_.inputs() + 2 * h + i] = result[h] * in[i];
    }
    return result;
  }

  void step(const Matrix& weightings, double share) {
    std::array<Vector, 2> sums = {
        Vector(at_.size(), 0.0), Vector(at_.size(), 0.0)};
    for (const Vector& w : weightings) {
      const Vector g = gradient(merged(w), w);
      for (int i = 0; i < at_.size(); ++i) {
        if (steers(i)) {
          sums[0][i] += w[0] * g[i];
          sums[1][i] += w[1] * g[i];
        } else {
          sums[0][i] += g[i];
        }
      }
    }
    for (int i = 0; i < 2; ++i) {
      copies_[i] =
          combine(1.0, copies_[i], training_.step_size * share, sums[i]);
    }
  }

  NetworkSteering steering_;
  NetworkTraining training_;
  Layout at_;
  std::array<Vector, 2> copies_;
  Vector reference_;  // log-probabilities of the initial policy
};

}  // namespace

Policy3 train_network(
    NetworkSteering steering, const NetworkTraining& training) {
  Network network(steering, training);
  network.train();
  return [network = std::move(network)](double lambda) {
    return network.policy(lambda);
  };
}

}  // namespace moft::exact
