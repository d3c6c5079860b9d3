"""A policy or a ledger that cannot be read"""

COMMANDS = [
    ["policy", "backtest"],
    ["policy", "backtest", "missing.yaml"],
    ["policy", "backtest", "policy.yaml"],
    ["policy", "backtest", "policy.yaml", "--home", "policy.yaml"],
    ["policy", "backtest", "policy.yaml", "--home", "~/agent"],
    ["policy", "backtest", "bad.yaml"],
    ["policy", "backtest", "policy.yaml", "--home", "elsewhere", "--json"],
]


def prepare(directory):
    (directory / "policy.yaml").write_text("version: 1\nname: p\n")
    (directory / "bad.yaml").write_text("version: 1\nbudgets: [{id: a, usd: 0}]\n")
