"""Keys: made once, read by their owner alone, and let in as long as the list says."""

import json
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq

from engine.errors import UsageError
from stream import keys as module
from stream.address import ZmqAddress
from stream.keys import Access, Gate, client_key, default_folder, listed, new_key, revoke, server_pair

posix = pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX's")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def wait_for(what: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@posix
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_secrets_are_their_owners_alone(folder: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        secret = new_key(folder, "patch7", ())
    finally:
        os.umask(before)
    assert secret == folder / "patch7.key_secret"
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, secret, folder / "server.key_secret")] == [
        0o700,
        0o600,
        0o600,
    ]
    assert sorted(path.name for path in folder.iterdir()) == ["allowed", "patch7.key_secret", "server.key_secret"]
    assert not (folder / "allowed" / "patch7.key").stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    assert [key.name for key in listed(folder)] == ["patch7"]


def test_a_key_is_carried_whole_and_only_its_public_half_stays_on_the_list(folder: Path) -> None:
    client = client_key(new_key(folder, "patch7", ("bed 7", "bed8")))
    assert client.server == server_pair(folder).public
    assert zmq.curve_public(client.secret.encode()).decode() == client.public
    assert (client.name, client.beds) == ("patch7", ("bed 7", "bed8"))
    (key,) = listed(folder)
    assert (key.name, key.public, key.beds) == ("patch7", client.public, ("bed 7", "bed8"))
    assert client.secret not in (folder / "allowed" / "patch7.key").read_text()


def test_a_key_may_send_its_beds_and_if_none_is_named_its_own(folder: Path) -> None:
    for name, beds in (("patch7", ()), ("gateway", ("a", "b")), ("ward", ("*",))):
        new_key(folder, name, beds)
    may = {key.name: [bed for bed in ("patch7", "a", "b", "c", "*") if key.may_send(bed)] for key in listed(folder)}
    assert may == {"patch7": ["patch7"], "gateway": ["a", "b"], "ward": ["patch7", "a", "b", "c", "*"]}


def test_nothing_is_ever_replaced(folder: Path) -> None:
    secret = new_key(folder, "patch7", ())
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(UsageError, match="there is a key patch7 already"):
        new_key(folder, "patch7", ())
    with pytest.raises(UsageError, match="is there already"):
        new_key(folder, "server", ())
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    revoke(folder, "patch7")
    with pytest.raises(UsageError, match="is there already; choose another name, or remove it"):
        new_key(folder, "patch7", ())
    secret.unlink()
    assert client_key(new_key(folder, "patch7", ())).secret.encode() not in before[secret]


def test_many_at_once_make_one_server(folder: Path) -> None:
    barrier = threading.Barrier(6)

    def make(number: int) -> None:
        barrier.wait()
        new_key(folder, f"patch{number}", ())

    threads = [threading.Thread(target=make, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(listed(folder)) == 6
    assert len({client_key(path).server for path in folder.glob("patch*.key_secret")}) == 1
    assert not [path for path in folder.rglob("*") if path.name.endswith(".part")]


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a b", "a\n", "-x", "x" * 65, "ü"])
def test_a_name_is_no_path(folder: Path, name: str) -> None:
    for do in (lambda: new_key(folder, name, ()), lambda: revoke(folder, name)):
        with pytest.raises(UsageError, match="names no key"):
            do()
    assert not folder.exists()


@pytest.mark.parametrize("bed", ["", "a\nb", "x" * 65])
def test_a_bed_has_a_name(folder: Path, bed: str) -> None:
    with pytest.raises(UsageError, match="a bed's name has"):
        new_key(folder, "patch7", (bed,))
    assert not folder.exists()


def test_revoking_is_of_what_there_is(folder: Path) -> None:
    with pytest.raises(UsageError, match="there is no key patch7 in"):
        revoke(folder, "patch7")
    secret = new_key(folder, "patch7", ())
    new_key(folder, "patch8", ())
    revoke(folder, "patch7")
    assert [key.name for key in listed(folder)] == ["patch8"]
    assert secret.exists()


def test_what_is_garbled_can_be_revoked(folder: Path) -> None:
    new_key(folder, "patch7", ())
    (folder / "allowed" / "patch7.key").write_text("{")
    revoke(folder, "patch7")
    assert listed(folder) == []


@posix
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_secret_that_others_can_read_is_refused(folder: Path, mode: int) -> None:
    secret = new_key(folder, "patch7", ())
    files: list[tuple[Path, Callable[[], object]]] = [
        (secret, lambda: client_key(secret)),
        (folder / "server.key_secret", lambda: server_pair(folder)),
    ]
    for path, use in files:
        path.chmod(mode)
        with pytest.raises(UsageError, match=f"others can read the secret in {path}; type: chmod 600 {path}"):
            use()
        path.chmod(0o600)
        use()


@posix
@pytest.mark.parametrize("which", [".", "allowed", "allowed/patch7.key"])
def test_a_list_that_others_can_write_is_none(folder: Path, which: str) -> None:
    new_key(folder, "patch7", ())
    (folder / which).chmod(0o722)
    with pytest.raises(UsageError, match=r"others can write .* type: chmod go-w"):
        listed(folder)


GARBLED = [
    b"",
    b"{",
    b"[]",
    b"\xff\xfe",
    b"{}",
    b'{"public": 1, "secret": "x", "name": "n", "server": "s", "beds": [], "since": ""}',
    b'{"public": "short", "secret": "short", "name": "n", "server": "s", "beds": [], "since": ""}',
    b"[" * 100_000,
    b" " * 100_000,
]


@pytest.mark.parametrize("content", GARBLED, ids=range(len(GARBLED)))
def test_files_that_are_no_keys_are_one_line(folder: Path, content: bytes) -> None:
    secret = new_key(folder, "patch7", ())
    files: list[tuple[Path, Callable[[], object]]] = [
        (secret, lambda: client_key(secret)),
        (folder / "server.key_secret", lambda: server_pair(folder)),
        (folder / "allowed" / "patch7.key", lambda: listed(folder)),
    ]
    for path, use in files:
        path.write_bytes(content)
        with pytest.raises(UsageError, match=f"{path.name} is (no key file|damaged)") as caught:
            use()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("field", ["public", "secret", "server"])
@pytest.mark.parametrize("change", ["another", "ü" * 20, "%" * 40, "\x00" * 40])
def test_a_damaged_key_is_seen(folder: Path, field: str, change: str) -> None:
    secret = new_key(folder, "patch7", ())
    words = json.loads(secret.read_text())
    words[field] = zmq.curve_keypair()[0].decode() if change == "another" else change
    secret.write_text(json.dumps(words))
    if (field, change) == ("server", "another"):
        assert client_key(secret).server == words["server"]
        return
    with pytest.raises(UsageError, match="is damaged"):
        client_key(secret)


def test_one_key_under_two_names_is_refused(folder: Path) -> None:
    new_key(folder, "patch7", ())
    (folder / "allowed" / "copy.key").write_bytes((folder / "allowed" / "patch7.key").read_bytes())
    with pytest.raises(UsageError, match=r"copy and patch7 .* are one key"):
        listed(folder)


def test_without_keys_it_says_what_to_type(folder: Path) -> None:
    for use in (lambda: listed(folder), lambda: server_pair(folder)):
        with pytest.raises(UsageError, match=f"ecgstream keys new NAME --keys {folder}"):
            use()
    with pytest.raises(UsageError, match=r"cannot read the key .*nowhere"):
        client_key(folder / "nowhere")
    (folder.parent / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write keys"):
        new_key(folder.parent / "file", "patch7", ())


def test_where_keys_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("ECGSTREAM_KEYS", raising=False)
    assert default_folder() == tmp_path / ".config" / "ecgstream" / "keys"
    monkeypatch.setenv("XDG_CONFIG_HOME", "/elsewhere")
    assert default_folder() == Path("/elsewhere/ecgstream/keys")
    monkeypatch.setenv("ECGSTREAM_KEYS", "/here")
    assert default_folder() == Path("/here")


@pytest.mark.parametrize(
    ("endpoint", "access", "allowed"),
    [
        ("tcp://127.0.0.1:1", Access(), True),
        ("ipc:///tmp/x", Access(), True),
        ("tcp://0.0.0.0:1", Access(), False),
        ("tcp://*:1", Access(), False),
        ("tcp://10.0.0.1:1", Access(key=Path("a key of another server")), False),
        ("tcp://0.0.0.0:1", Access(insecure=True), True),
        ("tcp://0.0.0.0:1", Access(keys=Path("keys")), True),
    ],
)
def test_beyond_this_machine_nothing_is_bound_without_keys(endpoint: str, access: Access, allowed: bool) -> None:
    if allowed:
        access.check_bind(ZmqAddress(endpoint))
        return
    with pytest.raises(UsageError, match=r"ecgstream keys new NAME, then add --keys .*, or write --insecure"):
        access.check_bind(ZmqAddress(endpoint))


@pytest.fixture
def context() -> Iterator["zmq.Context[zmq.Socket[bytes]]"]:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    yield context
    context.destroy(0)


class Asker:
    """Asks a gate as libzmq does."""

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]") -> None:
        self.socket = context.socket(zmq.REQ)
        self.socket.linger = 0
        self.socket.rcvtimeo = 20_000
        self.socket.connect(module.ZAP_ENDPOINT)

    def ask(self, *question: bytes) -> list[bytes]:
        self.socket.send_multipart(question)
        return self.socket.recv_multipart()

    def ask_for(self, secret: Path, mechanism: bytes = b"CURVE", domain: bytes = b"ecgstream") -> tuple[bytes, bytes]:
        public = zmq.utils.z85.decode(client_key(secret).public)
        answer = self.ask(b"1.0", b"42", domain, b"127.0.0.1", b"", mechanism, public)
        assert answer[:2] == [b"1.0", b"42"]
        return answer[2], answer[4]


@pytest.fixture
def asker(context: "zmq.Context[zmq.Socket[bytes]]") -> Iterator[Asker]:
    asker = Asker(context)
    yield asker
    asker.socket.close()


def test_the_gate_lets_in_who_is_listed_now(
    folder: Path, context: "zmq.Context[zmq.Socket[bytes]]", asker: Asker, tmp_path: Path
) -> None:
    known, other = new_key(folder, "patch7", ("bed7",)), new_key(tmp_path / "elsewhere", "other", ())
    gate = Gate(context, folder)
    user = client_key(known).public
    assert asker.ask_for(known) == (b"200", user.encode())
    assert asker.ask_for(other) == (b"400", b"")
    assert asker.ask_for(known, mechanism=b"NULL") == (b"400", b"")
    assert asker.ask_for(known, mechanism=b"PLAIN") == (b"400", b"")
    assert asker.ask_for(known, domain=b"") == (b"400", b"")
    for malformed in ([b""], [b"1.0", b"1"], [b"2.0"] * 7, [b"1.0", b"1", b"ecgstream", b"", b"", b"CURVE", b"short"]):
        assert asker.ask(*malformed)[2] == b"400"
    assert gate.refused == 8
    assert gate.why_not(user, "bed7") == ""
    assert gate.why_not(user, "bed8") == "the key patch7 is not for bed bed8"
    assert gate.why_not("", "bed7") == "its key is not listed any more"

    added = new_key(folder, "patch8", ())  # asked for at once
    assert asker.ask_for(added)[0] == b"200"
    revoke(folder, "patch7")
    assert asker.ask_for(known)[0] == b"400"
    assert gate.gone == 1
    gate.close()


def test_the_gate_looks_by_itself(
    folder: Path, context: "zmq.Context[zmq.Socket[bytes]]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOKS_S", 0.0)
    user = client_key(new_key(folder, "patch7", ())).public
    gate = Gate(context, folder)
    revoke(folder, "patch7")
    wait_for(lambda: gate.gone)
    assert gate.why_not(user, "patch7") == "its key is not listed any more"
    assert gate.problem == ""
    gate.close()


def garble(folder: Path) -> None:
    (folder / "allowed" / "other.key").write_text("{")


def take_away(folder: Path) -> None:
    (folder / "allowed").rename(folder / "put-away")


def open_to_all(folder: Path) -> None:
    (folder / "allowed").chmod(0o777)


@pytest.mark.parametrize("spoil", [garble, take_away, pytest.param(open_to_all, marks=posix)])
def test_a_list_that_cannot_be_read_lets_in_nobody_and_says_so(
    folder: Path, context: "zmq.Context[zmq.Socket[bytes]]", asker: Asker, spoil: Callable[[Path], None]
) -> None:
    known = new_key(folder, "patch7", ())
    user = client_key(known).public
    gate = Gate(context, folder)
    assert asker.ask_for(known)[0] == b"200"
    spoil(folder)
    assert asker.ask_for(known)[0] == b"400"
    assert gate.problem.startswith("nobody is let in: ")
    assert gate.why_not(user, "patch7")
    assert gate.gone == 1
    if (folder / "put-away").exists():
        (folder / "put-away").rename(folder / "allowed")
    (folder / "allowed" / "other.key").unlink(missing_ok=True)
    (folder / "allowed").chmod(0o700)
    assert asker.ask_for(known)[0] == b"200"
    assert gate.problem == ""
    gate.close()


def test_a_gate_ends_with_its_context_too(folder: Path) -> None:
    new_key(folder, "patch7", ())
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    gate = Gate(context, folder)
    context.term()
    gate.close()
