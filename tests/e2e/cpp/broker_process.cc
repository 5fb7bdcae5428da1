#include "tests/e2e/cpp/broker_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <regex>
#include <vector>

namespace kelpmq::testing {
namespace {

constexpr int kStartTimeoutMs = 30'000;  // a sanitizer build on a busy machine

// The address of "ready on ADDRESS", or empty if it does not come.
std::string ReadAddress(int fd) {
  static const std::regex kReady("ready on ([^\\s,]+)");
  std::string output;
  std::smatch match;
  while (!std::regex_search(output, match, kReady)) {
    pollfd readable = {fd, POLLIN, 0};
    char bytes[4096];
    if (poll(&readable, 1, kStartTimeoutMs) != 1) return "";
    const ssize_t size = read(fd, bytes, sizeof(bytes));
    if (size <= 0) return "";
    output.append(bytes, static_cast<size_t>(size));
  }
  return match[1];
}

}  // namespace

std::string BrokerBinary() {
  const char* const given = std::getenv("KELPMQ_BINARY");
  return given != nullptr ? given : KELPMQ_DEFAULT_BINARY;
}

BrokerProcess::~BrokerProcess() {
  // The second one skips the drain.
  if (pid_ > 0) kill(pid_, SIGTERM);
  End(SIGTERM);
}

void BrokerProcess::Freeze() { ASSERT_EQ(kill(pid_, SIGSTOP), 0); }

void BrokerProcess::Kill() { End(SIGKILL); }

void BrokerProcess::End(int signal) {
  if (pid_ <= 0) return;
  kill(pid_, signal);
  int status = 0;
  ASSERT_EQ(waitpid(pid_, &status, 0), pid_);
  pid_ = -1;
  if (signal == SIGTERM) {
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0)
        << "the broker ended with wait status " << status;
  }
}

void BrokerProcess::Start(const std::string& listen) {
  int output[2];
  ASSERT_EQ(pipe2(output, O_CLOEXEC), 0);
  const std::string binary = BrokerBinary();
  std::vector<std::string> arguments = {binary, "serve", "--listen", listen};
  arguments.insert(arguments.end(), flags_.begin(), flags_.end());
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_ = fork();
  if (pid_ == 0) {
    // Only what may be called after a fork of many threads.
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // no broker outlives a test that crashed
    dup2(output[1], STDOUT_FILENO);
    execv(argv[0], argv.data());
    _exit(127);
  }
  close(output[1]);
  ASSERT_GT(pid_, 0);
  // Kept open: the broker may write more.
  const std::string address = ReadAddress(output[0]);
  ASSERT_FALSE(address.empty()) << binary << " is not ready";
  address_ = address;
}

}  // namespace kelpmq::testing
