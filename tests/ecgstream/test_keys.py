"""``ecgstream keys`` as a user types it."""

import json
from pathlib import Path

from tests.ecgstream.command import ecgstream


def test_a_key_from_new_to_revoked(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    made = ecgstream("keys", "new", "patch7", "--bed", "bed 7", "--bed", "bed8", "--keys", folder)
    assert (made.returncode, made.stderr) == (0, "")
    path, advice = made.stdout.splitlines()
    assert json.loads(Path(path).read_text())["name"] == "patch7"
    assert advice.endswith("it may send: bed 7, bed8")

    listed = ecgstream("keys", "list", "--keys", folder).stdout.splitlines()
    assert listed[0].split() == ["NAME", "BEDS", "SINCE", "FINGERPRINT"]
    assert listed[1].startswith("patch7  bed 7, bed8  2")

    again = ecgstream("keys", "new", "patch7", "--keys", folder)
    assert (again.returncode, again.stdout) == (2, "")
    assert again.stderr.startswith("ecgstream: there is a key patch7 already")

    revoked = ecgstream("keys", "revoke", "patch7", "--keys", folder)
    assert revoked.stdout == "patch7 is let in no more; its file stays where it was carried, and is of no use\n"
    listed = ecgstream("keys", "list", "--keys", folder).stdout.splitlines()
    assert listed == [f"no keys in {folder}; make one: ecgstream keys new NAME"]


def test_the_folder_may_be_said_once_for_all(tmp_path: Path) -> None:
    made = ecgstream("keys", "new", "patch7", env={"PATH": "/usr/bin:/bin", "ECGSTREAM_KEYS": str(tmp_path / "keys")})
    assert made.stdout.splitlines()[0] == str(tmp_path / "keys" / "patch7.key_secret")
    assert made.stdout.endswith("it may send: patch7\n")
    home = ecgstream("keys", "list", env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)})
    assert (home.returncode, home.stdout) == (2, "")
    assert str(tmp_path / ".config" / "ecgstream" / "keys" / "allowed") in home.stderr
