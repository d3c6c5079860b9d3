"""What ardenpy takes for the arguments of `**labels`, positional-only and unbound-method calls.

Prints one line of what was observed; exits 0 while the defect is there, 1 when it is gone.
Needs the packages of requirements-peers.txt; talks only to a stub of its service on 127.0.0.1.
"""

# The peer is untyped, and is not there where this project's types are checked.
# mypy: disable-error-code="import-not-found,import-untyped"

import json
import logging
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from typing import Any

import ardenpy

SEEN: dict[str, Any] = {}


class Stub(BaseHTTPRequestHandler):
    """The policy service: allows every call and keeps the arguments it was shown."""

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        SEEN[request["tool_name"]] = request["kwargs"]
        text = b'{"decision": "allow"}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Account:
    def __init__(self, pin: str) -> None:
        self.pin = pin

    def close(self, reason: str) -> str:
        return reason


def label(item: str, /, **labels: str) -> str:
    return item


def main() -> int:
    os.environ["NO_PROXY"] = "127.0.0.1"
    logging.disable(logging.CRITICAL)
    server = HTTPServer(("127.0.0.1", 0), Stub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    ardenpy.configure(api_key="test_stub", api_url=f"http://127.0.0.1:{server.server_address[1]}")
    ardenpy.guard_tool("label", label)("lamp", colour="red")
    ardenpy.guard_tool("close", Account.close)(Account("pin-9431"), "fraud")
    print(
        f"ardenpy {version('ardenpy')}: label('lamp', colour='red') was sent as "
        f"{json.dumps(SEEN['label'])}; Account.close(account, 'fraud') was sent as "
        f"{json.dumps(SEEN['close'])}"
    )
    nested = "colour" not in SEEN["label"]
    leaked = "pin-9431" in json.dumps(SEEN["close"])
    return 0 if nested and leaked else 1


if __name__ == "__main__":
    sys.exit(main())
