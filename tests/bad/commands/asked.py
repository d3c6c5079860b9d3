"""Asks people about one call in the home and dies while they are asked, so that the question stays open."""

from __future__ import annotations

import json
import os
import sys
import threading

import counterseal as cs

home, policy = sys.argv[1], json.loads(sys.argv[2])
cs.configure(policy=policy, home=home, approver="home")
refund = cs.guard_tool("refund", lambda amount: amount)


def ask() -> None:
    with cs.session("conv"):
        refund(400.0)


threading.Thread(target=ask, daemon=True).start()
approvals = os.path.join(home, "approvals")
while not os.path.isdir(approvals) or not any(name.endswith(".json") for name in os.listdir(approvals)):
    pass
cs.flush()
print(next(name for name in os.listdir(approvals) if name.endswith(".json")).removesuffix(".json"), flush=True)
os._exit(0)
