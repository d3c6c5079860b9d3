"""the keys are a link to another directory"""

COMMAND = ["init"]


def prepare(home):
    home.mkdir(mode=0o700)
    home.parent.joinpath("elsewhere").mkdir(mode=0o700)
    (home / "keys").symlink_to(home.parent / "elsewhere")
