"""The completion scripts, run by the shells they are for."""
import shutil
import subprocess

import pytest


def needs(shell: str):
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"{shell} is not installed")


def complete_in_bash(kelpmq, *words: str) -> list[str]:
    """What bash offers for the last of `words`."""
    script = kelpmq("completion", "bash").out + """
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _kelpmq
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    done = subprocess.run(["bash", "-c", script, "bash", "kelpmq", *words], capture_output=True, text=True, timeout=60,
                          check=True)
    assert done.stderr == ""
    return done.stdout.split()


@needs("bash")
def test_bash_completes_commands_options_and_values(kelpmq):
    assert complete_in_bash(kelpmq, "pu") == ["publish", "purge"]
    assert complete_in_bash(kelpmq, "declare", "") [:2] == ["exchange", "queue"]
    assert complete_in_bash(kelpmq, "declare", "queue", "jobs", "--max-l") == ["--max-length", "--max-length-bytes"]
    assert complete_in_bash(kelpmq, "get", "jobs", "--color", "a") == ["auto", "always"]
    assert complete_in_bash(kelpmq, "declare", "exchange", "e", "--type", "t") == ["topic"]
    assert "x-delayed-message" in complete_in_bash(kelpmq, "declare", "exchange", "e", "--type", "x-")
    assert complete_in_bash(kelpmq, "publish", "--del") == ["--deliver-in"]
    assert complete_in_bash(kelpmq, "publish", "--exchange", "") == []
    assert "--listen" in complete_in_bash(kelpmq, "serve", "--l")


@needs("bash")
def test_bash_completes_files(kelpmq, tmp_path):
    (tmp_path / "messages.jsonl").touch()
    assert complete_in_bash(kelpmq, "publish", "--jsonl", f"{tmp_path}/mess") == [f"{tmp_path}/messages.jsonl"]


@needs("zsh")
def test_zsh_script_loads(kelpmq):
    script = "autoload -U compinit && compinit -D -u\n" + kelpmq("completion", "zsh").out + "\nprint $_comps[kelpmq]"
    done = subprocess.run(["zsh", "-f", "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("_kelpmq\n", "")


@needs("fish")
def test_fish_completes_commands_and_options(kelpmq):
    def complete(line):
        script = kelpmq("completion", "fish").out + f"\ncomplete -C'{line}'"
        done = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True, text=True, timeout=60, check=True)
        assert done.stderr == ""
        return [offer.split("\t")[0] for offer in done.stdout.splitlines()]

    assert complete("kelpmq pu") == ["publish", "purge"]
    assert sorted(complete("kelpmq declare ")) == ["exchange", "queue"]
    assert complete("kelpmq declare queue jobs --max-p") == ["--max-priority"]
    assert complete("kelpmq get jobs --color al") == ["always"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_know_every_command(kelpmq, shell):
    script = kelpmq("completion", shell).out
    for command in ("serve", "declare", "bind", "unbind", "publish", "get", "consume", "purge", "delete", "list", "policy", "vhost",
                    "status", "healthcheck", "advance-clock", "completion"):
        assert command in script
