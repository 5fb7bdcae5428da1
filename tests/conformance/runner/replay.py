"""Runs one case and says how it went."""
import dataclasses

from .cases import Case
from .compare import Comparison
from .errors import NotMappable


@dataclasses.dataclass
class Result:
    case: Case
    failure: str = ""     # Empty: passed.
    unmappable: str = ""  # The rule for which the API has nothing; then there is no failure.


def replay(case: Case, adapter) -> Result:
    """`adapter` carries out ops (Adapter.run); the first difference ends the case."""
    comparison = Comparison(case)
    for index, (op, expected) in enumerate(zip(case.ops, case.observed, strict=True)):
        try:
            actual = adapter.run(op)
        except NotMappable as error:
            return Result(case, unmappable=error.rule)
        except Exception as error:  # One broken case must not hide the others.
            return Result(case, f"op {index} {op['op']}: {type(error).__name__}: {error}")
        if difference := comparison.difference(expected, actual):
            return Result(case, f"op {index} {op['op']}{difference}\n"
                                f"    op       {op}\n    expected {expected}\n    got      {actual}")
    return Result(case)
