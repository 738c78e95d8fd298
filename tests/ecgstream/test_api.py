"""The public names: there, documented, and loaded only when they are used."""

import inspect

import pytest

import ecgstream


@pytest.mark.parametrize("name", ecgstream.__all__)
def test_every_public_name_is_there(name: str) -> None:
    value = getattr(ecgstream, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert inspect.getdoc(value)


def test_another_name_is_not() -> None:
    with pytest.raises(AttributeError, match="has no attribute abacus"):
        ecgstream.abacus  # noqa: B018


def test_a_monitor_of_ones_own() -> None:
    """Source, bed and engine by the public names alone."""
    from ecgstream.cli import BUNDLED

    record = ecgstream.open_record(BUNDLED)
    bed = ecgstream.Bed(ecgstream.load(), record.rate)
    blocks = [
        block for chunk in ecgstream.Replay(record, ("I", "II", "V4"), None).chunks() for block in bed.push(chunk)
    ]
    assert blocks[0].leads.shape[0] == len(ecgstream.LEADS)
    assert blocks[-1].end == record.n_samples - bed.look_ahead
