"""Guards one function, lets a case call it, and tells what came of it and whether the body ran.

Exit code 1: it was refused; 0: the body ran, or nothing was refused.
"""

from __future__ import annotations

import argparse
import importlib.util
import os

import counterseal as cs

ran: list[object] = []


def issue_refund(order_id: str, amount: float = 10.0, note: object = "") -> str:
    ran.append(order_id)
    return "refunded"


def plain(tool):
    return tool("ord_1")


def attempt_of(path):
    if path is None:
        return plain
    spec = importlib.util.spec_from_file_location("case", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.attempt


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--policy", required=True)
    parser.add_argument("--case")
    given = parser.parse_args()
    attempt = attempt_of(given.case)
    refused = True
    try:
        cs.configure(policy=given.policy, home=os.environ["COUNTERSEAL_HOME"])
        outcome = attempt(cs.guard(issue_refund))
        if isinstance(outcome, cs.Decision) and outcome.decision != "allow":
            print(f"decision {outcome.decision}: {outcome.reason_code}: {outcome.detail or outcome.reason}")
        else:
            print(f"not refused: {outcome!r}")
            refused = False
    except cs.CountersealError as error:
        print(f"{type(error).__name__} {error.code}: {error}")
        if isinstance(error, cs.PolicyDenied):
            print(f"what to do: {error.remediation}")
    print(f"the body {'ran' if ran else 'did not run'}")
    return 1 if refused and not ran else 0


if __name__ == "__main__":
    raise SystemExit(main())
