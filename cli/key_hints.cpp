#include "cli/key_hints.h"

#include <iterator>
#include <vector>

namespace moft {
namespace {

constexpr std::string_view kNoClipping =
    "moft makes one on-policy update per batch, so there is no ratio to clip: "
    "leave it out";
constexpr std::string_view kNoHub =
    "moft reads and writes local files only: leave it out";
constexpr std::string_view kOneProcess =
    "moft runs in one process with kernels of its own: leave it out";
constexpr std::string_view kLogs =
    "every step is logged to metrics.jsonl and as TensorBoard events in the "
    "run directory: leave it out";
constexpr std::string_view kResume = "give the option --resume auto instead";
constexpr std::string_view kLessMemory =
    "for less memory raise gradient_accumulation: leave it out";

// Of every recipe.
constexpr ForeignKey kCommon[] = {
    {"output_dir", "output", ""},
    {"run_name", "name", ""},
    {"experiment_name", "name", ""},
    {"trainer.experiment_name", "name", ""},
    {"default_local_dir", "output", ""},
    {"save_path", "output", ""},
    {"bf16", "precision", "precision: bf16"},
    {"fp16", "precision", "fp32 or bf16; fp16 is not supported"},
    {"tf32", "precision", "fp32 or bf16"},
    {"dtype", "precision", "fp32 or bf16"},
    {"torch_dtype", "precision", "fp32 or bf16"},
    {"num_threads", "threads", ""},
    {"use_cpu", "device", "device: cpu"},
    {"dataset", "data.train", "a file of JSON lines"},
    {"dataset_name", "data.train", "a file of JSON lines"},
    {"dataset_path", "data.train", ""},
    {"train_file", "data.train", ""},
    {"train_files", "data.train", ""},
    {"data.train_files", "data.train", ""},
    {"train_dataset", "data.train", ""},
    {"prompt_data", "data.train", ""},
    {"data_files", "data.train", ""},
    {"val_file", "data.evaluation", ""},
    {"val_files", "data.evaluation", ""},
    {"data.val_files", "data.evaluation", ""},
    {"eval_dataset", "data.evaluation", ""},
    {"validation", "data.evaluation", ""},
    {"test", "data.evaluation", ""},
    {"template", "data.prompt_template", ""},
    {"input_template", "data.prompt_template", ""},
    {"chat_template", "data.prompt_template", ""},
    {"prompt_key", "data.prompt_template", "write the field as {name}"},
    {"input_key", "data.prompt_template", "write the field as {name}"},
    {"max_prompt_length", "data.max_prompt_tokens", ""},
    {"prompt_max_len", "data.max_prompt_tokens", ""},
    {"truncation", "data.too_long", ""},
    {"truncation_side", "data.too_long", "truncate_left or truncate_right"},
    {"filter_overlong_prompts", "data.too_long", "too_long: skip"},
    {"shuffle_dataset", "data.shuffle", ""},
    {"resume_from_checkpoint", "", kResume},
    {"overwrite_output_dir", "", "give the option --overwrite instead"},
    {"lora_dropout", "", "there is no dropout: leave it out"},
    {"report_to", "", kLogs},
    {"wandb", "", kLogs},
    {"use_wandb", "", kLogs},
    {"wandb_project", "", kLogs},
    {"tensorboard", "", kLogs},
    {"logger", "", kLogs},
    {"logging_steps", "", kLogs},
    {"logging_dir", "", kLogs},
    {"log_with", "", kLogs},
    {"push_to_hub", "", kNoHub},
    {"hub_model_id", "", kNoHub},
    {"trust_remote_code", "", kNoHub},
    {"use_vllm", "", kOneProcess},
    {"deepspeed", "", kOneProcess},
    {"fsdp", "", kOneProcess},
    {"zero_stage", "", kOneProcess},
    {"num_processes", "", kOneProcess},
    {"n_gpus_per_node", "", kOneProcess},
    {"attn_implementation", "", kOneProcess},
    {"flash_attn", "", kOneProcess},
    {"gradient_checkpointing", "", kLessMemory},
    {"load_in_4bit", "", "give a quantised GGUF file as the model instead"},
    {"load_in_8bit", "", "give a quantised GGUF file as the model instead"},
};

// Of the training loop; `moft train` calls its section "training".
constexpr ForeignKey kTrain[] = {
    {"model_name_or_path", "policy.model", ""},
    {"pretrain", "policy.model", ""},
    {"actor_rollout_ref.model.path", "policy.model", ""},
    {"temperature", "policy.temperature", ""},
    {"beta", "training.kl_strength", ""},
    {"init_kl_coef", "training.kl_strength", ""},
    {"init_kl_coefficient", "training.kl_strength", ""},
    {"kl_coef", "training.kl_strength", ""},
    {"kl_loss_coef", "training.kl_strength", ""},
    {"kl_penalty", "training.kl_estimator", ""},
    {"kl_loss_type", "training.kl_estimator", ""},
    {"target_kl", "training.guards.kl_ceiling", "stops the run"},
    {"learning_rate", "training.optimizer.learning_rate", ""},
    {"lr", "training.optimizer.learning_rate", ""},
    {"actor_learning_rate", "training.optimizer.learning_rate", ""},
    {"actor_rollout_ref.actor.optim.lr",
     "training.optimizer.learning_rate",
     ""},
    {"critic_learning_rate", "training.value.learning_rate", ""},
    {"weight_decay", "training.optimizer.weight_decay", ""},
    {"l2", "training.optimizer.weight_decay", ""},
    {"adam_beta1", "training.optimizer.betas", "[beta1, beta2]"},
    {"adam_beta2", "training.optimizer.betas", "[beta1, beta2]"},
    {"adam_betas", "training.optimizer.betas", ""},
    {"adam_epsilon", "training.optimizer.epsilon", ""},
    {"optim", "training.optimizer.kind", ""},
    {"lr_scheduler_type", "training.schedule.kind", ""},
    {"lr_scheduler", "training.schedule.kind", ""},
    {"warmup_ratio", "training.schedule.warmup_steps", "a number of steps"},
    {"lr_warmup_steps", "training.schedule.warmup_steps", ""},
    {"lr_warmup_ratio", "training.schedule.warmup_steps", "a number of steps"},
    {"max_grad_norm", "training.gradient_clip", ""},
    {"max_norm", "training.gradient_clip", ""},
    {"grad_clip", "training.gradient_clip", ""},
    {"gradient_accumulation_steps", "training.gradient_accumulation", ""},
    {"num_train_epochs", "training.epochs", ""},
    {"total_epochs", "training.epochs", ""},
    {"num_epochs", "training.epochs", ""},
    {"num_episodes", "training.epochs", ""},
    {"max_epochs", "training.epochs", ""},
    {"max_steps", "training.steps", ""},
    {"total_training_steps", "training.steps", ""},
    {"total_episodes", "training.steps", "a number of updates"},
    {"per_device_train_batch_size",
     "training.prompts_per_step",
     "times training.samples_per_prompt answers"},
    {"batch_size",
     "training.prompts_per_step",
     "times training.samples_per_prompt answers"},
    {"train_batch_size",
     "training.prompts_per_step",
     "times training.samples_per_prompt answers"},
    {"rollout_batch_size", "training.prompts_per_step", ""},
    {"ppo_mini_batch_size", "training.prompts_per_step", ""},
    {"mini_batch_size", "training.gradient_accumulation", "parts of a step"},
    {"micro_train_batch_size",
     "training.gradient_accumulation",
     "parts of a step"},
    {"num_generations", "training.samples_per_prompt", ""},
    {"num_return_sequences", "training.samples_per_prompt", ""},
    {"n_samples_per_prompt", "training.samples_per_prompt", ""},
    {"rloo_k", "training.samples_per_prompt", ""},
    {"group_size", "training.samples_per_prompt", ""},
    {"actor_rollout_ref.rollout.n", "training.samples_per_prompt", ""},
    {"max_completion_length", "training.max_new_tokens", ""},
    {"max_response_length", "training.max_new_tokens", ""},
    {"response_length", "training.max_new_tokens", ""},
    {"generate_max_len", "training.max_new_tokens", ""},
    {"max_tokens", "training.max_new_tokens", ""},
    {"max_length",
     "training.max_new_tokens",
     "prompts: data.max_prompt_tokens"},
    {"max_len", "training.max_new_tokens", "prompts: data.max_prompt_tokens"},
    {"scale_rewards", "training.advantage_normalisation", ""},
    {"whiten_rewards", "training.advantage_normalisation", ""},
    {"normalize_advantages", "training.advantage_normalisation", ""},
    {"norm_adv_by_std_in_grpo", "training.advantage_normalisation", ""},
    {"adv_estimator", "training.baseline", ""},
    {"advantage_estimator", "training.baseline", ""},
    {"non_eos_penalty", "training.missing_eos_penalty", ""},
    {"save_steps", "training.checkpoint.every", ""},
    {"save_freq", "training.checkpoint.every", ""},
    {"save_total_limit", "training.checkpoint.keep", ""},
    {"max_ckpt_num", "training.checkpoint.keep", ""},
    {"eval_steps", "training.evaluation.every", ""},
    {"test_freq", "training.evaluation.every", ""},
    {"eval_strategy", "training.evaluation.every", "a number of steps"},
    {"log_completions", "training.log_samples", ""},
    {"num_completions_to_print", "training.log_samples", ""},
    {"reward_funcs", "objectives", ""},
    {"reward_model", "objectives", ""},
    {"reward_model_path", "objectives", ""},
    {"rewards", "objectives", ""},
    {"reward_weights", "weightings.weights", "with weightings.sampler: fixed"},
    {"lora_r", "conditioning.lora.rank", ""},
    {"lora_rank", "conditioning.lora.rank", ""},
    {"lora_alpha", "conditioning.lora.scale", "lora_alpha / r"},
    {"lora_target_modules", "conditioning.lora.modules", ""},
    {"target_modules", "conditioning.lora.modules", ""},
    {"lora_target", "conditioning.lora.modules", ""},
    {"use_peft", "conditioning.steered_set", "steered_set: lora"},
    {"use_lora", "conditioning.steered_set", "steered_set: lora"},
    {"finetuning_type", "conditioning.steered_set", "lora or full"},
    {"cutoff_len", "data.max_prompt_tokens", ""},
    {"pref_beta", "training.kl_strength", ""},
    {"epsilon", "", kNoClipping},
    {"ppo_epochs", "", kNoClipping},
    {"num_ppo_epochs", "", kNoClipping},
    {"num_iterations", "", kNoClipping},
    {"epsilon_high", "", kNoClipping},
    {"cliprange", "", kNoClipping},
    {"clip_ratio", "", kNoClipping},
    {"eps_clip", "", kNoClipping},
    {"loss_type", "", kNoClipping},
    {"ref_model", "", "the reference is policy.model itself: leave it out"},
    {"top_k", "", "training samples from the whole distribution: leave it out"},
    {"top_p", "", "training samples from the whole distribution: leave it out"},
};

// The same for `moft sft`.
constexpr ForeignKey kSft[] = {
    {"model_name_or_path", "model.path", ""},
    {"pretrain", "model.path", ""},
    {"learning_rate", "sft.optimizer.learning_rate", ""},
    {"lr", "sft.optimizer.learning_rate", ""},
    {"weight_decay", "sft.optimizer.weight_decay", ""},
    {"adam_beta1", "sft.optimizer.betas", "[beta1, beta2]"},
    {"adam_beta2", "sft.optimizer.betas", "[beta1, beta2]"},
    {"adam_epsilon", "sft.optimizer.epsilon", ""},
    {"optim", "sft.optimizer.kind", ""},
    {"lr_scheduler_type", "sft.schedule.kind", ""},
    {"warmup_ratio", "sft.schedule.warmup_steps", "a number of steps"},
    {"max_grad_norm", "sft.gradient_clip", ""},
    {"gradient_accumulation_steps", "sft.gradient_accumulation", ""},
    {"num_train_epochs", "sft.epochs", ""},
    {"num_epochs", "sft.epochs", ""},
    {"max_epochs", "sft.epochs", ""},
    {"max_steps", "sft.steps", ""},
    {"per_device_train_batch_size", "sft.pairs_per_step", ""},
    {"batch_size", "sft.pairs_per_step", ""},
    {"train_batch_size", "sft.pairs_per_step", ""},
    {"micro_train_batch_size", "sft.gradient_accumulation", "parts of a step"},
    {"max_length", "data.max_prompt_tokens", "and data.max_completion_tokens"},
    {"max_seq_length",
     "data.max_prompt_tokens",
     "and data.max_completion_tokens"},
    {"max_len", "data.max_prompt_tokens", "and data.max_completion_tokens"},
    {"cutoff_len", "data.max_prompt_tokens", "and data.max_completion_tokens"},
    {"max_completion_length", "data.max_completion_tokens", ""},
    {"output_key", "data.completion_template", "write the field as {name}"},
    {"save_steps", "sft.checkpoint.every", ""},
    {"save_total_limit", "sft.checkpoint.keep", ""},
    {"eval_steps", "sft.evaluation.every", ""},
    {"packing", "", "tokens are packed already: leave it out"},
    {"completion_only_loss", "", "it always is so: leave it out"},
    {"neftune_noise_alpha", "", "there is no noise here: leave it out"},
    {"lora_r", "", "all weights are trained: leave it out"},
    {"lora_rank", "", "all weights are trained: leave it out"},
    {"use_peft", "", "all weights are trained: leave it out"},
    {"finetuning_type", "", "all weights are trained: leave it out"},
};

constexpr ConditionalKeys kTrainConditions[] = {
    {"training.value.", "training.baseline: value"},
    {"training.optimizer.adafactor.", "training.optimizer.kind: adafactor"},
    {"conditioning.lora.", "conditioning.steered_set: lora"},
    {"conditioning.attention.", "conditioning.steered_set: attention"},
    {"conditioning.prompt.", "conditioning.prompt"},
    {"weightings.weights", "weightings.sampler: fixed"},
};
constexpr ConditionalKeys kSftConditions[] = {
    {"model.random.", "model.random"},
    {"sft.optimizer.adafactor.", "sft.optimizer.kind: adafactor"},
};

template <std::size_t N>
std::vector<ForeignKey> with_common(const ForeignKey (&own)[N]) {
  std::vector<ForeignKey> all(std::begin(own), std::end(own));
  all.insert(all.end(), std::begin(kCommon), std::end(kCommon));
  return all;
}

}  // namespace

KeyHints train_key_hints() {
  static const std::vector<ForeignKey> kKeys = with_common(kTrain);
  return {kKeys, kTrainConditions};
}

KeyHints sft_key_hints() {
  static const std::vector<ForeignKey> kKeys = with_common(kSft);
  return {kKeys, kSftConditions};
}

}  // namespace moft
