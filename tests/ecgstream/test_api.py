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
    """Source, ward, bed, engine and sinks by the public names alone."""
    from ecgstream.records import BUNDLED

    class Longest:
        """A sink of one's own."""

        end = 0

        def push(self, item: ecgstream.Block | ecgstream.Gap | ecgstream.Event) -> None:
            if isinstance(item, ecgstream.Block):
                assert item.leads.shape[0] == len(ecgstream.LEADS)
                self.end = item.end

        def close(self) -> None:
            pass

    record, engine, sink = ecgstream.open_record(BUNDLED), ecgstream.load(), Longest()
    leads = ("I", "II", "V4")
    ward = ecgstream.Ward(engine)
    bed = ecgstream.Bed(engine, record.rate, leads)
    place = ward.admit(bed, ecgstream.Replay(record, leads, None), [ecgstream.Direct(sink, "longest")], real_time=False)
    ward.start()
    ward.wait()
    assert sink.end == record.n_samples
    assert place.failures == []
