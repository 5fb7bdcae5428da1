# Shared by deploy/up and tests/run: what has to be installed, and how the project is built.
# To be sourced by bash, with `set -euo pipefail` and the current folder at the root of the project.

export LC_ALL=C.UTF-8

# Debian 12 packages that building the broker takes...
KELPMQ_BUILD_PACKAGES=(
  g++ cmake ninja-build ccache mold
  protobuf-compiler protobuf-compiler-grpc libprotobuf-dev libgrpc++-dev libabsl-dev
  libcli11-dev libevent-dev libsodium-dev nlohmann-json3-dev libssl-dev libre2-dev libc-ares-dev zlib1g-dev)
# ... and testing it besides.
KELPMQ_TEST_PACKAGES=(
  libgtest-dev libgmock-dev libbenchmark-dev python3 python3-venv zsh fish dpkg-dev file openssl)

say() { printf '%s\n' "$*" >&2; }

die() {
  say "$(basename "$0"): $*"
  exit 1
}

# install_packages NAME...: installs those that are missing, with apt, as root or by sudo.
install_packages() {
  local missing=() name as_root=()
  for name in "$@"; do
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null) == installed ]] ||
      missing+=("$name")
  done
  [[ ${#missing[@]} -gt 0 ]] || return 0
  command -v apt-get >/dev/null || die "needs Debian 12 (apt-get), or install: ${missing[*]}"
  if [[ $EUID -ne 0 ]]; then
    command -v sudo >/dev/null || die "run as root, or install sudo, or install: ${missing[*]}"
    as_root=(sudo)
  fi
  mkdir -p build/logs
  say "installing ${#missing[@]} packages: ${missing[*]}"
  {
    "${as_root[@]}" apt-get update &&
      "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y \
        --no-install-recommends "${missing[@]}"
  } >build/logs/apt.log 2>&1 </dev/null || {
    tail -n 15 build/logs/apt.log >&2
    die "apt-get failed: see build/logs/apt.log"
  }
}

# build PRESET TARGET [CMAKE-OPTION...]: configures build/PRESET if need be, and builds TARGET.
# False on failure, with the end of the log on stderr.
build() {
  local preset=$1 target=$2 log=build/logs/build-$1.log
  shift 2
  mkdir -p build/logs
  {
    cmake --preset "$preset" "$@" && cmake --build "build/$preset" --target "$target"
  } >"$log" 2>&1 </dev/null || {
    grep -E -A 5 'error|FAILED|CMake Error' "$log" | head -n 60 >&2 || true
    tail -n 5 "$log" >&2
    say "the build failed: see $log"
    return 1
  }
}
