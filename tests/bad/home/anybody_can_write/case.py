"""anybody can write into the home"""

COMMAND = ["init"]


def prepare(home):
    home.mkdir(mode=0o700)
    home.chmod(0o707)
