#include "service/audit_writer.h"

#include <sys/prctl.h>

namespace kelpmq::service {

void AuditWriter::Write(const AuditEvent& event) {
  ForbidCoreDumps();
  if (event.action == "Login") {
    log_->Warning("login refused",
                  {{"user", event.user}, {"peer", event.peer}});
  } else {
    log_->Info("administration", {{"rpc", event.action},
                                  {"subject", event.subject},
                                  {"user", event.user},
                                  {"peer", event.peer},
                                  {"outcome", event.outcome}});
  }
}

void ForbidCoreDumps() {
  // Fails for no value that we pass.
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

}  // namespace kelpmq::service
