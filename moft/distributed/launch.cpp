// The launchers' variables, read and checked.
#include "moft/distributed/launch.h"

#include <optional>
#include <string_view>

#include <unistd.h>

#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/distributed/hostlist.h"

namespace moft {
namespace {

constexpr int kMaxRanks = 65'536;
constexpr int kMaxPort = 65'535;
// torch.distributed's default.
constexpr std::uint16_t kDefaultPort = 29'500;
constexpr std::int64_t kSlurmFirstPort = 20'000;
constexpr std::int64_t kSlurmPorts = 20'000;

const std::string* find(const Environment& variables, const char* name) {
  const auto found = variables.find(name);
  if (found == variables.end() || found->second.empty()) return nullptr;
  return &found->second;
}

bool has(const Environment& variables, const char* name) {
  return find(variables, name) != nullptr;
}

std::string text_or(const Environment& variables, const char* name) {
  const std::string* text = find(variables, name);
  return text == nullptr ? "" : *text;
}

std::int64_t number(
    const Environment& variables,
    const char* name,
    std::int64_t low,
    std::int64_t high) {
  const std::string text = text_or(variables, name);
  const auto value = parse_integer(text);
  if (!value || *value < low || *value > high) {
    throw_caller_error(
        "environment: {} is {}; it must be a whole number from {} to {}",
        name,
        quote_text(text),
        low,
        high);
  }
  return *value;
}

// Whether both are set; one alone is refused.
bool has_both(
    const Environment& variables, const char* first, const char* second) {
  const bool has_first = has(variables, first);
  if (has_first == has(variables, second)) return has_first;
  throw_caller_error(
      "environment: {} is set and {} is not; set both, or unset both",
      has_first ? first : second,
      has_first ? second : first);
}

// A rank and its number of ranks, by their variables.
struct Place {
  int rank;
  int size;
  bool operator==(const Place&) const = default;
};

Place read_place(
    const Environment& variables, const char* rank, const char* size) {
  Place place{};
  place.size = static_cast<int>(number(variables, size, 1, kMaxRanks));
  place.rank = static_cast<int>(number(variables, rank, 0, kMaxRanks));
  if (place.rank >= place.size) {
    throw_caller_error(
        "environment: {} is {} and {} is {}; ranks count from 0, so the rank "
        "must be below the number of ranks",
        rank,
        place.rank,
        size,
        place.size);
  }
  return place;
}

// `names`: rank, size, local rank, local size.
struct PlaceNames {
  const char* rank;
  const char* size;
  const char* local_rank;
  const char* local_size;
};

// False where the local variables are missing.
bool set_places(
    Launch& launch, const Environment& variables, const PlaceNames& names) {
  const Place global = read_place(variables, names.rank, names.size);
  launch.rank = global.rank;
  launch.size = global.size;
  if (!has_both(variables, names.local_rank, names.local_size)) return false;
  const Place local = read_place(variables, names.local_rank, names.local_size);
  launch.local_rank = local.rank;
  launch.local_size = local.size;
  if (local.size > global.size) {
    throw_caller_error(
        "environment: {} is {} and {} is {}; a machine cannot have more ranks "
        "than the group",
        names.local_size,
        local.size,
        names.size,
        global.size);
  }
  return true;
}

std::optional<std::uint16_t> master_port(const Environment& variables) {
  if (!has(variables, "MASTER_PORT")) return std::nullopt;
  return static_cast<std::uint16_t>(
      number(variables, "MASTER_PORT", 1, kMaxPort));
}

Launch torchrun_launch(const Environment& variables) {
  Launch launch;
  launch.launcher = Launcher::kTorchrun;
  has_both(variables, "RANK", "WORLD_SIZE");
  set_places(
      launch,
      variables,
      {"RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"});
  if (launch.size == 1) return launch;
  for (const char* name : {"MASTER_ADDR", "MASTER_PORT"}) {
    if (has(variables, name)) continue;
    throw_caller_error(
        "environment: WORLD_SIZE is {} and {} is not set; start the ranks with "
        "torchrun, or set {} to where rank 0 listens",
        launch.size,
        name,
        name);
  }
  launch.master_address = text_or(variables, "MASTER_ADDR");
  launch.master_port = *master_port(variables);
  launch.store_exists =
      text_or(variables, "TORCHELASTIC_USE_AGENT_STORE") == "True";
  launch.job = text_or(variables, "TORCHELASTIC_RUN_ID");
  return launch;
}

bool is_slurm_step(const Environment& variables) {
  return has(variables, "SLURM_STEP_ID") &&
         has(variables, "SLURM_STEP_NUM_TASKS") &&
         number(variables, "SLURM_STEP_NUM_TASKS", 1, kMaxRanks) > 1;
}

constexpr char kSlurmRank[] = "SLURM_PROCID";
constexpr char kSlurmSize[] = "SLURM_STEP_NUM_TASKS";

// The ranks on this machine, from "2(x3),1" and this machine's number.
void set_slurm_local(Launch& launch, const Environment& variables) {
  constexpr char kTasks[] = "SLURM_STEP_TASKS_PER_NODE";
  if (!has(variables, "SLURM_LOCALID") || !has(variables, "SLURM_NODEID") ||
      !has(variables, kTasks))
    return;
  const auto counts = expand_counts(text_or(variables, kTasks), kTasks);
  const auto node =
      static_cast<std::size_t>(number(variables, "SLURM_NODEID", 0, kMaxRanks));
  const int local =
      static_cast<int>(number(variables, "SLURM_LOCALID", 0, kMaxRanks));
  if (node >= counts.size() || local >= counts[node] ||
      counts[node] > launch.size) {
    throw_caller_error(
        "environment: {} is {}, which does not fit SLURM_NODEID {}, "
        "SLURM_LOCALID {} and {} {}; start the ranks with srun",
        kTasks,
        quote_text(text_or(variables, kTasks)),
        node,
        local,
        kSlurmSize,
        launch.size);
  }
  launch.local_rank = local;
  launch.local_size = static_cast<int>(counts[node]);
}

std::string first_slurm_host(const Environment& variables) {
  for (const char* name : {"SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST"}) {
    if (has(variables, name))
      return expand_hosts(text_or(variables, name), name).front();
  }
  throw_caller_error(
      "environment: neither SLURM_STEP_NODELIST nor SLURM_JOB_NODELIST is set "
      "in a Slurm step; set MASTER_ADDR to the machine of rank 0");
}

Launch slurm_launch(const Environment& variables) {
  if (!has(variables, kSlurmRank)) {
    throw_caller_error(
        "environment: {} is set and {} is not; start the ranks with srun",
        kSlurmSize,
        kSlurmRank);
  }
  Launch launch;
  launch.launcher = Launcher::kSlurm;
  const Place place = read_place(variables, kSlurmRank, kSlurmSize);
  launch.rank = place.rank;
  launch.size = place.size;
  set_slurm_local(launch, variables);
  launch.own_devices = has(variables, "SLURM_GPUS_PER_TASK");
  launch.master_address = has(variables, "MASTER_ADDR")
                              ? text_or(variables, "MASTER_ADDR")
                              : first_slurm_host(variables);
  if (const auto port = master_port(variables)) {
    launch.master_port = *port;
  } else if (has(variables, "SLURM_JOB_ID")) {
    const auto job = number(variables, "SLURM_JOB_ID", 0, INT64_MAX);
    launch.master_port =
        static_cast<std::uint16_t>(kSlurmFirstPort + job % kSlurmPorts);
  } else {
    throw_caller_error(
        "environment: SLURM_JOB_ID is not set in a Slurm step; set it, or "
        "MASTER_PORT to a free port of the first machine");
  }
  launch.job = text_or(variables, "SLURM_JOB_ID") + "." +
               text_or(variables, "SLURM_STEP_ID");
  return launch;
}

constexpr PlaceNames kOpenMpi = {
    "OMPI_COMM_WORLD_RANK",
    "OMPI_COMM_WORLD_SIZE",
    "OMPI_COMM_WORLD_LOCAL_RANK",
    "OMPI_COMM_WORLD_LOCAL_SIZE"};
constexpr PlaceNames kHydra = {
    "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"};

// The variables of mpirun, if it started us. `srun --mpi=pmi2` sets PMI_RANK
// and PMI_SIZE too, equal to the step's; under an mpirun inside a batch job
// the step is that of mpirun's daemons, one a machine.
const PlaceNames* mpirun_names(const Environment& variables) {
  for (const PlaceNames* names : {&kOpenMpi, &kHydra}) {
    if (!has_both(variables, names->rank, names->size)) continue;
    if (is_slurm_step(variables) && has(variables, kSlurmRank) &&
        read_place(variables, names->rank, names->size) ==
            read_place(variables, kSlurmRank, kSlurmSize))
      return nullptr;
    return names;
  }
  return nullptr;
}

Launch mpirun_launch(const Environment& variables, const PlaceNames& names) {
  Launch launch;
  launch.launcher = Launcher::kMpirun;
  const bool knows_local = set_places(launch, variables, names);
  if (launch.size == 1) return launch;
  if (has(variables, "MASTER_ADDR")) {
    launch.master_address = text_or(variables, "MASTER_ADDR");
  } else if (launch.all_local()) {
    launch.master_address = "127.0.0.1";
  } else {
    const std::string known =
        knows_local
            ? fmt::format("{} of the {} ranks", launch.local_size, launch.size)
            : fmt::format("an unknown number of the {} ranks", launch.size);
    throw_caller_error(
        "environment: mpirun started {} on this machine and MASTER_ADDR is not "
        "set; pass the address of rank 0's machine to every rank (Open MPI: "
        "-x MASTER_ADDR=.., MPICH: -genv MASTER_ADDR ..)",
        known);
  }
  launch.master_port = master_port(variables).value_or(kDefaultPort);
  for (const char* name : {"PMIX_NAMESPACE", "OMPI_MCA_ess_base_jobid"}) {
    if (launch.job.empty()) launch.job = text_or(variables, name);
  }
  return launch;
}

}  // namespace

Launch launch_from(const Environment& environment) {
  if (has(environment, "RANK") || has(environment, "WORLD_SIZE"))
    return torchrun_launch(environment);
  if (const PlaceNames* names = mpirun_names(environment))
    return mpirun_launch(environment, *names);
  if (is_slurm_step(environment)) return slurm_launch(environment);
  return {};
}

int device_of(const Launch& launch, int devices) {
  if (launch.local_size <= devices) return launch.local_rank;
  if (launch.own_devices) return 0;
  throw_caller_error(
      "device: this machine has {} for {} ranks, and each needs one of its "
      "own; start at most {} here, or give device: cpu",
      devices == 1 ? "1 CUDA device" : fmt::format("{} CUDA devices", devices),
      launch.local_size,
      devices);
}

Environment process_environment() {
  Environment variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = text.find('=');
    if (equals == text.npos) continue;
    variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

const char* name_of(Launcher launcher) {
  switch (launcher) {
    case Launcher::kTorchrun:
      return "torchrun";
    case Launcher::kSlurm:
      return "Slurm";
    case Launcher::kMpirun:
      return "mpirun";
    case Launcher::kNone:
      break;
  }
  return "no launcher";
}

}  // namespace moft
