# The image in pods under podman, and the files in deploy/ by the checkers of their readers; by
# itself (suite image) the whole Dockerfile, from a bare Debian on.
# To be sourced by tests/run.

# systemd: its checker of units alone; nothing of it is started.
readonly CONTAINER_PACKAGES=(podman buildah crun catatonit iproute2 systemd)

# containers SUITE FILE PACKAGE...: tests that need podman; they skip, and say why, where there is none.
containers() {
  # RUNLEVEL: as while a machine starts, so that no service is started.
  (RUNLEVEL=1 install_packages "${CONTAINER_PACKAGES[@]}" "${@:3}") ||
    say "no podman: tests of containers will be skipped"
  "$PYTHON" -c 'import kubernetes_validate, helm_python, spdx_tools' 2>/dev/null ||
    "$PYTHON" -m pip install -q -r tests/requirements-container.txt >build/logs/pip.log 2>&1 ||
    { tail -n 15 build/logs/pip.log; die "pip failed"; }
  built "$1" release kelpmq -DBUILD_TESTING=OFF || return 0
  KELPMQ_BINARY=$PWD/$RELEASE junit "$1" "build/logs/$1.xml" "$PYTHON" -m pytest -q --durations 5 \
    --junit-xml "build/logs/$1.xml" "$2"
  sed -n 's/^SKIPPED \[[0-9]*\] [^ ]* /    skipped: /p' "build/logs/$1.log" | sort -u
}

suite_container() {
  # An app that uses it is one of the tests; the suite python installs it, if it ran.
  [[ -x build/python-client/bin/python ]] ||
    { built container release kelpmq -DBUILD_TESTING=OFF && check python-wheel python_wheel; }
  containers container tests/e2e/container
}

suite_image() {
  containers image tests/e2e/container/whole_dockerfile.py debootstrap
}
