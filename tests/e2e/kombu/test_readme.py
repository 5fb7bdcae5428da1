"""The example for Celery in README.md runs as it stands."""
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
EXAMPLE = re.compile(r"<!-- test: celery -->\n```python\n(.*?)```", re.DOTALL)


def test_celery_in_one_minute(tmp_path):
    [script] = EXAMPLE.findall((ROOT / "README.md").read_text())
    (tmp_path / "tasks.py").write_text(script)
    scripts = pathlib.Path(sys.executable).parent  # There is the command `celery`.
    environment = {key: value for key, value in os.environ.items() if key != "KELPMQ_KOMBU_ROOT"}
    done = subprocess.run(
        [sys.executable, "tasks.py"], cwd=tmp_path, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, timeout=60,
        env={**environment, "PATH": f"{scripts}:{os.environ['PATH']}"})
    assert done.returncode == 0
    assert "5" in done.stdout.splitlines()
