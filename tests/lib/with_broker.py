"""Starts a broker ($KELPMQ_BINARY), runs a command with its address added, and stops it.

Exit code: the command's, or 1 if the broker did not stop well.
"""
import subprocess
import sys

import broker

with broker.running() as running:
    code = subprocess.run([*sys.argv[1:], running.address], check=False).returncode
sys.exit(code)
