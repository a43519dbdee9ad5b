// The files of a checkpoint: their names, and the tensors in them. Inside the
// part only.
//
// Names come from here, never from a file: what a state.json names is compared
// with them before anything is opened.
//
// Errors: CallerError for files that are missing or not moft's; WorldError for
// the disk.
// Thread safety: free functions, one thread for a file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "moft/training/trainer.h"

namespace moft {

inline constexpr const char* kSteeringFile = "steering.safetensors";
inline constexpr const char* kOptimizerFile = "optimizer.safetensors";
inline constexpr const char* kSamplerFile = "sampler.safetensors";
inline constexpr const char* kRewardsFile = "rewards.safetensors";
inline constexpr const char* kValueFile = "value.safetensors";
inline constexpr const char* kValueOptimizerFile =
    "value_optimizer.safetensors";
inline constexpr const char* kBestFile = "best.safetensors";
inline constexpr const char* kStateFile = "state.json";

// The file of one rank's part: `file` itself for a process alone, else
// "optimizer-2-of-3.safetensors" for rank 1 of 3.
std::string shard_file(const std::string& file, int rank, int ranks);

// `file` in the shards of all ranks.
std::vector<std::string> shard_files(const std::string& file, int ranks);

// The tensors' files that a checkpoint of `ranks` may have beside the masters'.
std::vector<std::string> tensor_files(int ranks);

// True for the files of any checkpoint, whatever its ranks.
bool is_checkpoint_file(const std::string& name);

std::uint64_t bytes_of(const NamedTensors& tensors);

// float32 or int64, as they are. Returns the file's hash.
std::string write_tensors(
    const std::filesystem::path& path, const NamedTensors& tensors);

// Copies of what is in a file; empty where it is not there.
NamedTensors read_tensors_if_there(const std::filesystem::path& path);
NamedTensors read_tensors(const std::filesystem::path& path);

// What is in the files together, read only and not copied: a rank that needs a
// part of masters or moments reads that part. CallerError for a name that
// two files have.
NamedTensors map_tensors(
    const std::filesystem::path& directory,
    const std::vector<std::string>& files);

}  // namespace moft
