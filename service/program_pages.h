#ifndef KELPMQ_SERVICE_PROGRAM_PAGES_H_
#define KELPMQ_SERVICE_PROGRAM_PAGES_H_

namespace kelpmq::service {

// Lets the system take back the pages of the program's own code, which were
// read to start it. Most of them (registrations, option parsing, TLS set-up)
// are not needed again, and would count as this process's memory for good;
// those that are come back from the page cache when they are next run.
// Call it once, after start-up. Thread-safe.
void ReleaseProgramPages();

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_PROGRAM_PAGES_H_
