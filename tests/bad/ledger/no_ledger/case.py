"""there is no ledger"""

import shutil

COMMAND = ["ledger", "verify"]


def damage(home):
    shutil.rmtree(home)
    home.mkdir(mode=0o700)
