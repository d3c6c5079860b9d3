"""the starter policy has no directory to go to"""

COMMAND = ["init", "--policy", "missing/counterseal.yaml"]
GUARDS = False


def prepare(home):
    home.mkdir(mode=0o700)
