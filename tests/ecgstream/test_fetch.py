"""Fetching PTB-XL, from a server on this machine that lays it out as PhysioNet does."""

import csv
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ecgstream.fetch import SOURCE_VARIABLE, Progress, fetch_ptbxl, parse_records
from engine.errors import SourceError, UsageError
from engine.leads import LEADS
from stream.sources.record import open_record

NUMBERS = (9, 38, 63, 65, 116)


@dataclass
class Site:
    """A server of files; `broken` ones end half-way, `asked` is what was asked for."""

    root: Path
    url: str
    broken: set[str]
    asked: list[str]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data_dir: Path) -> Iterator[Site]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    root = tmp_path / "server"
    lay_out(root / "ptb-xl" / "1.0.3", data_dir)
    site = Site(root / "ptb-xl" / "1.0.3", "", set(), [])

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *args: object, **options: object) -> None:
            super().__init__(*args, directory=str(root), **options)

        def log_message(self, *_: object) -> None:
            pass

        def copyfile(self, source, outputfile) -> None:  # type: ignore[no-untyped-def]
            site.asked.append(Path(self.path).name)
            content = source.read()
            outputfile.write(content[: len(content) // 2] if Path(self.path).name in site.broken else content)

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
    with (root / "ptbxl_database.csv").open("w", newline="", encoding="utf-8") as file:
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
    assert len(files(tmp_path / "ptbxl")) == 1 + 3 * 4


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


def test_a_file_that_the_server_has_not(site: Site, tmp_path: Path) -> None:
    (site.root / "records500" / "00000" / "00038_hr.dat").unlink()
    with pytest.raises(SourceError, match=r"00038_hr\.dat cannot be had \(HTTP 404\)"):
        fetch_ptbxl("38", tmp_path, site.url)
    with pytest.raises(SourceError, match=r"ptbxl_database\.csv cannot be had \(HTTP 404\)"):
        fetch_ptbxl("38", tmp_path / "other", site.url + "elsewhere")


def test_a_page_in_place_of_the_table(site: Site, tmp_path: Path) -> None:
    (site.root / "ptbxl_database.csv").write_text("<html>\nPlease log in\n</html>\n")
    with pytest.raises(SourceError, match="not PTB-XL's table"):
        fetch_ptbxl("38", tmp_path, site.url)
    assert files(tmp_path / "ptbxl") == {}


@pytest.mark.parametrize("records", ["30000", "1-8", "9,39"])
def test_numbers_that_no_recording_has(site: Site, tmp_path: Path, records: str) -> None:
    with pytest.raises(UsageError, match="PTB-XL has no record"):
        fetch_ptbxl(records, tmp_path, site.url)
    assert list(files(tmp_path / "ptbxl")) == ["ptbxl_database.csv"]


def test_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(SourceError, match="cannot be reached; check the network"):
        fetch_ptbxl("9", tmp_path, "http://127.0.0.1:9/ptb-xl")  # nothing listens on the discard port
    assert files(tmp_path) == {}


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write"):
        fetch_ptbxl("9", tmp_path / "file", "http://127.0.0.1:9/ptb-xl")


@pytest.mark.parametrize("records", ["", "a", "1-", "-3", "5-1", "0", "1,,2", "1-2-3", "1.5"])
def test_what_is_no_range_is_refused_before_anything_is_made(tmp_path: Path, records: str) -> None:
    with pytest.raises(UsageError, match="record number"):
        fetch_ptbxl(records, tmp_path, "http://127.0.0.1:9/ptb-xl")
    assert list(tmp_path.iterdir()) == []


def test_ranges_are_read() -> None:
    assert parse_records("1-100, 205") == [range(1, 101), range(205, 206)]
