"""Which channels are which leads: by what they say or what people say, and nothing by guess."""

import shlex

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import UsageError
from engine.leads import INDEX, LEADS
from stream.channels import (
    Assignment,
    Channel,
    Choice,
    Refused,
    choose,
    is_other,
    lead_of,
    millivolts,
    parse_map,
    watched_by,
)

C = Channel


def chosen(channels: list[Channel], *maps: str, wanted: tuple[str, ...] | None = None) -> Choice:
    return choose(channels, parse_map(maps), wanted, "Patch")


def refused(channels: list[Channel], *maps: str, wanted: tuple[str, ...] | None = None) -> Refused:
    with pytest.raises(Refused) as caught:
        chosen(channels, *maps, wanted=wanted)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("Patch: ")
    return caught.value


def in_uv(*labels: str) -> list[Channel]:
    return [C(label, "uV") for label in labels]


@pytest.mark.parametrize(
    ("pair", "assignment"),
    [
        ("A1=II", Assignment("A1", "II", None)),
        ("A1=II:0.806uV", Assignment("A1", "II", 0.806e-3)),
        ("3=V4", Assignment("3", "V4", None)),
        (" lead one = lead i : 2 µV ", Assignment("lead one", "I", 2e-3)),
        ("A1=aVF:-1e-3mV", Assignment("A1", "aVF", -1e-3)),
        ("A1=v6:.000001V", Assignment("A1", "V6", 1e-3)),
        ("a=b=II", Assignment("a=b", "II", None)),
        ("=a=II", Assignment("=a", "II", None)),
    ],
)
def test_a_map_is_taken_apart(pair: str, assignment: Assignment) -> None:
    (parsed,) = parse_map([pair])
    assert (parsed.channel, parsed.lead) == (assignment.channel, assignment.lead)
    assert parsed.mv_per_count == (
        None if assignment.mv_per_count is None else pytest.approx(assignment.mv_per_count, rel=1e-12)
    )


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        (["A1"], "is not CHANNEL=LEAD"),
        (["A1=V7"], "'V7' is not a lead"),
        (["=II"], "is not CHANNEL=LEAD"),
        (["A1=II:"], "is no voltage"),
        (["A1=II:0.806"], "is no voltage; write what one count is, for example 0.806uV"),
        (["A1=II:0uV"], "is no voltage"),
        (["A1=II:nanuV"], "is no voltage"),
        (["A1=II:1e999V"], "is no voltage"),
        (["A1=II:0,8uV"], "is no voltage"),
        (["A1=II:5-6"], "is no voltage"),
        (["A1=II", "A2=II"], "names lead II twice"),
        (["A1=II", "A1=I"], "names channel A1 twice"),
    ],
)
def test_a_map_that_says_nothing_is_refused(pairs: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse_map(pairs)


@pytest.mark.parametrize(
    ("unit", "mv"),
    [
        *(
            (unit, 1e-3)
            for unit in ("uV", "\u00b5V", "\u03bcV", "UV", " microvolts ", "microvolt", "\u00c2\u00b5V", "-6")
        ),
        *((unit, 1.0) for unit in ("mV", "millivolts", "MilliVolt", "-3")),
        *((unit, 1e3) for unit in ("V", "volts", "0", "+0")),
        *((unit, 1e-6) for unit in ("nV", "-9")),
        *(
            (unit, None)
            for unit in ("", "counts", "a.u.", "mg", "3", "-1", "-12", "nan", "None", "\u0663", "uVrms", "%")
        ),
    ],
)
def test_units_are_known_or_not(unit: str, mv: float | None) -> None:
    assert millivolts(unit) == mv


@pytest.mark.parametrize(
    ("label", "lead"),
    [
        ("II", "II"),
        ("Lead II", "II"),
        ("ECG II", "II"),
        ("ECG_V4", "V4"),
        ("EKG-aVR", "aVR"),
        ("ecg lead i", "I"),
        ("ECG", None),
        ("ECG1", None),
        ("-aVR", None),
        ("A1", None),
        ("dV1", None),
        ("V10", None),
        ("", None),
    ],
)
def test_a_name_that_says_a_lead_is_that_lead(label: str, lead: str | None) -> None:
    assert lead_of(C(label)) == lead


@pytest.mark.parametrize(
    "channel",
    [
        C("nSeq"),
        C("counter"),
        C("Sample_number"),
        C("TRIGGER"),
        C("Marker"),
        C("ACC_X", "g"),
        C("x", "mg"),
        C("ECG impedance"),
        C("II", "kOhm"),
        C("V1", "", "IMPEDANCE"),
        C("I", "", "counter"),
        C("lead off II"),
        C("Resp"),
    ],
)
def test_what_says_that_it_is_no_ecg_is_never_a_lead(channel: Channel) -> None:
    assert is_other(channel)
    assert lead_of(channel) is None
    error = refused([channel, C("II", "uV")])
    assert error.maps == ()
    assert "cannot be used alone" in error.why


@pytest.mark.parametrize(
    "channel", [C("ECG"), C("A1", "uV"), C("II", "counts"), C("ch1", "", "ExG"), C("V1", "-6", "eeg")]
)
def test_what_may_be_an_ecg_is_not_taken_for_something_else(channel: Channel) -> None:
    assert not is_other(channel)


def test_leads_are_found_by_name_and_come_in_their_order() -> None:
    choice = chosen([C("counter"), *in_uv("V4", "lead ii"), C("ECG I", "mV")])
    assert choice == Choice(("I", "II", "V4"), (3, 2, 1), (1.0, 1e-3, 1e-3))


def test_of_twelve_leads_i_ii_and_v4_are_the_input() -> None:
    assert chosen(in_uv(*LEADS)).leads == ("I", "II", "V4")
    assert chosen(in_uv(*LEADS[2:])).leads == ("III", "aVR", "V4")
    assert chosen(in_uv(*LEADS), wanted=("V1", "I", "III")).leads == ("I", "III", "V1")
    assert chosen(in_uv("I", "II", "V1", "V2")).leads == ("I", "II", "V1", "V2")


def test_a_map_finds_channels_exactly_then_without_case_then_by_number() -> None:
    channels = in_uv("a", "A", "b", "3", "c")
    assert chosen(channels, "A=I", "a=II").columns == (1, 0)
    assert chosen(channels, "B=I", "C=II").columns == (2, 4)
    assert chosen(channels, "3=I", "5=II").columns == (3, 4)
    assert "both called 'x'" in refused(in_uv("x", "x"), "x=I").why
    assert refused(in_uv("x", "x"), "x=I").maps == ("1=I",)
    for number in ("0", "6", "-1", "99999999", "\u0661"):
        assert f"there is no channel '{number}'" in refused(channels, f"{number}=I").why


def test_a_map_wins_over_names_and_units() -> None:
    assert chosen(in_uv("I", "II", "V4"), "V4=V2").leads == ("I", "II", "V2")
    assert chosen(in_uv("I", "II"), "II=II:-3uV").to_mv == (1e-3, 3 * -1e-3)


def test_two_channels_of_one_lead_are_refused() -> None:
    assert "channels II and A are both II; map one of them" in refused(in_uv("I", "II", "A"), "A=II").why
    assert "channels 2 and 3 are both II" in refused(in_uv("I", "II", "II")).why
    assert "are one channel" in refused(in_uv("I", "A", "V4"), "A=II", "2=V1").why


def test_a_unit_is_never_guessed() -> None:
    error = refused([C("I", "uV"), C("II", "uV"), C("V4")])
    assert error.why == "channel V4 has no unit, so what a number is in mV is not known"
    assert error.maps == ("V4=V4:0.806uV",)
    assert "0.806uV: the microvolts a count that the device's manual says" in str(error)
    error = refused([C("I", "counts"), C("II", "counts"), C("V4", "uV")])
    assert error.why.startswith("channels I and II are in 'counts', which is no voltage")
    assert error.maps == ("I=I:0.806uV", "II=II:0.806uV")
    # The unit of what is not the input does not matter.
    assert chosen([C("I", "uV"), C("II", "uV"), C("V4")], wanted=("I", "II")).leads == ("I", "II")


def test_one_limb_lead_is_too_few_and_what_would_help_is_said() -> None:
    assert refused(in_uv("II", "V4", "A")).maps == ("A=I",)
    assert "only II is a limb lead, and two of I, II, III" in refused(in_uv("II", "V4", "A")).why
    assert refused(in_uv("V1", "V4")).maps == ()
    alone = refused([C("ECG", "microvolts", "ECG")])
    assert str(alone) == (
        "Patch: no channel is said to be a limb lead, and two of I, II, III, aVR, aVL, aVF are needed: "
        "it cannot be used alone; found 1 ECG (microvolts)"
    )
    too_few = refused(in_uv("I", "II", "V4"), wanted=("II", "V4"))
    assert "name two of them in --leads" in too_few.why
    assert too_few.maps == ()


def test_what_is_wanted_and_missing_is_said() -> None:
    assert "no channel is said to be V2: choose among" in refused(in_uv("I", "II", "V4"), wanted=("I", "II", "V2")).why
    assert refused(in_uv("I", "II", "A"), wanted=("I", "II", "V2")).maps == ("A=V2",)


def test_channels_without_names_get_a_whole_map_by_number() -> None:
    error = refused([C("")] * 8)
    assert str(error) == (
        "Patch: no channel is said to be a limb lead, and two of I, II, III, aVR, aVL, aVF are needed; "
        "found 8 channels without a label; type for example --map 1=I:0.806uV --map 2=II:0.806uV --map 3=V4:0.806uV "
        "(0.806uV: the microvolts a count that the device's manual says)"
    )
    # A number that is another channel's label means that one.
    assert refused([C("3", "uV"), C("", "uV"), C("", "uV")]).maps == ("3=I", "2=II")
    # What was typed already stays.
    assert refused([C("")] * 3, "2=II:5uV").maps == ("1=I:0.806uV", "2=II:5uV", "3=V4:0.806uV")


def test_an_ecg_is_proposed_before_what_else_there_is() -> None:
    channels = [C("nSeq"), C("EMG", "mV"), C("ECG a", "mV"), C("ECG b", "mV"), C("acc", "g")]
    assert refused(channels).maps == ("ECG a=I", "ECG b=II")
    assert refused(channels[:3]).maps == ("EMG=II", "ECG a=I")
    assert "--map 'ECG a=I'" in str(refused(channels))


def test_names_that_a_terminal_obeys_are_not_printed() -> None:
    error = refused([C("\x1b[2J", "uV"), C("b\x07", "uV")])
    assert error.maps == ("1=I", "2=II")
    assert str(error).isprintable()


def test_samples_are_placed_in_mv() -> None:
    choice = chosen([C("n"), C("V4", "uV"), C("I", "mV"), C("II", "uV")], "II=II:-2uV")
    samples = np.arange(8, dtype=np.int16).reshape(2, 4) * 100
    placed = choice.place(samples)
    assert placed.shape == (12, 2)
    assert placed.dtype == np.float32
    assert placed.flags.c_contiguous
    np.testing.assert_allclose(placed[INDEX["V4"]], [0.1, 0.5])
    np.testing.assert_allclose(placed[INDEX["I"]], [200, 600])
    np.testing.assert_allclose(placed[INDEX["II"]], [-0.6, -1.4], rtol=1e-6)
    others = [INDEX[lead] for lead in LEADS if lead not in ("I", "II", "V4")]
    assert np.isnan(placed[others]).all()
    assert choice.place(samples[:0]).shape == (12, 0)


@pytest.mark.parametrize("kind", ["i1", "i2", "i4", "i8", "f4", "f8"])
def test_every_format_keeps_its_numbers(kind: str) -> None:
    choice = Choice(("I", "II"), (1, 0), (1e-3, 1.0))
    samples = np.array([[-128, 127], [1, 0]], kind)
    np.testing.assert_array_equal(choice.place(samples)[:2], np.array([[0.127, 0], [-128, 1]], np.float32))


def test_what_is_too_large_is_not_finite_and_says_nothing() -> None:
    samples = np.array([[1e300, np.inf, np.nan]])
    placed = Choice(("I", "II", "V1"), (0, 1, 2), (1.0, 1.0, 1.0)).place(samples)
    assert not np.isfinite(placed).any()


NAMES = st.one_of(
    st.sampled_from(
        [*LEADS, "ECG II", "ecg v4", "nSeq", "A1", "a1", "1", "2", "3", "x=y", "-a", "Chest one", "", "  ", "ECG"]
    ),
    st.text(max_size=6),
)
UNITS = st.one_of(st.sampled_from(["uV", "mV", "V", "-6", "", "counts", "g", "Ohm"]), st.text(max_size=3))
CHANNELS = st.builds(C, NAMES, UNITS, st.sampled_from(["", "ECG", "ACC", "ExG"]))


@given(st.lists(CHANNELS, max_size=9), st.none() | st.just(("I", "II", "V2")))
def test_what_is_proposed_is_enough(channels: list[Channel], wanted: tuple[str, ...] | None) -> None:
    try:
        choice = choose(channels, (), wanted, "Patch")
        typed = None
    except Refused as error:
        typed = error
    if typed is not None:
        if not typed.maps:
            return
        assert shlex.split(typed.options) == [word for each in typed.maps for word in ("--map", each)]
        choice = choose(channels, parse_map(typed.maps), wanted, "Patch")
    assert len(set(choice.columns)) == len(choice.leads) >= 2
    assert all(np.isfinite(scale) and scale for scale in choice.to_mv)
    assert list(choice.leads) == [lead for lead in LEADS if lead in choice.leads]


def test_a_channel_that_tells_of_an_electrode_takes_its_lead_away() -> None:
    channels = [Channel(label, unit) for label, unit in (("I", "mV"), ("II", "mV"), ("V4", "mV"))]
    channels += [Channel("lead off V4"), Channel("II_LOFF"), Channel("Impedance I", "kOhm"), Channel("impedance V4")]
    choice = choose(channels, (), None, "patch")
    assert choice.leads == ("I", "II", "V4")
    assert choice.watches == (("V4", 3, 0.0), ("II", 4, 0.0), ("I", 5, 620.0))
    samples = np.array([[1, 2, 3, 0, 0, 5, 9e9], [1, 2, 3, 1, 0, 620, 0], [1, 2, 3, 0, 1, 621, 0]], float)
    placed = choice.place(samples)[[0, 1, 9]]
    assert np.array_equal(placed, [[1, 1, np.nan], [2, 2, np.nan], [3, np.nan, 3]], equal_nan=True)


@pytest.mark.parametrize("label", ["V4", "offset V4", "lead off", "lead off X", "V4 impulse", "impedance", "loff"])
def test_other_channels_watch_nothing(label: str) -> None:
    assert watched_by(Channel(label, "kOhm")) is None
