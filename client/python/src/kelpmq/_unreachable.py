"""Why a broker cannot be reached, in words for people; gRPC has them for those who know gRPC."""
from __future__ import annotations

import re

_FAILED = re.compile(
    r"failed to connect to all addresses; last error: \w+: (?:ipv[46]:)?(\S+): (.*)", re.DOTALL)
_HANGS_UP = ("what listens there hangs up; it may want TLS, or another certificate of the client, "
             "or speak no gRPC")
_WHYS = {
    "Connection refused": "nothing listens there",
    "No such file or directory": "there is no such socket",
    "Failed parsing HTTP/2": "what listens there does not speak gRPC, or wants TLS",
    "Connection reset by peer": _HANGS_UP,
    "Socket closed": _HANGS_UP,
    "WRONG_VERSION_NUMBER": "what listens there does not speak TLS",
    "certificate has expired": "its certificate has expired",
    "CERTIFICATE_VERIFY_FAILED": "its certificate is of no authority that is trusted here",
    "Hostname Verification Check failed": "its certificate is for another name",
    "Failed to create security handshaker": "the certificates given here cannot be used",
}


def explain(details: str) -> str:
    """gRPC's text about a connection that could not be made, as we say it; any other as it is."""
    found = _FAILED.fullmatch(details)
    if not found:
        return details
    where, why = found.groups()
    hint = next((hint for sign, hint in _WHYS.items() if sign in why), "")
    return f"no broker answers at {where}: {hint or why}"
