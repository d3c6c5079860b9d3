"""Makes the attempts of a case and tells what each is refused with. Exit code 1: all of them were; 0: one was not."""

from __future__ import annotations

import importlib.util
import os
import sys

import counterseal as cs


def main() -> int:
    spec = importlib.util.spec_from_file_location("case", sys.argv[1])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    refused = True
    for what, attempt in module.attempts(os.environ["COUNTERSEAL_HOME"]):
        try:
            attempt()
        except (cs.CountersealError, TypeError) as error:
            code = getattr(error, "code", "")
            print(f"{what}\n  {type(error).__name__} {code}: {error}".replace(" : ", ": "))
        else:
            print(f"{what}\n  not refused")
            refused = False
    return 1 if refused else 0


if __name__ == "__main__":
    raise SystemExit(main())
