"""The files in deploy/: right by the tools that their readers use, hardened, and with options that exist."""
import os
import pathlib
import re
import shutil
import subprocess

import broker as broker_process
import manifests
import pytest
import wire
from containers import UID
from manifests import DEPLOY, ROOT, check, check_compose, check_kubernetes, tool

BASE = "base"
OVERLAYS = ("overlays/unix-socket", "overlays/pod-address")
CHART = DEPLOY / "helm/kelpmq"
WITHOUT_TLS = {"tls": {"secretName": ""}, "insecure": True}
EVERYTHING = {"users": {"secretName": "kelpmq-users"}, "metrics": {"enabled": True},
              "env": {"KELPMQ_MAX_SESSIONS": "100"}, "podAnnotations": {"a": "b"},
              "imagePullSecrets": [{"name": "pull"}], "nodeSelector": {"a": "b"},
              "tolerations": [{"key": "a", "operator": "Exists"}],
              "affinity": {"nodeAffinity": {}}, "image": {"repository": "r/kelpmq", "tag": "1"}}


def kustomized(name: str, folder: pathlib.Path) -> list[dict]:
    """What `kubectl apply -k` would send, checked."""
    kubectl = tool("kubectl", "it renders deploy/kubernetes; it is not in Debian 12")
    return check_kubernetes(check(kubectl, "kustomize", DEPLOY / "kubernetes" / name), folder)


def pod_of(resources: list[dict]) -> dict:
    [deployment] = [r for r in resources if r["kind"] == "Deployment"]
    return deployment["spec"]["template"]["spec"]


def broker_of(pod: dict) -> dict:
    [container] = [c for c in pod.get("initContainers", []) + pod["containers"]
                   if c["name"] == "kelpmq"]
    return container


def assert_hardened(container: dict) -> None:
    context = container["securityContext"]
    assert context["runAsNonRoot"] and context["runAsUser"] == UID
    assert context["readOnlyRootFilesystem"] and context["capabilities"] == {"drop": ["ALL"]}
    assert context["allowPrivilegeEscalation"] is False
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["resources"]["limits"]["memory"]


def assert_serves(arguments: list[str], environment: dict[str, str], folder: pathlib.Path) -> None:
    """The broker starts with these, but for what is fixed in them: ports, and folders of the system."""
    def here(text: str) -> str:
        return re.sub(r"(127\.0\.0\.1|0\.0\.0\.0):\d+", r"\1:0",
                      text.replace("/run/kelpmq/", f"{folder}/"))

    process = subprocess.Popen(
        [broker_process.binary(), *map(here, arguments)], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
        env={**os.environ, **{name: here(value) for name, value in environment.items()}})
    try:
        line = process.stdout.readline()
        assert "ready" in line, process.stderr.read()
    finally:
        process.terminate()
        process.communicate()
    assert process.returncode == 0


def environment_of(container: dict) -> dict[str, str]:
    return {e["name"]: e["value"] for e in container.get("env", []) if "value" in e}


def test_the_dockerfile_is_linted():
    check(tool("hadolint"), DEPLOY / "Dockerfile")


def test_the_compose_file_is_valid_and_hardened(tmp_path):
    services = check_compose((DEPLOY / "compose.yaml").read_text(), tmp_path)["services"]
    broker = services["broker"]
    assert broker["read_only"] and broker["cap_drop"] == ["ALL"] and broker["mem_limit"]
    assert "ports" not in broker  # The machine and its network do not reach it.
    assert_serves(broker["command"], broker["environment"], tmp_path)


@pytest.mark.parametrize("name", [BASE, *OVERLAYS])
def test_a_kustomization_is_valid_and_hardened(name, tmp_path):
    broker = broker_of(pod_of(kustomized(name, tmp_path)))
    assert broker["restartPolicy"] == "Always", "no native sidecar"
    assert_hardened(broker)
    assert_serves(broker["args"], environment_of(broker), tmp_path)


@pytest.mark.parametrize("name, kind", [(BASE, "exec"), (OVERLAYS[0], "exec"), (OVERLAYS[1], "grpc")])
def test_probes_reach_the_address_that_the_broker_listens_on(name, kind, tmp_path):
    broker = broker_of(pod_of(kustomized(name, tmp_path)))
    on_the_pods_address = "0.0.0.0" in environment_of(broker).get("KELPMQ_LISTEN", "")
    assert on_the_pods_address == (kind == "grpc")  # The kubelet's own calls the pod's address.
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert kind in broker[probe], probe


def test_app_and_broker_agree_on_the_socket_and_its_group(tmp_path):
    pod = pod_of(kustomized("overlays/unix-socket", tmp_path))
    broker, [app] = broker_of(pod), pod["containers"]
    address = environment_of(broker)["KELPMQ_LISTEN"]
    assert environment_of(broker)["KELPMQ_ADDRESS"] == environment_of(app)["KELPMQ_ADDRESS"] == address
    assert pod["securityContext"]["fsGroup"] == UID
    mounts = {c["name"]: c["volumeMounts"][0]["mountPath"] for c in (broker, app)}
    assert set(mounts.values()) == {str(pathlib.Path(address.removeprefix("unix:")).parent)}


def rendered(values: dict) -> str:
    with manifests.helm().Chart.load(str(CHART)) as chart:
        return "\n---\n".join(text for path, text in chart.render(
            values, name="demo", namespace="apps").items() if path.endswith(".yaml"))


def test_helm_finds_no_fault_with_the_chart():
    messages = manifests.helm().lint(str(CHART))["messages"]
    assert [m for m in messages if m["severity"] >= 2] == []


@pytest.mark.parametrize("values", [{}, WITHOUT_TLS, EVERYTHING, EVERYTHING | WITHOUT_TLS])
def test_the_chart_is_valid_and_hardened(values, tmp_path):
    pod = pod_of(check_kubernetes(rendered(values), tmp_path))
    assert_hardened(broker_of(pod))
    assert pod["terminationGracePeriodSeconds"] > 20


@pytest.mark.parametrize("values, kind", [({}, "exec"), (WITHOUT_TLS, "grpc")])
def test_the_charts_probes_speak_tls_where_the_broker_does(values, kind, tmp_path):
    broker = broker_of(pod_of(check_kubernetes(rendered(values), tmp_path)))
    assert kind in broker["startupProbe"] and kind in broker["livenessProbe"]


def test_the_charts_broker_starts_without_tls(tmp_path):
    broker = broker_of(pod_of(check_kubernetes(rendered(WITHOUT_TLS), tmp_path)))
    assert_serves(broker["args"], environment_of(broker), tmp_path)


@pytest.mark.parametrize("values, says", [
    ({"tls": {"secretName": ""}}, "other pods can reach the broker"),
    ({"tlss": {}}, "additional properties"), ({"env": {"PATH": "x"}}, "PATH")])
def test_the_chart_refuses_values_that_are_wrong(values, says):
    with pytest.raises(manifests.helm().HelmError, match=says):
        rendered(values)


def test_another_chart_can_take_the_sidecar_alone(tmp_path):
    parent = tmp_path / "parent"
    shutil.copytree(CHART, parent / "charts/kelpmq")
    (parent / "templates").mkdir()
    (parent / "Chart.yaml").write_text("apiVersion: v2\nname: parent\nversion: 1.0.0\n")
    (parent / "values.yaml").write_text("kelpmq: {enabled: false}\n")
    (parent / "templates/pod.yaml").write_text(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: app}\nspec:\n  containers:\n"
        "    - {name: app, image: app}\n  initContainers:\n"
        '    {{- include "kelpmq.sidecar" (dict "image" "kelpmq:1") | nindent 4 }}\n')
    with manifests.helm().Chart.load(str(parent)) as chart:
        files = chart.render({}, name="demo", namespace="apps")
    [pod] = check_kubernetes("\n---\n".join(
        text for path, text in files.items() if path.endswith(".yaml")), tmp_path)
    [sidecar] = pod["spec"]["initContainers"]
    assert sidecar["restartPolicy"] == "Always"
    assert_hardened(sidecar)
    assert_serves(sidecar["args"], environment_of(sidecar), tmp_path)


@pytest.fixture
def unit(tmp_path) -> pathlib.Path:
    """The systemd unit, of the binary that is there: a program that is not installed is a fault."""
    path = tmp_path / "kelpmq.service"
    path.write_text((DEPLOY / "kelpmq.service").read_text().replace(
        "/usr/bin/kelpmq", str(broker_process.binary().resolve())))
    return path


def test_systemd_finds_no_fault_with_the_unit(unit):
    done = subprocess.run([tool("systemd-analyze", "apt-get install systemd"), "verify", unit],
                          capture_output=True, text=True, timeout=wire.PATIENCE, check=False)
    # It reads all units there are, and those of the machine may have faults.
    assert [line for line in done.stderr.splitlines() if "kelpmq" in line] == []


def test_the_unit_exposes_little(unit):
    check(tool("systemd-analyze", "apt-get install systemd"), "security", "--offline=true",
          "--threshold=15", unit)  # 1.5 of 10


def test_the_units_broker_starts(unit, tmp_path):
    text = unit.read_text()
    environment = dict(pair.split("=", 1) for line in re.findall(r"(?m)^Environment=(.*)", text)
                       for pair in line.split())
    [command] = re.findall(r"(?m)^ExecStart=\S+ (.*)", text)
    assert_serves(command.split(), environment, tmp_path)


def test_options_in_deploy_exist():
    """Every --option and KELPMQ_VARIABLE that a file in deploy/ gives to the program."""
    text = "".join(check(broker_process.binary(), command, "--help")
                   for command in ("serve", "status", "consume"))
    known = set(re.findall(r"--[a-z][a-z-]+|KELPMQ_[A-Z_]+", text))
    files = [DEPLOY / "compose.yaml", DEPLOY / "kelpmq.service", *CHART.rglob("*.yaml"),
             *(DEPLOY / "kubernetes").rglob("*.yaml")]
    lines = [line for path in files for line in path.read_text().splitlines()
             if not line.lstrip().startswith("#")]
    lines += re.findall(r"(?m)^ENV .*", (DEPLOY / "Dockerfile").read_text())
    used = {name for line in lines for name in re.findall(r"(?<![\w-])(?:--[a-z][a-z-]+|KELPMQ_[A-Z_]+)", line)}
    assert {"--listen", "--insecure-listen", "KELPMQ_DRAIN_TIMEOUT", "KELPMQ_LISTEN"} <= used
    assert used - known == set()


def test_the_versions_agree():
    [version] = re.findall(r"project\(kelpmq VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text())
    chart = manifests.documents((CHART / "Chart.yaml").read_text())[0]
    component = manifests.documents(
        (DEPLOY / "kubernetes/sidecar/kustomization.yaml").read_text())[0]
    assert chart["version"] == chart["appVersion"] == version
    assert component["images"] == [{"name": "kelpmq", "newTag": version}]
    assert f"ARG VERSION={version}" in (DEPLOY / "Dockerfile").read_text()
    assert f"image: kelpmq:{version}" in (DEPLOY / "compose.yaml").read_text()
