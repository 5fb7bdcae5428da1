#ifndef KELPMQ_SERVICE_SERVICE_MANAGER_H_
#define KELPMQ_SERVICE_SERVICE_MANAGER_H_

#include "absl/strings/string_view.h"

namespace kelpmq::service {

// Tells the service manager that started this process, if one wants to know
// (systemd's Type=notify): "READY=1" when clients may come, "STOPPING=1" when
// no new ones may.
//
// It listens at the Unix socket that $NOTIFY_SOCKET names; without one, and
// when nobody is there, this does nothing: a broker that serves need not stop
// because nobody takes note. Does not block. Thread-safe.
void NotifyServiceManager(absl::string_view state);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_SERVICE_MANAGER_H_
