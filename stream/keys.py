"""Keys of ZeroMQ's ends (CURVE): who is let in, under which bed's name, and for how long: as long as the list says."""

import contextlib
import hashlib
import os
import re
import secrets
import stat
import struct
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import msgspec
import zmq
from msgspec import Struct
from zmq.utils import z85

from engine.errors import UsageError
from stream import LONGEST_WAIT_S
from stream.address import ZmqAddress
from stream.wire import MOST_NAME, printable

FOLDER_VARIABLE = "ECGSTREAM_KEYS"
SERVER_FILE = "server.key_secret"
SECRET_SUFFIX = ".key_secret"
ALLOWED_FOLDER = "allowed"
ALLOWED_SUFFIX = ".key"
ANY_BED = "*"
"""Stands for all beds in a key's own."""

DOMAIN = b"ecgstream"
"""The ZAP domain: with one set and enforced libzmq asks for every connection."""
ZAP_ENDPOINT = "inproc://zeromq.zap.01"
LOOKS_S = 1.0
"""How often the list is looked at while nobody asks."""
MOST_FILE_BYTES = 65_536

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class _Pair(Struct, frozen=True):
    public: str
    secret: str


class _ClientFile(_Pair, frozen=True):
    name: str
    server: str
    beds: tuple[str, ...]


class _AllowedFile(Struct, frozen=True):
    public: str
    beds: tuple[str, ...]
    since: str


_File = TypeVar("_File", bound=Struct)
_Secret = TypeVar("_Secret", bound=_Pair)


@dataclass(frozen=True, slots=True)
class Allowed:
    """A key that is let in.

    Attributes
    ----------
    name : str
        Whose it is.
    public : str
        The key, in Z85.
    beds : tuple of str
        What it may send; ``*`` is any.
    since : str
        When it was made, ISO 8601.
    """

    name: str
    public: str
    beds: tuple[str, ...]
    since: str

    @property
    def fingerprint(self) -> str:
        """What tells it from others at a glance."""
        return hashlib.sha256(self.public.encode()).hexdigest()[:16]

    def may_send(self, bed: str) -> bool:
        """Whether it may send this bed."""
        return bed in self.beds or ANY_BED in self.beds


def default_folder() -> Path:
    """Where the keys are if nobody says where."""
    if given := os.environ.get(FOLDER_VARIABLE):
        return Path(given)
    config = os.environ.get("XDG_CONFIG_HOME")
    return (Path(config) if config else Path.home() / ".config") / "ecgstream" / "keys"


def new_key(folder: Path, name: str, beds: tuple[str, ...]) -> Path:
    """Make a key, put it on the list, and return the one file that is carried to where it is used.

    Parameters
    ----------
    folder : Path
        The server's; it is made, with the server's own key, at the first need.
    name : str
        Whose the key is.
    beds : tuple of str
        What it may send; ``*`` is any; empty is the bed that is called as the key is.

    Raises
    ------
    UsageError
        If the name or a bed's is none, if there is such a key already, or if the folder cannot be written.
    """
    _check_name(name)
    beds = tuple(dict.fromkeys(beds)) or (name,)
    for bed in beds:
        if not bed or not bed.isprintable() or len(bed) > MOST_NAME:
            raise UsageError(f"--bed '{printable(bed)}': a bed's name has 1 to {MOST_NAME} characters that can be read")
    secret, listed = folder / f"{name}{SECRET_SUFFIX}", _allowed_path(folder, name)
    try:
        server = _server_pair(folder, make=True)
        if listed.exists():
            raise UsageError(
                f"there is a key {name} already; choose another name, or type: ecgstream keys revoke {name}"
            )
        if secret.exists():
            raise UsageError(f"{secret} is there already; choose another name, or remove it")
        public_key, secret_key = (each.decode() for each in zmq.curve_keypair())
        _create(secret, _ClientFile(public_key, secret_key, name, server.public, beds))
        since = datetime.now().astimezone().isoformat(timespec="seconds")
        try:
            _create(listed, _AllowedFile(public_key, beds, since))
        except OSError:
            secret.unlink()
            raise
    except OSError as error:
        why = error.strerror
        raise UsageError(f"cannot write keys in {folder}: {why}; choose another folder: --keys DIR") from None
    return secret


def revoke(folder: Path, name: str) -> Allowed:
    """Take a key from the list; who uses it is put out within a second or two.

    Raises
    ------
    UsageError
        If there is no such key, or the folder cannot be written.
    """
    _check_name(name)
    path = _allowed_path(folder, name)
    try:
        key = _allowed(path)
    except FileNotFoundError:
        raise UsageError(f"there is no key {name} in {folder}; see: ecgstream keys list") from None
    except (UsageError, OSError):
        key = Allowed(name, "", (), "")  # what cannot be read can be removed all the same
    try:
        path.unlink()
    except OSError as error:
        raise UsageError(f"cannot remove {path}: {error.strerror}; {name} is still let in") from None
    return key


def listed(folder: Path) -> list[Allowed]:
    """The keys that are let in, by name.

    Raises
    ------
    UsageError
        If the list cannot be read as a whole: a list of which something is missing is none.
    """
    allowed = folder / ALLOWED_FOLDER
    try:
        for each in (folder, allowed):
            _check_writers(each)
        keys = [_allowed(path) for path in sorted(allowed.iterdir()) if _is_listed(path.name)]
    except OSError as error:
        raise UsageError(
            f"the list of keys in {allowed} cannot be read: {error.strerror}; "
            f"if there is none yet type: ecgstream keys new NAME --keys {folder}"
        ) from None
    names: dict[str, str] = {}
    for key in keys:
        other = names.setdefault(key.public, key.name)
        if other != key.name:
            raise UsageError(f"{other} and {key.name} in {allowed} are one key; remove one of the two files")
    return keys


@dataclass(frozen=True, slots=True)
class Access:
    """What the ends of this program's connections need to be let in, and to let in.

    Attributes
    ----------
    keys : Path or None
        The folder of keys: with it an end that is bound lets in these and nobody else.
    key : Path or None
        The key's file that an end uses which connects.
    insecure : bool
        Whether an end may be bound beyond this machine without keys.
    """

    keys: Path | None = None
    key: Path | None = None
    insecure: bool = False

    def check_bind(self, address: ZmqAddress) -> None:
        """Refuse an end that others could reach, and nobody would keep them out.

        Raises
        ------
        UsageError
            If it is such a one.
        """
        if self.keys is None and not self.insecure and not address.is_local:
            raise UsageError(
                f"{address} can be reached from other machines, and no keys keep anybody out; make a key for each with "
                f"ecgstream keys new NAME, then add --keys {default_folder()}, or write --insecure"
            )

    def secure(self, socket: "zmq.Socket[bytes]", *, binds: bool) -> None:
        """Give a socket its keys, before it is bound or connected.

        Raises
        ------
        UsageError
            If they cannot be read, or others can read them.
        """
        if binds and self.keys is not None:
            pair = server_pair(self.keys)
            socket.curve_server = 1
            socket.curve_secretkey = pair.secret.encode()
            socket.zap_domain = DOMAIN
            socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        elif not binds and self.key is not None:
            client = client_key(self.key)
            socket.curve_publickey = client.public.encode()
            socket.curve_secretkey = client.secret.encode()
            socket.curve_serverkey = client.server.encode()


def server_pair(folder: Path) -> _Pair:
    """The key of the server whose folder it is.

    Raises
    ------
    UsageError
        If it cannot be read, or others can read it.
    """
    try:
        return _server_pair(folder, make=False)
    except OSError as error:
        raise UsageError(
            f"there are no keys in {folder} ({error.strerror}); make one: ecgstream keys new NAME --keys {folder}"
        ) from None


def client_key(path: Path) -> _ClientFile:
    """The key that a file holds which ``ecgstream keys new`` has made.

    Raises
    ------
    UsageError
        If it cannot be read, or others can read it.
    """
    try:
        client = _secret(path, _ClientFile)
    except OSError as error:
        raise UsageError(f"cannot read the key {path}: {error.strerror}; see: ecgstream keys --help") from None
    _check_key(path, client.server)
    return client


class Gate:
    """Lets in at a server's end who is on the list at this moment.

    It answers what libzmq asks of each connection (ZAP) in a thread of its own. A list that cannot be read as a whole
    lets in nobody.

    Parameters
    ----------
    context : zmq.Context
        Of the sockets it answers for; they have to be made later than it, and the context has no other gate.
    folder : Path
        The server's keys.

    Attributes
    ----------
    problem : str
        Why the list cannot be read, and what to do; empty if it can be.
    gone : int
        How many times keys have gone from the list.
    refused : int
        How many connections were not let in.
    """

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", folder: Path) -> None:
        self.problem = ""
        self.gone = 0
        self.refused = 0
        self._folder = folder
        self._keys: Mapping[str, Allowed] = {}
        self._seen: object = None
        self._looked = 0.0
        self._stop = threading.Event()
        self._look()
        self._socket = context.socket(zmq.REP)
        self._socket.linger = 0
        self._socket.bind(ZAP_ENDPOINT)
        self._thread = threading.Thread(target=self._work, name="keys", daemon=True)
        self._thread.start()

    def why_not(self, user: str, bed: str) -> str:
        """Why a key may not send a bed; empty if it may.

        Parameters
        ----------
        user : str
            The key, as its connection carries it.
        bed : str
            Whose samples it sends.
        """
        key = self._keys.get(user)
        if key is None:
            return "its key is not listed any more"
        return "" if key.may_send(bed) else f"the key {key.name} is not for bed {printable(bed)[:MOST_NAME]}"

    def close(self) -> None:
        """Let in nobody any more."""
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        try:
            while not self._stop.is_set():
                if self._socket.poll(round(1000 * LONGEST_WAIT_S)):
                    self._answer(self._socket.recv_multipart())
                elif time.monotonic() - self._looked > LOOKS_S:
                    self._look()
        except zmq.ContextTerminated:
            pass  # the sockets are closed already
        finally:
            self._socket.close(0)

    def _answer(self, question: list[bytes]) -> None:
        """RFC 27: version, request, domain, address, identity, mechanism, credentials."""
        self._look()
        user = ""
        if len(question) == 7 and question[0] == b"1.0" and question[2] == DOMAIN and question[5] == b"CURVE":
            public = z85.encode(question[6]).decode() if len(question[6]) == 32 else ""
            user = public if public in self._keys else ""
        if not user:
            self.refused += 1
        status, text = (b"200", b"OK") if user else (b"400", b"not listed")
        request = question[1] if len(question) > 1 else b""
        self._socket.send_multipart([b"1.0", request, status, text, user.encode(), b""])

    def _look(self) -> None:
        """Read the list anew if anything of it has changed."""
        self._looked = time.monotonic()
        seen = _signature(self._folder)
        if seen == self._seen and not self.problem:
            return
        self._seen = seen
        before = self._keys
        try:
            self._keys, self.problem = {key.public: key for key in listed(self._folder)}, ""
        except UsageError as error:
            self._keys, self.problem = {}, f"nobody is let in: {error}"
        if before.keys() - self._keys.keys():
            self.gone += 1


def _signature(folder: Path) -> object:
    """What is another once anything of the list has changed."""
    try:
        paths = [folder, folder / ALLOWED_FOLDER, *sorted((folder / ALLOWED_FOLDER).iterdir())]
        stats = [path.stat() for path in paths]
    except OSError as error:
        return error.errno
    return [
        (str(path), each.st_mtime_ns, each.st_ctime_ns, each.st_size, each.st_ino, each.st_mode)
        for path, each in zip(paths, stats, strict=True)
    ]


def _allowed_path(folder: Path, name: str) -> Path:
    return folder / ALLOWED_FOLDER / f"{name}{ALLOWED_SUFFIX}"


def _is_listed(file_name: str) -> bool:
    """Whether a file is of the list; those that are being written are not, nor is what an editor leaves."""
    return file_name.endswith(ALLOWED_SUFFIX) and not file_name.startswith(".")


def _allowed(path: Path) -> Allowed:
    _check_writers(path)
    file = _read(path, _AllowedFile)
    _check_key(path, file.public)
    return Allowed(path.name.removesuffix(ALLOWED_SUFFIX), file.public, file.beds, printable(file.since))


def _server_pair(folder: Path, *, make: bool) -> _Pair:
    path = folder / SERVER_FILE
    if make and not path.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / ALLOWED_FOLDER).mkdir(mode=0o700, exist_ok=True)
        public, secret = (each.decode() for each in zmq.curve_keypair())
        with contextlib.suppress(FileExistsError):  # another process was faster: the key is its
            _create(path, _Pair(public, secret))
    return _secret(path, _Pair)


def _secret(path: Path, kind: type[_Secret]) -> _Secret:
    """A file that holds a secret, if nobody else can read it."""
    mode = path.stat().st_mode
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError(f"others can read the secret in {path}; type: chmod 600 {path}")
    file = _read(path, kind)
    _check_key(path, file.secret)
    if zmq.curve_public(file.secret.encode()).decode() != file.public:
        raise UsageError(f"{path} is damaged: its two keys are no pair; make a new one: ecgstream keys new NAME")
    return file


def _read(path: Path, kind: type[_File]) -> _File:
    with path.open("rb") as file:
        content = file.read(MOST_FILE_BYTES + 1)
    try:
        if len(content) > MOST_FILE_BYTES:
            raise ValueError("too long")
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        why = printable(str(error))[:100]
        raise UsageError(f"{path} is no key file: {why}; make one: ecgstream keys new NAME") from None


def _check_key(path: Path, key: str) -> None:
    try:
        is_key = len(key) == 40 and len(z85.decode(key.encode())) == 32
    except (KeyError, ValueError, struct.error):
        is_key = False
    if not is_key:
        raise UsageError(f"{path} is damaged: it holds no whole key; make a new one: ecgstream keys new NAME")


def _check_writers(path: Path) -> None:
    """Refuse a list that others can write: they could put themselves on it."""
    if os.name == "posix" and path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UsageError(f"others can write {path}, so anybody could be let in; type: chmod go-w {path}")


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(f"'{printable(name)}' names no key; use 1 to 64 letters, digits, dots, - and _")


def _create(path: Path, file: Struct) -> None:
    """Write a file: whole, never to be read or written by others, and never in the place of another."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n")
            opened.flush()
            os.fsync(opened.fileno())
        os.link(part, path)
    finally:
        part.unlink()
