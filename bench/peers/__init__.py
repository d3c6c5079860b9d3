"""The products beside which a guarded call is timed, in one process."""
