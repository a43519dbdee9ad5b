// Who started this process, and as which of how many: read from the variables
// that torchrun, Slurm and mpirun set. docs/distributed.md has a line for each.
//
// Sources: torch/distributed/elastic/agent/server/local_elastic_agent.py
// (2.13); `man srun`, OUTPUT ENVIRONMENT VARIABLES; Open MPI's
// OMPI_COMM_WORLD_*; Hydra's PMI_* and MPI_LOCAL*.
// Thread safety: pure functions, but for process_environment().
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace moft {

using Environment = std::map<std::string, std::string>;

enum class Launcher { kNone, kTorchrun, kSlurm, kMpirun };

// A process and its place in the group. The defaults are a process alone.
struct Launch {
  Launcher launcher = Launcher::kNone;
  // 0 <= rank < size.
  int rank = 0;
  int size = 1;
  // Among the ranks of this machine; 0 of 1 where the launcher does not say.
  int local_rank = 0;
  int local_size = 1;
  // Slurm binds GPUs to each task, which may see its own alone.
  bool own_devices = false;
  // Where the store listens: a name or an address. Empty for one process.
  std::string master_address;
  std::uint16_t master_port = 0;
  // torchrun's agent has opened the store; otherwise rank 0 opens it.
  bool store_exists = false;
  // What tells this start from others that may meet in one store: the same on
  // every rank. May be empty.
  std::string job;

  bool all_local() const { return local_size == size; }
};

// The variables decide in this order:
//   torchrun  RANK or WORLD_SIZE is set. Both are needed, MASTER_ADDR and
//             MASTER_PORT too for more than one rank. LOCAL_RANK and
//             LOCAL_WORLD_SIZE may be missing, together.
//   mpirun    OMPI_COMM_WORLD_RANK or _SIZE, or PMI_RANK or PMI_SIZE, is set,
//             and no Slurm step has the same rank and size. 127.0.0.1 when
//             all ranks are on one machine, else MASTER_ADDR is required;
//             MASTER_PORT or 29500.
//   Slurm     SLURM_STEP_ID is set and SLURM_STEP_NUM_TASKS is above 1. The
//             first host of the step's (else the job's) node list and port
//             20000 + SLURM_JOB_ID mod 20000, unless MASTER_ADDR or
//             MASTER_PORT is set.
//   else      a process alone.
// An empty value counts as unset. Throws CallerError for a variable without
// its partner, a value that is not a number in its range, and values that
// contradict each other.
Launch launch_from(const Environment& environment);

// The index of the device of this rank's, of the `devices`, at least 1, that it
// sees: its local rank, or 0 where it sees its own alone. CallerError where the
// ranks of this machine are more than its devices.
int device_of(const Launch& launch, int devices);

// The variables of this process. Not safe beside setenv().
Environment process_environment();

// "torchrun", "Slurm", "mpirun", "no launcher".
const char* name_of(Launcher launcher);

}  // namespace moft
