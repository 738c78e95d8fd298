"""Fetching PTB-XL, from a server on this machine that lays it out as PhysioNet does."""

import csv
import hashlib
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from ecgstream.fetch import CHECKSUMS, CONNECTIONS, SOURCE_VARIABLE, TABLE, Progress, fetch_ptbxl, parse_records
from engine.errors import SourceError, UsageError
from engine.leads import LEADS
from stream.sources.record import open_record
from tests.ecgstream.command import ecgstream

NUMBERS = (9, 38, 63, 65, 116)


NOTHING_LISTENS = "http://127.0.0.1:9/ptb-xl"  # on the discard port


@dataclass
class Site:
    """A server of files; `broken` ones end half-way, `asked` is what was asked for over so many `connections`."""

    root: Path
    url: str
    broken: set[str]
    asked: list[str]
    connections: int = 0

    def write_checksums(self) -> None:
        """Of all that lies there now, as PhysioNet writes them."""
        sums = [f"{hashlib.sha256(content).hexdigest()} {name}\n" for name, content in sorted(files(self.root).items())]
        (self.root / CHECKSUMS).write_text("".join(line for line in sums if CHECKSUMS not in line))

    def spoil(self, name: str) -> Path:
        """Change a file behind the checksums' back."""
        path = next(self.root.rglob(name))
        path.write_bytes(path.read_bytes()[:-1] + b"?")
        return path


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data_dir: Path) -> Iterator[Site]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    root = tmp_path / "server"
    site = Site(root / "ptb-xl" / "1.0.3", "", set(), [])
    lay_out(site.root, data_dir)
    site.write_checksums()

    class Handler(SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(root))

        def setup(self) -> None:
            site.connections += 1
            super().setup()

        def log_message(self, *_: object) -> None:
            pass

        def copyfile(self, source: BinaryIO, outputfile: BinaryIO) -> None:  # type: ignore[override]
            name, content = Path(self.path).name, source.read()
            site.asked.append(name)
            self.close_connection = name in site.broken
            outputfile.write(content[: len(content) // 2] if name in site.broken else content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_port}/ptb-xl/1.0.3/"
    yield site
    server.shutdown()
    thread.join()
    server.server_close()


def lay_out(root: Path, data: Path) -> None:
    """Some of PTB-XL: the 500 Hz files as PhysioNet ships them."""
    rows = []
    with (data / "ptbxl" / "ptbxl_database.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if int(row["ecg_id"]) in NUMBERS:
                rows.append(row)
    assert len(rows) == len(NUMBERS)
    for row in rows:
        for name, source in (
            (row["filename_hr"], data / "originals" / "ptbxl" / Path(row["filename_hr"]).name),
            (row["filename_lr"], data / "ptbxl" / row["filename_lr"]),
        ):
            for suffix in (".dat", ".hea"):
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source.with_suffix(suffix), (root / name).with_suffix(suffix))
    write_table(root, rows)


def write_table(root: Path, rows: list[dict[str, str]]) -> None:
    with (root / TABLE).open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_all_of_it_comes_as_it_lies_there(site: Site, tmp_path: Path) -> None:
    seen: list[Progress] = []
    paths = fetch_ptbxl(None, tmp_path / "here", site.url, seen.append)
    assert files(tmp_path / "here" / "ptbxl") == files(site.root)
    assert [path.name for path in paths] == [f"{number:05d}_hr" for number in NUMBERS]
    assert [progress.done for progress in seen] == list(range(len(NUMBERS) + 1))
    assert {progress.total for progress in seen} == {len(NUMBERS)}
    size_mb = sum(path.stat().st_size for path in site.root.glob("records500/*/*.dat")) / 1e6
    assert size_mb <= seen[0].total_mb <= 1.3 * size_mb
    assert open_record(paths[0]).leads == LEADS


def test_ranges_take_what_there_is(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SOURCE_VARIABLE, site.url)
    paths = fetch_ptbxl("60-66, 9", tmp_path)
    assert [path.name for path in paths] == ["00009_hr", "00063_hr", "00065_hr"]
    assert len(files(tmp_path / "ptbxl")) == 2 + 3 * 4


def test_what_broke_off_leaves_no_half_and_goes_on(site: Site, tmp_path: Path) -> None:
    site.broken = {"00063_hr.dat"}
    with pytest.raises(SourceError, match=r"00063_hr\.dat cannot be reached"):
        fetch_ptbxl("9-65", tmp_path, site.url)
    have = files(tmp_path / "ptbxl")
    whole = files(site.root)
    assert "records500/00000/00009_hr.hea" in have
    assert "records500/00000/00063_hr.hea" not in have
    assert have.items() <= whole.items()
    site.broken = set()
    site.asked.clear()
    fetch_ptbxl("9-65", tmp_path, site.url)
    assert sorted(site.asked) == sorted(Path(name).name for name in set(files(tmp_path / "ptbxl")) - set(have))


def test_a_file_that_is_there_and_whole_is_not_fetched_again(site: Site, tmp_path: Path) -> None:
    first = fetch_ptbxl("9,38", tmp_path, site.url)
    site.asked.clear()
    assert fetch_ptbxl("9,38", tmp_path, site.url) == first
    assert site.asked == []


@pytest.mark.parametrize("keep", [0, -1])
def test_a_file_that_is_there_and_cut_off_is_fetched_again(site: Site, tmp_path: Path, keep: int) -> None:
    path = fetch_ptbxl("9,38", tmp_path, site.url)[1].with_suffix(".dat")
    whole = path.read_bytes()
    path.write_bytes(whole[:keep])
    site.asked.clear()
    fetch_ptbxl("9,38", tmp_path, site.url)
    assert site.asked == [path.name]
    assert path.read_bytes() == whole


def test_connections_are_two_and_kept(site: Site, tmp_path: Path) -> None:
    fetch_ptbxl(None, tmp_path, site.url)
    assert len(site.asked) == 2 + 4 * len(NUMBERS)
    assert site.connections <= CONNECTIONS


def test_files_can_be_read_by_whoever_may_read_new_files(site: Site, tmp_path: Path) -> None:
    path = fetch_ptbxl("9", tmp_path, site.url)[0].with_suffix(".dat")
    (tmp_path / "new").write_text("")
    assert path.stat().st_mode == (tmp_path / "new").stat().st_mode


def test_a_file_that_the_server_has_not(site: Site, tmp_path: Path) -> None:
    (site.root / "records500" / "00000" / "00038_hr.dat").unlink()
    with pytest.raises(SourceError, match=r"00038_hr\.dat cannot be had \(HTTP 404\)"):
        fetch_ptbxl("38", tmp_path, site.url)
    with pytest.raises(SourceError, match=r"SHA256SUMS\.txt cannot be had \(HTTP 404\)"):
        fetch_ptbxl("38", tmp_path / "other", site.url + "elsewhere")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("name", ["00038_hr.dat", "00038_lr.hea"])
def test_a_file_that_is_not_what_its_checksum_says(site: Site, tmp_path: Path, name: str) -> None:
    path = site.spoil(name)
    with pytest.raises(SourceError, match=rf"{name} is not what SHA256SUMS\.txt says"):
        fetch_ptbxl("9,38", tmp_path, site.url)
    have = {Path(each).name for each in files(tmp_path / "ptbxl")}
    assert name not in have
    assert name.replace(".dat", ".hea") not in have
    assert "00009_hr.hea" in have
    assert have <= {path.name for path in site.root.rglob("*")}
    site.write_checksums()
    fetched = fetch_ptbxl("9,38", tmp_path, site.url)
    assert (fetched[1].parents[2] / path.relative_to(site.root)).read_bytes() == path.read_bytes()


def test_a_file_cut_off_at_the_server(site: Site, tmp_path: Path) -> None:
    path = next(site.root.rglob("00038_hr.dat"))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(SourceError, match=r"00038_hr\.dat is not what"):
        fetch_ptbxl("38", tmp_path, site.url)


def test_a_file_without_a_checksum_is_refused_before_any_recording_is_fetched(site: Site, tmp_path: Path) -> None:
    sums = (site.root / CHECKSUMS).read_text().splitlines(keepends=True)
    (site.root / CHECKSUMS).write_text("".join(line for line in sums if "00038_hr.hea" not in line))
    with pytest.raises(SourceError, match=r"does not name records500/00000/00038_hr\.hea"):
        fetch_ptbxl("9,38", tmp_path, site.url)
    assert site.asked == [CHECKSUMS, TABLE]
    site.write_checksums()
    fetch_ptbxl("9,38", tmp_path, site.url)


def test_a_table_without_a_checksum_or_with_a_wrong_one_is_refused(site: Site, tmp_path: Path) -> None:
    site.spoil(TABLE)
    with pytest.raises(SourceError, match=r"ptbxl_database\.csv is not what"):
        fetch_ptbxl("9", tmp_path / "out", site.url)
    sums = (site.root / CHECKSUMS).read_text().splitlines(keepends=True)
    (site.root / CHECKSUMS).write_text("".join(line for line in sums if TABLE not in line))
    with pytest.raises(SourceError, match=r"does not name ptbxl_database\.csv"):
        fetch_ptbxl("9", tmp_path / "out", site.url)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "path",
    [
        "../evil",
        "records500/../../evil",
        "..",
        "/evil",
        "//server/evil",
        "C:/evil",
        "C:evil",
        "..\\evil",
        "records500\\..\\..\\evil",
        "evil\n",
        "",
    ],
)
def test_a_path_that_would_leave_the_folder_is_refused(site: Site, tmp_path: Path, path: str) -> None:
    with (site.root / TABLE).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    rows[-1]["filename_lr"] = path
    write_table(site.root, rows)
    for suffix in (".dat", ".hea"):
        (site.root.parent / f"evil{suffix}").write_text("evil")
    site.write_checksums()
    before = files(tmp_path)
    with pytest.raises(SourceError, match="might lie outside its folder") as caught:
        fetch_ptbxl("9", tmp_path / "out", site.url)
    assert len(str(caught.value).splitlines()) == 1
    assert site.asked == [CHECKSUMS, TABLE]
    assert files(tmp_path) == before
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "content", ["<html>\nPlease log in\n</html>\n", "", "ecg_id,filename_lr,filename_hr\n", "a\n1\n"]
)
def test_another_page_in_place_of_the_table(site: Site, tmp_path: Path, content: str) -> None:
    (site.root / TABLE).write_text(content)
    site.write_checksums()
    with pytest.raises(SourceError, match="not PTB-XL's table"):
        fetch_ptbxl(None, tmp_path, site.url)
    assert not (tmp_path / "ptbxl").exists()


@pytest.mark.parametrize("content", ["<html>\nPlease log in\n</html>\n", "", f"{'0' * 64} {TABLE}\n{'0' * 40}"])
def test_another_page_in_place_of_the_checksums(site: Site, tmp_path: Path, content: str) -> None:
    (site.root / CHECKSUMS).write_text(content)
    with pytest.raises(SourceError, match="no list of checksums"):
        fetch_ptbxl("38", tmp_path, site.url)
    assert not (tmp_path / "ptbxl").exists()


@pytest.mark.parametrize("records", ["30000", "1-8", "9,39"])
def test_numbers_that_no_recording_has(site: Site, tmp_path: Path, records: str) -> None:
    with pytest.raises(UsageError, match="PTB-XL has no record"):
        fetch_ptbxl(records, tmp_path, site.url)
    assert set(files(tmp_path / "ptbxl")) == {CHECKSUMS, TABLE}


@pytest.mark.parametrize("source", [NOTHING_LISTENS, "nonsense", "ftp://127.0.0.1:9/ptb-xl"])
def test_without_a_network_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(SourceError, match="cannot be reached; check the network"):
        fetch_ptbxl("9", tmp_path / "new" / "data", source)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SourceError):
        fetch_ptbxl("9", tmp_path, source)
    assert list(tmp_path.iterdir()) == []


def test_no_folder_stays_empty(site: Site, tmp_path: Path) -> None:
    for path in site.root.rglob("*.dat"):
        path.unlink()
    with pytest.raises(SourceError, match="HTTP 404"):
        fetch_ptbxl(None, tmp_path, site.url)
    assert {path.name for path in (tmp_path / "ptbxl").rglob("*")} == {CHECKSUMS, TABLE}


def test_it_is_quiet(site: Site, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    fetch_ptbxl("9", tmp_path, site.url)
    site.spoil("00038_hr.dat")
    with pytest.raises(SourceError):
        fetch_ptbxl("38", tmp_path, site.url)
    assert capfd.readouterr() == ("", "")


def test_the_command_says_what_it_got_and_what_it_could_not_get(site: Site, tmp_path: Path) -> None:
    environment = os.environ | {SOURCE_VARIABLE: site.url}
    done = ecgstream("fetch", "ptbxl", "--records", "9,38", "--out", tmp_path / "here", env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"2 recordings in {tmp_path / 'here' / 'ptbxl'}; try one: ecgstream replay ")
    environment[SOURCE_VARIABLE] = NOTHING_LISTENS
    done = ecgstream("fetch", "ptbxl", "--out", tmp_path / "there", env=environment)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert not (tmp_path / "there").exists()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write"):
        fetch_ptbxl("9", tmp_path / "file", NOTHING_LISTENS)


@pytest.mark.parametrize("records", ["", "a", "1-", "-3", "5-1", "0", "1,,2", "1-2-3", "1.5"])
def test_what_is_no_range_is_refused_before_anything_is_made(tmp_path: Path, records: str) -> None:
    with pytest.raises(UsageError, match="record number"):
        fetch_ptbxl(records, tmp_path, NOTHING_LISTENS)
    assert list(tmp_path.iterdir()) == []


def test_ranges_are_read() -> None:
    assert parse_records("1-100, 205") == [range(1, 101), range(205, 206)]
