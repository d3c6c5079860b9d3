"""Cases of a policy that is not there"""

COMMANDS = [
    ["policy", "test"],
    ["policy", "test", "missing.yaml"],
    ["policy", "test", "."],
    ["policy", "test", "-"],
    ["policy", "test", "--home", "home", "policy.yaml"],
]
