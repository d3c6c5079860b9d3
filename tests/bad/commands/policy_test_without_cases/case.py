"""A policy whose cases cannot be found or read"""

COMMANDS = [
    ["policy", "test", "policy.yaml"],
    ["policy", "test", "policy.yaml", "missing.yaml"],
    ["policy", "test", "policy.yaml", "."],
    ["policy", "test", "policy.yaml", "empty.yaml"],
    ["policy", "test", "policy.yaml", "garbage.yaml"],
    ["policy", "test", "policy.yaml", "torn.yaml"],
    ["policy", "test", "policy.yaml", "list.yaml"],
    ["policy", "test", "policy.yaml", "large.yaml"],
    ["policy", "test", "--json", "policy.yaml", "missing.yaml"],
]


def prepare(directory):
    (directory / "policy.yaml").write_text("version: 1\nname: p\n")
    (directory / "empty.yaml").write_text("")
    (directory / "garbage.yaml").write_bytes(bytes(range(128, 256)))
    (directory / "torn.yaml").write_text("version: 1\ncases: [\n")
    (directory / "list.yaml").write_text("- version: 1\n")
    (directory / "large.yaml").write_text("a" * 9_000_000)
