"""Prints 'PASSED FAILED SKIPPED' of a JUnit report, and a line on stderr for each failure."""
import sys
import xml.etree.ElementTree as ElementTree

passed = failed = skipped = 0
for case in ElementTree.parse(sys.argv[1]).getroot().iter("testcase"):
    name = " ".join(filter(None, (case.get("classname"), case.get("name"))))
    # CTest marks by status, pytest by the elements inside.
    if case.find("failure") is not None or case.find("error") is not None or (
            case.get("status") == "fail"):
        failed += 1
        print(f"    FAILED {name}", file=sys.stderr)
    elif case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
        skipped += 1
    else:
        passed += 1
print(passed, failed, skipped)
