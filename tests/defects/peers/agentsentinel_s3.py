"""What an empty allowlist allows in agentsentinel-sdk: its own, and that of two merged policies.

Prints one line of what was observed; exits 0 while the defect is there, 1 when it is gone.
Needs the packages of requirements-peers.txt; talks only to a stub of its platform on 127.0.0.1.
"""

# The peer is untyped, and is not there where this project's types are checked.
# mypy: disable-error-code="import-not-found,no-untyped-call,untyped-decorator"

import json
import logging
import os
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from typing import Any

from agent_sentinel import PolicyEngine, guarded_action
from agent_sentinel.errors import AgentSentinelError

POLICIES = [
    {"name": "organisation", "allowed_actions": ["search_docs"]},
    {"name": "agent", "allowed_actions": ["send_email"]},
]


class Stub(BaseHTTPRequestHandler):
    """The platform: serves two policies whose allowlists have nothing in common."""

    def do_GET(self) -> None:
        text = json.dumps({"policies": POLICIES, "conflicts": []}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def main() -> int:
    home = tempfile.TemporaryDirectory()
    os.environ["AGENT_SENTINEL_HOME"] = home.name
    os.environ["NO_PROXY"] = "127.0.0.1"
    logging.disable(logging.CRITICAL)

    @guarded_action(name="wipe", impact="high")
    def wipe(target: str) -> str:
        return "ran"

    def outcome() -> str:
        try:
            return str(wipe(target="ALL"))
        except AgentSentinelError as refusal:
            return f"refused ({type(refusal).__name__})"

    PolicyEngine.configure(allowed_actions=[])
    empty = outcome()
    PolicyEngine.configure(allowed_actions=["search_docs"])
    one = outcome()

    server = HTTPServer(("127.0.0.1", 0), Stub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    PolicyEngine.reset()
    PolicyEngine.enable_remote_sync(f"http://127.0.0.1:{server.server_address[1]}", "token")
    config = PolicyEngine.get_config()
    merged = config.allowed_actions if config else None
    disjoint = outcome()
    PolicyEngine.stop_remote_sync()
    print(
        f"agentsentinel-sdk {version('agentsentinel-sdk')}: wipe(target='ALL') {one} with "
        f"allowed_actions=['search_docs'], but {empty} with allowed_actions=[] and {disjoint} "
        f"with two policies that allow different tools (merged to {merged})"
    )
    return 0 if empty == disjoint == "ran" else 1


if __name__ == "__main__":
    sys.exit(main())
