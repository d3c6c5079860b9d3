"""What is measured: every figure beside its target, the peers and the limits of the machine. `python -m bench`."""
