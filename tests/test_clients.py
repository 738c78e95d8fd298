"""The clients of the docs: what they send is taken, number for number."""

import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import zmq

from stream.address import ZmqAddress
from stream.keys import Access
from stream.sources.socket import SocketSource, open_socket
from tests.conftest import ROOT
from tests.stream.ends import Taking, free_endpoint, wait_for

CLIENTS = ROOT / "docs" / "clients"

DECLARATIONS = """
#include <stddef.h>
#define ZMQ_PUSH 8
#define ZMQ_LINGER 17
#define ZMQ_SNDMORE 2
void *zmq_ctx_new(void);
int zmq_ctx_term(void *context);
void *zmq_socket(void *context, int type);
int zmq_close(void *socket);
int zmq_setsockopt(void *socket, int option, const void *value, size_t length);
int zmq_connect(void *socket, const char *endpoint);
int zmq_send(void *socket, const void *data, size_t length, int flags);
int zmq_errno(void);
const char *zmq_strerror(int number);
"""
"""Of libzmq, where its header is not installed but pyzmq brings the library itself."""


def bundled_library() -> Path | None:
    """The libzmq that pyzmq's wheel has."""
    folder = Path(zmq.__file__).parent.parent / "pyzmq.libs"
    return next(iter(sorted(folder.glob("libzmq*.so*"))), None)


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``send.c``, as its first line says; with pyzmq's libzmq where there is no other."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("client")
    flags = ["-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
    command = [compiler, *flags, str(CLIENTS / "send.c"), "-o", str(folder / "send"), "-lm"]
    if subprocess.run([*command, "-lzmq"], capture_output=True).returncode == 0:
        return folder / "send"
    library = bundled_library()
    if library is None:
        pytest.skip("no libzmq to link with: neither its development files nor pyzmq's own library")
    (folder / "zmq.h").write_text(DECLARATIONS)
    found = [f"-I{folder}", str(library), f"-Wl,-rpath,{library.parent}", f"-Wl,-rpath-link,{library.parent}"]
    done = subprocess.run([*command, *found], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "send"


def check(command: Sequence[str | Path]) -> None:
    """Run a client for a second, and look at what came."""
    endpoint = free_endpoint()
    with subprocess.Popen([*command, endpoint, "bed7", "1"], stderr=subprocess.PIPE, text=True) as client:
        source = open_socket(
            ZmqAddress(endpoint, "bed7", queued=True),
            (),
            None,
            access=Access(),
            stop=threading.Event(),
            say=lambda text: None,
        )
        assert isinstance(source, SocketSource)
        assert (source.rate, source.leads) == (250, ("I", "II"))
        taking = Taking(source)
        try:
            wait_for(lambda: len(taking.arrivals) == 25)
        finally:
            taking.end()
        _, errors = client.communicate(timeout=20)
    assert (client.returncode, errors, source.refused) == (0, "", 0)
    assert [arrival.index for arrival in taking.arrivals] == list(range(0, 250, 10))
    assert len({arrival.session for arrival in taking.arrivals}) == 1
    samples = np.concatenate([arrival.samples for arrival in taking.arrivals], axis=1)
    expected = np.sin(2 * np.pi * np.arange(250) / 250)
    np.testing.assert_allclose(samples[:2], [expected, 2 * expected], atol=1e-6)
    assert np.isnan(samples[2:]).all()
    assert taking.arrivals[-1].received - taking.arrivals[0].received > 0.5


def test_the_client_in_python() -> None:
    check([sys.executable, CLIENTS / "send.py"])


def test_the_client_in_c(compiled: Path) -> None:
    check([compiled])


def test_two_runs_are_two_sessions(compiled: Path) -> None:
    with zmq.Context() as context, context.socket(zmq.PULL) as socket:
        socket.linger, socket.rcvtimeo = 0, 20_000
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        headers = set()
        for command in ([sys.executable, CLIENTS / "send.py"], [compiled]) * 2:
            subprocess.run([*command, f"tcp://127.0.0.1:{port}", "b", "0.04"], check=True, timeout=30)
            headers.add(re.search(rb"session(.{9})", socket.recv_multipart()[1], re.DOTALL)[1])  # type: ignore[index]
        assert len(headers) == 4


def test_the_client_in_python_has_twenty_lines() -> None:
    code = [line for line in (CLIENTS / "send.py").read_text().splitlines()[1:] if line.strip()]
    assert len(code) <= 20


def test_the_docs_name_the_clients_that_there_are() -> None:
    text = (ROOT / "docs" / "wire.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\(clients/([a-z.]+)\)", text)) == {path.name for path in CLIENTS.iterdir()}
