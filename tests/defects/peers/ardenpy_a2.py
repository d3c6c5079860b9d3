"""What ardenpy does with an `async def` tool: does the event loop stand still while it decides?

Prints one line of what was observed; exits 0 while the defect is there, 1 when it is gone.
Needs the packages of requirements-peers.txt; talks only to a stub of its service on 127.0.0.1.
"""

# The peer is untyped, and is not there where this project's types are checked.
# mypy: disable-error-code="import-not-found,import-untyped"

import asyncio
import inspect
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from typing import Any

import ardenpy

CHECK_SECONDS = 0.5
APPROVAL_SECONDS = 0.8
STUCK_SECONDS = 0.3


class Stub(BaseHTTPRequestHandler):
    """The policy service: allows `quick` after a delay, asks a person for everything else."""

    asked_at = 0.0

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if request["tool_name"] == "quick":
            time.sleep(CHECK_SECONDS)
            self._answer({"decision": "allow"})
        else:
            Stub.asked_at = time.monotonic()
            self._answer({"decision": "requires_approval", "action_id": "a-1"})

    def do_GET(self) -> None:
        waited = time.monotonic() - Stub.asked_at
        status = "approved" if waited >= APPROVAL_SECONDS else "pending"
        self._answer({"action_id": "a-1", "status": status, "created_at": "2026-01-01T00:00:00Z"})

    def _answer(self, body: dict[str, Any]) -> None:
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        pass


async def longest_gap(call: Callable[[str], Awaitable[str]]) -> float:
    """The longest time the event loop did nothing else while `call` ran."""
    gaps = [0.0]
    done = asyncio.Event()

    async def tick() -> None:
        last = time.monotonic()
        while not done.is_set():
            await asyncio.sleep(0.005)
            now = time.monotonic()
            gaps.append(now - last)
            last = now

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0.05)
    await call("x")
    # One more turn, so that a gap which ended with the call is counted.
    await asyncio.sleep(0.02)
    done.set()
    await ticking
    return max(gaps)


def main() -> int:
    os.environ["NO_PROXY"] = "127.0.0.1"
    logging.disable(logging.CRITICAL)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Stub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    ardenpy.configure(
        api_key="test_stub",
        api_url=f"http://127.0.0.1:{server.server_address[1]}",
        poll_interval=0.1,
    )

    async def tool(text: str) -> str:
        return text

    quick = ardenpy.guard_tool("quick", tool)
    asked = ardenpy.guard_tool("asked", tool)
    is_async = inspect.iscoroutinefunction(quick)
    check = asyncio.run(longest_gap(quick))
    approval = asyncio.run(longest_gap(asked))
    print(
        f"ardenpy {version('ardenpy')}: a guarded `async def` has "
        f"iscoroutinefunction()={is_async}; "
        f"the event loop stood still for {check:.2f} s of a {CHECK_SECONDS} s policy check "
        f"and for {approval:.2f} s of a {APPROVAL_SECONDS} s approval"
    )
    return 0 if check > STUCK_SECONDS and approval > STUCK_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
