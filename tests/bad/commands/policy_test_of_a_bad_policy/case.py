"""A policy with problems has no cases"""

COMMANDS = [
    ["policy", "test", "policy.yaml"],
    ["policy", "test", "policy.yaml", "--json"],
]


def prepare(directory):
    (directory / "policy.yaml").write_text("version: 1\nrate_limit: []\n")
