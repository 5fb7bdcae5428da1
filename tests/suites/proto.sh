# buf lint and buf format.
# To be sourced by tests/run.

readonly BUF_VERSION=1.75.0

buf() {
  local folder=build/tools/buf-$BUF_VERSION
  if [[ ! -x $folder/node_modules/.bin/buf ]]; then
    command -v npm >/dev/null || install_packages npm
    say "installing buf $BUF_VERSION"
    npm install --prefix "$folder" --no-audit --no-fund --no-package-lock \
      "@bufbuild/buf@$BUF_VERSION" >build/logs/npm.log 2>&1 </dev/null ||
      { tail -n 15 build/logs/npm.log; die "npm failed"; }
  fi
  (cd proto && "../$folder/node_modules/.bin/buf" "$@")
}

suite_proto() {
  buf --version >/dev/null
  check proto-lint buf lint
  check proto-format buf format -d --exit-code
}
