# The release binary, from other languages: those that are installed. With --all, Go and Java are
# installed too, and a build may take minutes.
# To be sourced by tests/run.

# language_packages: the toolchains of the suite languages, if a command of theirs is missing.
# Debian 12 has no Rust that is new enough.
language_packages() {
  local names=(ruby ruby-grpc jq)
  command -v npm >/dev/null || names+=(npm)
  if [[ -n $all ]]; then
    command -v go >/dev/null || names+=(golang-go)
    command -v javac >/dev/null || names+=(default-jdk-headless)
    command -v mvn >/dev/null || names+=(maven)
  fi
  install_packages "${names[@]}"
}

suite_languages() {
  language_packages
  built languages release kelpmq -DBUILD_TESTING=OFF || return 0
  KELPMQ_BINARY=$PWD/$RELEASE KELPMQ_COLD_BUILDS=${KELPMQ_COLD_BUILDS:-$all} \
    junit languages build/logs/languages.xml "$PYTHON" -m pytest -q --durations 10 \
    --junit-xml build/logs/languages.xml tests/e2e/languages
  sed -n 's/^SKIPPED \[[0-9]*\] [^ ]* /    skipped: /p' build/logs/languages.log | sort -u
}
