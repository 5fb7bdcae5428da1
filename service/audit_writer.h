#ifndef KELPMQ_SERVICE_AUDIT_WRITER_H_
#define KELPMQ_SERVICE_AUDIT_WRITER_H_

#include "service/auth/audit.h"
#include "service/base/log.h"

namespace kelpmq::service {

// Writes each event to the log. From the first on, the process leaves no core
// dump: somebody's secret may be in its memory. The log must outlive it.
// Thread-safety: thread-safe.
class AuditWriter : public AuditLog {
 public:
  explicit AuditWriter(const Log* log) : log_(log) {}

  void Write(const AuditEvent& event) override;

 private:
  const Log* const log_;
};

// No core dump of this process holds what is in its memory now or later.
void ForbidCoreDumps();

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_AUDIT_WRITER_H_
