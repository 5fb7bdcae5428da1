#ifndef KELPMQ_SERVICE_AUTH_AUDIT_H_
#define KELPMQ_SERVICE_AUTH_AUDIT_H_

#include <string>

namespace kelpmq::service {

// Something that an administrator wants to find again: a change that was made
// or refused, or a login that failed. Holds no secret.
struct AuditEvent {
  std::string action;   // "PutUser", "Login"
  std::string user;     // who did it, or claimed to be
  std::string peer;     // from where
  std::string subject;  // what it was about: "alice"; empty for a login
  std::string outcome;  // "OK", "INVALID_ARGUMENT", ...
};

// Where such events go. Thread-safety: implementations are thread-safe; no call
// may block for long.
class AuditLog {
 public:
  virtual ~AuditLog() = default;
  virtual void Write(const AuditEvent& event) = 0;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_AUTH_AUDIT_H_
