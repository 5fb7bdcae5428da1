"""run_program.py PROGRAM BEFORE AFTER: runs a program as it stands, with the names that the code
BEFORE makes, then the code AFTER with all that the program has made."""
import runpy
import sys

program, before, after = sys.argv[1:]
given: dict[str, object] = {}
exec(before, given)
names = {name: value for name, value in given.items() if name != "__builtins__"}
exec(after, runpy.run_path(program, init_globals=names))
