#include "service/cli/perf/process_usage.h"

#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"

namespace kelpmq::service::cli::perf {
namespace {

double TicksToSeconds(uint64_t ticks) {
  return static_cast<double>(ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

std::string FirstLineOf(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

}  // namespace

std::optional<double> CpuSecondsOf(pid_t pid) {
  const std::string line = FirstLineOf(absl::StrCat("/proc/", pid, "/stat"));
  // The second field is the program's name, in brackets, and may hold blanks.
  const size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(line.substr(name_end + 1));
  std::string skipped;
  constexpr int kFieldsBeforeUtime = 11;
  for (int i = 0; i < kFieldsBeforeUtime; ++i) fields >> skipped;
  uint64_t user = 0;
  uint64_t system = 0;
  fields >> user >> system;
  if (!fields) return std::nullopt;
  return TicksToSeconds(user + system);
}

std::optional<uint64_t> ResidentBytesOf(pid_t pid) {
  std::istringstream fields(FirstLineOf(absl::StrCat("/proc/", pid, "/statm")));
  uint64_t total_pages = 0;
  uint64_t resident_pages = 0;
  fields >> total_pages >> resident_pages;
  if (!fields) return std::nullopt;
  return resident_pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

double BusyCpuSeconds() {
  // cpu user nice system idle iowait irq softirq steal guest guest_nice; the
  // guests are in user and nice already.
  std::istringstream fields(FirstLineOf("/proc/stat"));
  std::string name;
  uint64_t user = 0, nice = 0, system = 0, idle = 0, iowait = 0;
  uint64_t irq = 0, softirq = 0, steal = 0;
  fields >> name >> user >> nice >> system >> idle >> iowait >> irq >>
      softirq >> steal;
  return TicksToSeconds(user + nice + system + irq + softirq + steal);
}

}  // namespace kelpmq::service::cli::perf
