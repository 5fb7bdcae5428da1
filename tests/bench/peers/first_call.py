"""How long a fresh broker takes to its first answer: the smallest HTTP/2 client that can ask."""
import socket
import struct
import subprocess
import time

from . import kelpmq, process

_PATH = b"/kelpmq.v1.MessagingService/GetServerInfo"
_SECONDS = 10


def _text(value: bytes) -> bytes:
    return bytes([len(value)]) + value  # an HPACK string below 127 bytes, not compressed


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def _request() -> bytes:
    # :method POST and :scheme http are indexed; the rest are literals.
    headers = (b"\x83\x86\x04" + _text(_PATH) + b"\x01" + _text(b"localhost")
               + b"\x00" + _text(b"content-type") + _text(b"application/grpc")
               + b"\x00" + _text(b"te") + _text(b"trailers"))
    return (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(4, 0, 0, b"")  # SETTINGS
            + _frame(1, 4, 1, headers)           # HEADERS, complete
            + _frame(0, 1, 1, b"\0" * 5))        # DATA: an empty message, and the end


def _answered(connection: socket.socket) -> bool:
    """Waits for a DATA frame."""
    data = b""
    while chunk := connection.recv(65536):
        data += chunk
        while len(data) >= 9 and len(data) >= (size := 9 + int.from_bytes(data[:3], "big")):
            if data[3] == 0:
                return True
            data = data[size:]
    return False


def measure() -> tuple[float, int]:
    """Milliseconds from exec to the first answer, and the resident bytes a second later."""
    port = process.free_port()
    request = _request()
    began = time.monotonic()
    broker = subprocess.Popen([str(kelpmq.BROKER), "serve", "--listen", f"127.0.0.1:{port}"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while time.monotonic() - began < _SECONDS:
            with socket.socket() as connection:
                connection.settimeout(_SECONDS)
                if connection.connect_ex(("127.0.0.1", port)) != 0:
                    continue
                connection.sendall(request)
                if _answered(connection):
                    taken = (time.monotonic() - began) * 1000
                    time.sleep(1)
                    return taken, process.rss_bytes(broker.pid)
        raise process.Unavailable("the broker does not answer")
    finally:
        broker.terminate()
        broker.wait()
