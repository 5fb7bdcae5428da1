"""The benchmarks tell what they do before anything is installed for them."""
import pathlib
import subprocess
import sys

BENCH = pathlib.Path(__file__).resolve().parents[1] / "bench"


def test_the_load_of_kombu_explains_itself_without_a_wheel():
    # -I: without the stubs that other tests put on the path by the wheel's name.
    shown = subprocess.run([sys.executable, "-I", "-B", str(BENCH / "kombu" / "load"), "--help"],
                           capture_output=True, text=True, timeout=60, check=False)
    assert shown.returncode == 0, shown.stderr
    assert "--check" in shown.stdout
