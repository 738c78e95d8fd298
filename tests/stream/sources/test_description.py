"""What streams say of themselves: read from XML of any kind, and who is who."""

import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.address import LslAddress
from stream.channels import Channel, Refused
from stream.sources.description import Described, address_of, describe, is_lasting, is_meant, successor

PATCH = """<?xml version="1.0"?>
<info>
    <name>Patch one</name><type>ECG</type><channel_count>2</channel_count><channel_format>float32</channel_format>
    <source_id>patch-1</source_id><nominal_srate>250.0000000000000</nominal_srate><version>1.100000000000000</version>
    <created_at>12389.20203528700</created_at><uid>503d4a74</uid><session_id>default</session_id><hostname>ward</hostname>
    <v4address /><v4data_port>48855</v4data_port>
    <desc><manufacturer>somebody</manufacturer>
        <channels>
            <channel><label>I</label><unit>uV</unit><type>ECG</type></channel>
            <channel><label>II</label><unit>uV</unit><type>ECG</type></channel>
        </channels>
    </desc>
</info>
"""


def with_channels(inner: str, count: int = 1) -> tuple[Channel, ...]:
    return describe(
        f"<info><name>x</name><channel_count>{count}</channel_count><desc><channels>{inner}</channels></desc></info>"
    ).channels


def test_a_whole_description() -> None:
    assert describe(PATCH) == Described(
        name="Patch one",
        type="ECG",
        source_id="patch-1",
        uid="503d4a74",
        rate=250.0,
        format="float32",
        host="ward",
        channels=(Channel("I", "uV", "ECG"), Channel("II", "uV", "ECG")),
        created=12389.202035287,
    )


@pytest.mark.parametrize(
    ("inner", "channel"),
    [
        (
            "<channel><name>ECG</name><unit>microvolts</unit><type>ECG</type></channel>",
            Channel("ECG", "microvolts", "ECG"),
        ),
        ("<channel><sensor>ECG</sensor></channel>", Channel("ECG")),
        ("<channel><sensor>S</sensor><label>A1</label></channel>", Channel("A1")),
        ("<channel><label></label><name>A2</name></channel>", Channel("A2")),
        ("<Channel><Label> II </Label><Units>mV</Units></Channel>", Channel("II", "mV")),
        ("<channel><label>II</label><unit>-6</unit></channel>", Channel("II", "-6")),
        ("<channel><label>II</label><resolution>0.8</resolution><impedance>5</impedance></channel>", Channel("II")),
        ("<channel><label>a&#1;b\x02c&#xFFFF;</label></channel>", Channel("a?b?c?")),
        ("<channel><label>\x9b2J</label></channel>", Channel("?2J")),
        ("<channel><label><b>I</b>I</label></channel>", Channel("II")),
        ("<channel><label><![CDATA[II]]></label></channel>", Channel("II")),
        ("<!-- one --><channel><label>II</label></channel>", Channel("II")),
    ],
)
def test_names_and_units_as_devices_write_them(inner: str, channel: Channel) -> None:
    assert with_channels(inner) == (channel,)


def test_what_does_not_fit_the_number_of_channels_says_nothing() -> None:
    one = "<channel><label>II</label></channel>"
    assert with_channels(one, 2) == (Channel(""),) * 2
    assert with_channels(one * 2, 1) == (Channel(""),)
    assert describe("<info><name>x</name><channel_count>3</channel_count></info>").channels == (Channel(""),) * 3


@pytest.mark.parametrize(
    "xml",
    [
        "",
        "no XML",
        "<info>",
        "<data/>",
        "<info/>",
        "<info><channel_count>0</channel_count></info>",
        "<info><channel_count>-1</channel_count></info>",
        "<info><channel_count>1.5</channel_count></info>",
        "<info><channel_count>1e9</channel_count></info>",
        "<info><channel_count>nan</channel_count></info>",
        '<!DOCTYPE i [<!ENTITY a "b">]><info><channel_count>1</channel_count><name>&a;</name></info>',
        "<info><channel_count>1</channel_count><name>&a;</name></info>",
        "<info>" + " " * 5_000_000 + "</info>",
        "<a>" * 100_000,
    ],
)
def test_what_is_no_description_is_refused(xml: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        describe(xml)


def test_a_deep_description_ends() -> None:
    deep = "<channel><label>" + "<b>" * 20_000 + "II" + "</b>" * 20_000 + "</label></channel>"
    assert with_channels(deep) in ((Channel("II"),), (Channel(""),))


def test_a_description_of_any_size_is_read_at_once() -> None:
    began = time.perf_counter()
    with pytest.raises(Refused) as caught:
        replace(describe(PATCH), channels=tuple(Channel(f"c{n}", "uV") for n in range(4096))).choose((), None)
    assert time.perf_counter() - began < 1
    assert len(str(caught.value)) < 1000


@given(
    st.text(max_size=40), st.sampled_from(["label", "unit", "type", "name", "nominal_srate", "created_at", "channels"])
)
def test_any_text_in_a_description_is_read_or_refused(text: str, tag: str) -> None:
    xml = PATCH.replace("somebody", text).replace("<label>II</label>", f"<{tag}>{text}</{tag}>")
    try:
        described = describe(xml)
    except ValueError:
        return
    assert len(described.channels) == 2
    assert all(word.isprintable() for channel in described.channels for word in (channel.label, channel.unit))


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(xml: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        describe(xml)


@pytest.mark.parametrize("rate", ["-250", "nan", "inf", "fast", "", "0", "1e999"])
def test_a_rate_that_is_none_is_irregular(rate: str) -> None:
    stream = describe(PATCH.replace("250.0000000000000", rate))
    assert stream.rate == 0
    with pytest.raises(Refused, match=r"Patch one: its rate is irregular \(0 Hz\)"):
        stream.choose((), None)


def test_what_can_never_be_an_input_says_why() -> None:
    patch = describe(PATCH)
    assert patch.choose((), None).leads == ("I", "II")
    for changed, why in (
        ({"format": "string"}, "it sends text"),
        ({"rate": 99.9}, "its rate is 99.9 Hz; 100 to 2000 Hz can be taken"),
        ({"rate": 2001.0}, "its rate is 2001 Hz"),
        ({"derived": True}, "its leads are derived already, and none is estimated twice"),
        ({"answers": False}, "does not say what its channels are"),
    ):
        with pytest.raises(Refused, match=why) as caught:
            replace(patch, **changed).choose((), None)
        assert caught.value.maps == ()


def test_what_this_program_sends_is_known_again() -> None:
    own = describe(PATCH.replace("<channels>", "<ecgstream><model>m</model></ecgstream><channels>"))
    assert own.derived
    assert describe(PATCH.replace("<channels>", "<synthetic>true</synthetic><channels>")).synthetic


def test_an_address_means_what_fits_all_its_words() -> None:
    patch = describe(PATCH)
    assert is_meant(LslAddress(), patch)
    assert is_meant(LslAddress(name="Patch one", type="ECG", source_id="patch-1"), patch)
    assert not is_meant(LslAddress(name="Patch"), patch)
    assert not is_meant(LslAddress(name="Patch one", type="EEG"), patch)


def test_the_shortest_address_that_means_one_alone() -> None:
    patch = describe(PATCH)
    markers = replace(patch, type="Markers", uid="2")
    second = replace(patch, source_id="patch-2", uid="3")
    both = replace(patch, source_id="patch-2", type="Markers", uid="4")
    twin = replace(patch, uid="5")
    assert address_of(patch, [patch]) == LslAddress(name="Patch one")
    assert address_of(patch, [patch, markers]) == LslAddress(name="Patch one", type="ECG")
    assert address_of(patch, [patch, second]) == LslAddress(name="Patch one", source_id="patch-1")
    assert address_of(patch, [patch, second, markers, both]) == LslAddress("Patch one", "ECG", "patch-1")
    assert address_of(patch, [patch, twin]) is None


def test_source_ids_that_programs_make_up_do_not_last() -> None:
    for made_up in (
        "",
        "-3236350374392987396",
        "7777777777777777777",
        "f" * 32,
        "7f1db505-03a1-4658-bec6-4dd341b7c95a",
    ):
        assert not is_lasting(made_up)
    for lasting in ("patch-1", "openbcigui", "myuid2424", "00:07:80:4D:2E:9F", "1234"):
        assert is_lasting(lasting)


OLD = replace(describe(PATCH), created=1000.0, uid="old")


def comes(**changed: object) -> Described:
    words: dict[str, object] = {"uid": "new", "created": 2000.0, **changed}
    return replace(OLD, **words)  # type: ignore[arg-type]


def test_the_same_device_begun_anew_is_known() -> None:
    new = comes()
    assert successor(OLD, [OLD, new], alive=1999.0) == new
    assert successor(OLD, [OLD], alive=1999.0) is None
    moved = comes(host="elsewhere", created=5.0)
    assert successor(OLD, [moved], alive=1999.0) == moved
    restarted = comes(created=30.0)  # its host has started anew, and its clock with it
    assert successor(OLD, [restarted], alive=1999.0) == restarted
    again = comes(uid="newer", created=2001.0)
    assert successor(OLD, [again, new], alive=1999.0) == again


def test_another_device_is_never_taken_for_it() -> None:
    assert successor(OLD, [comes(source_id="patch-2")]) is None
    assert successor(OLD, [comes(source_id="")]) is None
    assert successor(OLD, [comes(name="Patch two")]) is None  # several devices may share a source id
    assert successor(OLD, [comes(type="Markers")]) is None
    assert successor(OLD, [comes()], others={"new"}) is None
    # One that was there before the old one ended is another one, even if all its words are the same.
    assert successor(OLD, [comes(created=1500.0)], alive=1999.0) is None
    assert successor(OLD, [comes(created=1998.8)], alive=1999.0) is not None


@pytest.mark.parametrize("made_up", ["", "-3236350374392987396"])
def test_without_a_lasting_source_id_the_host_counts(made_up: str) -> None:
    old = replace(OLD, source_id=made_up)
    assert successor(old, [comes(source_id="3236350374392987397")]) is not None
    assert successor(old, [comes(source_id="")]) is not None
    assert successor(old, [comes(source_id="", host="elsewhere")]) is None
    assert successor(old, [comes(source_id="patch-2")]) is None
