#ifndef KELPMQ_TESTS_E2E_CPP_BROKER_PROCESS_H_
#define KELPMQ_TESTS_E2E_CPP_BROKER_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

namespace kelpmq::testing {

// The program: $KELPMQ_BINARY, or that of this build.
std::string BrokerBinary();

// One process of the broker under test ($KELPMQ_BINARY, or that of this build),
// on a port of its own. Fails the test if it does not start.
// Thread-safety: thread-compatible.
class BrokerProcess {
 public:
  // `flags`: further ones of `kelpmq serve`.
  explicit BrokerProcess(std::vector<std::string> flags = {})
      : flags_(std::move(flags)) {
    Start("127.0.0.1:0");
  }
  // A graceful stop.
  ~BrokerProcess();
  BrokerProcess(const BrokerProcess&) = delete;
  BrokerProcess& operator=(const BrokerProcess&) = delete;

  const std::string& address() const { return address_; }
  // kill -STOP: it answers nothing any more.
  void Freeze();
  // kill -9, and wait until it is gone.
  void Kill();
  // Another process at the address of the first.
  void Restart() { Start(address_); }

 private:
  void Start(const std::string& listen);
  void End(int signal);

  const std::vector<std::string> flags_;
  std::string address_;
  pid_t pid_ = -1;
};

}  // namespace kelpmq::testing

#endif  // KELPMQ_TESTS_E2E_CPP_BROKER_PROCESS_H_
