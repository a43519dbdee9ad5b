// The variables of every launcher, set by hand.
#include "moft/distributed/launch.h"

#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

// `base` with `changes`; an empty value removes a variable's effect.
Environment with(Environment base, const Environment& changes) {
  for (const auto& [name, value] : changes)
    base[name] = value;
  return base;
}

std::string refusal_of(const Environment& environment) {
  try {
    launch_from(environment);
  } catch (const CallerError& error) {
    return error.what();
  }
  return "";
}

void expect_refused(const Environment& environment, const std::string& words) {
  const std::string refusal = refusal_of(environment);
  EXPECT_NE(refusal.find(words), std::string::npos) << refusal;
  EXPECT_EQ(refusal.find('\n'), std::string::npos);
}

// What torchrun of 2.13 sets for rank 3 of two machines with two ranks each.
const Environment kTorchrun = {
    {"RANK", "3"},
    {"WORLD_SIZE", "4"},
    {"LOCAL_RANK", "1"},
    {"LOCAL_WORLD_SIZE", "2"},
    {"GROUP_RANK", "1"},
    {"MASTER_ADDR", "node1"},
    {"MASTER_PORT", "29400"},
    {"TORCHELASTIC_RESTART_COUNT", "2"},
    {"TORCHELASTIC_RUN_ID", "run7"},
    {"TORCHELASTIC_USE_AGENT_STORE", "True"}};

// Rank 4 of six, alone on the third machine.
const Environment kSlurm = {
    {"SLURM_JOB_ID", "41234567"},
    {"SLURM_STEP_ID", "0"},
    {"SLURM_STEP_NUM_TASKS", "6"},
    {"SLURM_PROCID", "4"},
    {"SLURM_LOCALID", "0"},
    {"SLURM_NODEID", "2"},
    {"SLURM_STEP_TASKS_PER_NODE", "2(x2),1(x2)"},
    {"SLURM_JOB_NODELIST", "n[01-08]"},
    {"SLURM_STEP_NODELIST", "n[03-06]"},
    {"SLURM_NTASKS", "6"}};

const Environment kOpenMpi = {
    {"OMPI_COMM_WORLD_RANK", "1"},
    {"OMPI_COMM_WORLD_SIZE", "4"},
    {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
    {"OMPI_COMM_WORLD_LOCAL_SIZE", "4"},
    {"PMIX_NAMESPACE", "prte-77@1"}};

const Environment kHydra = {
    {"PMI_RANK", "2"},
    {"PMI_SIZE", "3"},
    {"MPI_LOCALRANKID", "2"},
    {"MPI_LOCALNRANKS", "3"}};

TEST(Launch, AProcessAloneIsAGroupOfOne) {
  const Launch launch = launch_from({{"HOME", "/root"}});
  EXPECT_EQ(launch.launcher, Launcher::kNone);
  EXPECT_EQ(launch.rank, 0);
  EXPECT_EQ(launch.size, 1);
  EXPECT_TRUE(launch.all_local());
  EXPECT_EQ(launch.master_address, "");
  // An address alone starts nothing; scripts export it for others.
  EXPECT_EQ(launch_from({{"MASTER_ADDR", "a"}, {"MASTER_PORT", "1"}}).size, 1);
  EXPECT_EQ(launch_from({{"RANK", ""}, {"WORLD_SIZE", ""}}).size, 1);
}

TEST(Launch, ReadsTorchrun) {
  const Launch launch = launch_from(kTorchrun);
  EXPECT_EQ(launch.launcher, Launcher::kTorchrun);
  EXPECT_EQ(launch.rank, 3);
  EXPECT_EQ(launch.size, 4);
  EXPECT_EQ(launch.local_rank, 1);
  EXPECT_EQ(launch.local_size, 2);
  EXPECT_FALSE(launch.all_local());
  EXPECT_EQ(launch.master_address, "node1");
  EXPECT_EQ(launch.master_port, 29'400);
  EXPECT_TRUE(launch.store_exists);
  // The agent's store lives on; the next start must not read its keys.
  EXPECT_EQ(launch.job, "run7");
}

TEST(Launch, Rank0OpensTheStoreWhereTorchrunsAgentDoesNot) {
  for (const char* value : {"", "False", "1"}) {
    const Launch launch =
        launch_from(with(kTorchrun, {{"TORCHELASTIC_USE_AGENT_STORE", value}}));
    EXPECT_FALSE(launch.store_exists) << value;
    EXPECT_EQ(launch.job, "run7");
  }
}

TEST(Launch, TorchrunsVariablesWin) {
  Environment all = with(with(kSlurm, kOpenMpi), kHydra);
  all = with(all, kTorchrun);
  const Launch launch = launch_from(all);
  EXPECT_EQ(launch.launcher, Launcher::kTorchrun);
  EXPECT_EQ(launch.rank, 3);
  EXPECT_EQ(launch.master_address, "node1");
}

TEST(Launch, TorchrunOfOneNeedsNoAddress) {
  const Launch launch = launch_from({{"RANK", "0"}, {"WORLD_SIZE", "1"}});
  EXPECT_EQ(launch.launcher, Launcher::kTorchrun);
  EXPECT_EQ(launch.size, 1);
}

TEST(Launch, TorchrunsLocalRanksMayBeUnknown) {
  const Launch launch = launch_from(
      with(kTorchrun, {{"LOCAL_RANK", ""}, {"LOCAL_WORLD_SIZE", ""}}));
  EXPECT_EQ(launch.local_rank, 0);
  EXPECT_EQ(launch.local_size, 1);
  EXPECT_FALSE(launch.all_local());
}

TEST(Launch, RefusesHalfOfTorchrun) {
  expect_refused(
      {{"RANK", "1"}}, "RANK is set and WORLD_SIZE is not; set both");
  expect_refused({{"WORLD_SIZE", "2"}}, "WORLD_SIZE is set and RANK is not");
  for (const char* name : {"MASTER_ADDR", "MASTER_PORT"})
    expect_refused(
        with(kTorchrun, {{name, ""}}), std::string(name) + " is not set");
  expect_refused(
      with(kTorchrun, {{"LOCAL_RANK", ""}}),
      "LOCAL_WORLD_SIZE is set and LOCAL_RANK is not");
}

TEST(Launch, RefusesContradictions) {
  expect_refused(
      with(kTorchrun, {{"RANK", "4"}}), "RANK is 4 and WORLD_SIZE is 4");
  expect_refused(
      with(kTorchrun, {{"LOCAL_RANK", "2"}}),
      "LOCAL_RANK is 2 and LOCAL_WORLD_SIZE is 2");
  expect_refused(
      with(kTorchrun, {{"LOCAL_WORLD_SIZE", "5"}}),
      "a machine cannot have more ranks than the group");
  expect_refused(
      with(kSlurm, {{"SLURM_PROCID", "6"}}),
      "SLURM_PROCID is 6 and SLURM_STEP_NUM_TASKS is 6");
  expect_refused(
      with(kSlurm, {{"SLURM_LOCALID", "1"}}), "SLURM_STEP_TASKS_PER_NODE");
  expect_refused(
      with(kSlurm, {{"SLURM_NODEID", "4"}}), "SLURM_STEP_TASKS_PER_NODE");
}

TEST(Launch, RefusesWhatIsNotANumberInRange) {
  for (const char* value : {"x", "-1", "1.5", " 1", "1x", "99999999999999999"})
    expect_refused(with(kTorchrun, {{"RANK", value}}), "environment: RANK is");
  expect_refused(with(kTorchrun, {{"WORLD_SIZE", "0"}}), "WORLD_SIZE is '0'");
  for (const char* port : {"0", "65536", "http"})
    expect_refused(with(kTorchrun, {{"MASTER_PORT", port}}), "MASTER_PORT is");
}

TEST(Launch, ReadsASlurmStep) {
  const Launch launch = launch_from(kSlurm);
  EXPECT_EQ(launch.launcher, Launcher::kSlurm);
  EXPECT_EQ(launch.rank, 4);
  EXPECT_EQ(launch.size, 6);
  EXPECT_EQ(launch.local_rank, 0);
  EXPECT_EQ(launch.local_size, 1);
  // The step's first host, not the job's.
  EXPECT_EQ(launch.master_address, "n03");
  EXPECT_EQ(launch.master_port, 20'000 + 41'234'567 % 20'000);
  EXPECT_FALSE(launch.store_exists);
  EXPECT_EQ(launch.job, "41234567.0");
}

TEST(Launch, SlurmTakesTheJobsHostsAndTheUsersAddress) {
  EXPECT_EQ(
      launch_from(with(kSlurm, {{"SLURM_STEP_NODELIST", ""}})).master_address,
      "n01");
  const Launch launch = launch_from(
      with(kSlurm, {{"MASTER_ADDR", "10.0.0.9"}, {"MASTER_PORT", "5"}}));
  EXPECT_EQ(launch.master_address, "10.0.0.9");
  EXPECT_EQ(launch.master_port, 5);
}

TEST(Launch, SlurmCountsOnlyInsideAStepOfSeveral) {
  // A batch script, and an interactive step.
  EXPECT_EQ(launch_from(with(kSlurm, {{"SLURM_STEP_ID", ""}})).size, 1);
  EXPECT_EQ(
      launch_from(with(kSlurm, {{"SLURM_STEP_NUM_TASKS", "1"}})).launcher,
      Launcher::kNone);
  EXPECT_EQ(launch_from(with(kSlurm, {{"SLURM_STEP_NUM_TASKS", ""}})).size, 1);
}

TEST(Launch, RefusesHalfOfASlurmStep) {
  expect_refused(with(kSlurm, {{"SLURM_PROCID", ""}}), "SLURM_PROCID is not");
  expect_refused(
      with(kSlurm, {{"SLURM_STEP_NODELIST", ""}, {"SLURM_JOB_NODELIST", ""}}),
      "set MASTER_ADDR");
  expect_refused(
      with(kSlurm, {{"SLURM_JOB_ID", ""}}), "SLURM_JOB_ID is not set");
  expect_refused(
      with(kSlurm, {{"SLURM_STEP_NODELIST", "n[1"}}),
      "SLURM_STEP_NODELIST: 'n[1' has a '[' without its ']'");
}

TEST(Launch, ReadsOpenMpiAndHydra) {
  const Launch open = launch_from(kOpenMpi);
  EXPECT_EQ(open.launcher, Launcher::kMpirun);
  EXPECT_EQ(open.rank, 1);
  EXPECT_EQ(open.size, 4);
  EXPECT_EQ(open.local_rank, 1);
  EXPECT_EQ(open.master_address, "127.0.0.1");
  EXPECT_EQ(open.master_port, 29'500);
  EXPECT_EQ(open.job, "prte-77@1");
  const Launch hydra = launch_from(with(kHydra, {{"MASTER_PORT", "7000"}}));
  EXPECT_EQ(hydra.launcher, Launcher::kMpirun);
  EXPECT_EQ(hydra.rank, 2);
  EXPECT_EQ(hydra.local_size, 3);
  EXPECT_EQ(hydra.master_address, "127.0.0.1");
  EXPECT_EQ(hydra.master_port, 7000);
}

TEST(Launch, MpirunOverMachinesNeedsAnAddress) {
  const Environment two = with(
      kOpenMpi,
      {{"OMPI_COMM_WORLD_LOCAL_SIZE", "2"}, {"OMPI_COMM_WORLD_RANK", "3"}});
  expect_refused(two, "mpirun started 2 of the 4 ranks on this machine");
  EXPECT_EQ(launch_from(with(two, {{"MASTER_ADDR", "a"}})).master_address, "a");
  const Environment unknown = {{"PMI_RANK", "0"}, {"PMI_SIZE", "2"}};
  expect_refused(unknown, "an unknown number of the 2 ranks");
  EXPECT_EQ(launch_from({{"PMI_RANK", "0"}, {"PMI_SIZE", "1"}}).size, 1);
}

TEST(Launch, RefusesHalfOfMpirun) {
  expect_refused({{"PMI_RANK", "0"}}, "PMI_RANK is set and PMI_SIZE is not");
  expect_refused(
      with(kOpenMpi, {{"OMPI_COMM_WORLD_RANK", ""}}),
      "OMPI_COMM_WORLD_SIZE is set and OMPI_COMM_WORLD_RANK is not");
  expect_refused(
      with(kHydra, {{"MPI_LOCALNRANKS", ""}}), "MPI_LOCALNRANKS is not");
}

// srun --mpi=pmi2 sets PMI_RANK and PMI_SIZE as the step has them.
TEST(Launch, SrunWithPmiIsSlurm) {
  const Launch launch =
      launch_from(with(kSlurm, {{"PMI_RANK", "4"}, {"PMI_SIZE", "6"}}));
  EXPECT_EQ(launch.launcher, Launcher::kSlurm);
  EXPECT_EQ(launch.master_address, "n03");
}

// Its daemons are the step; the ranks inherit their variables.
TEST(Launch, MpirunInsideASlurmJobIsMpirun) {
  const Launch launch = launch_from(with(
      with(kSlurm, kOpenMpi),
      {{"SLURM_STEP_NUM_TASKS", "2"}, {"SLURM_PROCID", "0"}}));
  EXPECT_EQ(launch.launcher, Launcher::kMpirun);
  EXPECT_EQ(launch.size, 4);
}

TEST(Launch, ReadsTheVariablesOfTheProcess) {
  ASSERT_EQ(::setenv("MOFT_LAUNCH_TEST", "a=b", 1), 0);
  const Environment environment = process_environment();
  EXPECT_EQ(environment.at("MOFT_LAUNCH_TEST"), "a=b");
  EXPECT_TRUE(environment.contains("PATH"));
  ::unsetenv("MOFT_LAUNCH_TEST");
}

TEST(DeviceOf, EachRankOfAMachineHasItsOwn) {
  EXPECT_EQ(device_of(Launch{}, 1), 0);
  EXPECT_EQ(device_of(Launch{}, 8), 0);
  const Launch open = launch_from(kOpenMpi);  // local rank 1 of 4
  EXPECT_EQ(device_of(open, 4), 1);
  EXPECT_EQ(device_of(open, 8), 1);
}

TEST(DeviceOf, MoreRanksThanDevicesAreRefused) {
  const auto refusal = [](const Launch& launch, int devices) -> std::string {
    try {
      device_of(launch, devices);
    } catch (const CallerError& error) {
      return error.what();
    }
    return "";
  };
  const Launch open = launch_from(kOpenMpi);
  EXPECT_EQ(
      refusal(open, 2),
      "device: this machine has 2 CUDA devices for 4 ranks, and each needs one "
      "of its own; start at most 2 here, or give device: cpu");
  EXPECT_NE(refusal(open, 1).find("has 1 CUDA device for"), std::string::npos);
}

// Slurm's --gpus-per-task binds: a task sees its own devices alone.
TEST(DeviceOf, ATaskOfSlurmMaySeeItsOwnAlone) {
  Launch launch = launch_from(with(kSlurm, {{"SLURM_GPUS_PER_TASK", "1"}}));
  EXPECT_TRUE(launch.own_devices);
  EXPECT_FALSE(launch_from(kSlurm).own_devices);
  launch.local_rank = 1;
  launch.local_size = 2;
  EXPECT_EQ(device_of(launch, 1), 0);
  EXPECT_EQ(device_of(launch, 2), 1);
}

}  // namespace
}  // namespace moft
