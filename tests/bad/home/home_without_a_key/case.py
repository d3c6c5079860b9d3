"""home.json holds no first key"""

import json

COMMAND = ["init"]


def prepare(home):
    home.mkdir(mode=0o700)
    made = {"v": 1, "home": "0" * 32, "origin": "counterseal/" + "0" * 32, "first_key": "x"}
    (home / "home.json").write_text(json.dumps({**made}) + "\n")
