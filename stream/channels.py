"""Which channels of a device are which leads, and what a number in them is in mV; never by guess."""

import math
import re
import shlex
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from engine.errors import SourceError, UsageError
from engine.leads import CHEST, INDEX, LEADS, LIMB, canonical

UNITS_MV = {
    **dict.fromkeys(("nv", "nanovolt", "nanovolts"), 1e-6),
    **dict.fromkeys(("uv", "μv", "âμv", "microvolt", "microvolts", "micro volt", "micro volts"), 1e-3),
    **dict.fromkeys(("mv", "millivolt", "millivolts", "milli volt", "milli volts"), 1.0),
    **dict.fromkeys(("v", "volt", "volts"), 1e3),
}
"""Millivolts in a unit, by its name without case (the micro sign then is a Greek mu, or what is left of one that was
read as Latin-1)."""

POWERS = {0: "V", -3: "mV", -6: "uV", -9: "nV"}
"""Units that are told as the power of ten of a volt, as mne-lsl does."""

EXAMPLE_SCALE = "0.806uV"
"""Stands in what people are told to type, for what only the device's manual knows."""

PROPOSED_CHEST = "V4"
"""What a third unnamed channel most likely is: only ever proposed, never taken."""

MOST_TOLD = 16
"""Channels that one line for people names."""

_SCALE = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([^\W\d]\S*)\s*")
_POWER = re.compile(r"[+-]?\d{1,2}")
_DECORATION = re.compile(r"(?:ecg|ekg)[\s_.:/-]+(?=\S)", re.IGNORECASE)
_OTHER_NAME = re.compile(
    r"n?seq|count|cnt|packet|sample.?n|index|trig|mark|event|stim|status|digital|time|acc|gyr|magn|mag\b|orient|quat|"
    r"imp\b|imped|lead.?off|loff|batt|temp|resp|ppg|spo2|eda\b|gsr\b|lux|light|humid|press|rssi|heart ?rate|hr\b|rr\b",
    re.IGNORECASE,
)
"""How the labels and kinds of channels begin that are no ECG: numbers of samples, triggers, movement, ..."""
_OTHER_UNIT = re.compile(r"m?g|m/s.*|.*ohms?|.?Ω|.?ω|°.*|deg.*|celsius|%|percent|bpm|.?hz|m?s|lux|.?pa", re.IGNORECASE)
"""Units that are known, and are no voltage."""
_WATCH = re.compile(
    r"(?:(?P<before>lead.?off|loff|imp(?:edance)?)[\s_.:-]+(?P<lead>\S.*))|"
    r"(?:(?P<other>\S.*?)[\s_.:-]+(?P<after>lead.?off|loff|imp(?:edance)?))",
    re.IGNORECASE,
)
"""A channel that tells of a lead's electrode: ``lead off V4``, ``V4_LOFF``, ``impedance II``."""
_OHMS = {"ohm": 1.0, "ohms": 1.0, "kohm": 1e3, "kohms": 1e3, "mohm": 1e6, "mohms": 1e6, "ω": 1.0, "kω": 1e3, "mω": 1e6}
HIGHEST_OHM = 620e3
"""The electrode through which a monitor must still measure (IEC 60601-2-27, input impedance): beyond it is off."""
_ECG_WORD = re.compile(r"e[ck]g", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel as its device describes it; its number is its place in the stream, from 1.

    Attributes
    ----------
    label : str
        What the device calls it; empty if it does not.
    unit : str
        What its numbers are in, as the device spells it; empty if it does not say.
    kind : str
        What the device says it measures, such as ``ECG`` or ``ACC``; empty if it does not say.
    """

    label: str
    unit: str = ""
    kind: str = ""

    def __str__(self) -> str:
        unit = self.unit.strip()[:20]
        if _POWER.fullmatch(unit) and int(unit) in POWERS:
            unit = f"{unit}: {POWERS[int(unit)]}"
        words = f"{self.label.strip()[:40] or 'without a label'}{f' ({unit})' if unit else ''}"
        return "".join(letter if letter.isprintable() else "?" for letter in words)


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a person says of a channel: ``--map A1=II:0.806uV``.

    Attributes
    ----------
    channel : str
        Its label, or its number from 1.
    lead : str
        Which lead it is.
    mv_per_count : float or None
        What one of its numbers is in mV; None leaves that to the device.
    """

    channel: str
    lead: str
    mv_per_count: float | None = None


class Refused(SourceError):
    """A device's channels cannot be taken as they are described.

    Attributes
    ----------
    why : str
        What is the matter.
    maps : tuple of str
        Values of ``--map`` that would make them usable, if their leads and scale are right; empty if nothing would.
    """

    def __init__(self, what: str, why: str, maps: tuple[str, ...] = (), found: str = "") -> None:
        self.why = why
        self.maps = maps
        super().__init__("; ".join((f"{what}: {why}", *([f"found {found}"] if found else []), *self._advice())))

    @property
    def options(self) -> str:
        """The options to type, quoted for a shell."""
        return " ".join(f"--map {shlex.quote(each)}" for each in self.maps)

    def _advice(self) -> list[str]:
        if not self.maps:
            return []
        return [f"type for example {self.options}{f' ({self.note})' if self.note else ''}"]

    @property
    def note(self) -> str:
        """What to put in place of what only the device's manual knows; empty if there is no such thing."""
        has_example = any(each.endswith(f":{EXAMPLE_SCALE}") for each in self.maps)
        return f"{EXAMPLE_SCALE}: the microvolts a count that the device's manual says" if has_example else ""


@dataclass(frozen=True, slots=True)
class Choice:
    """The channels that are the input.

    Attributes
    ----------
    leads : tuple of str
        In the order of `LEADS`.
    columns : tuple of int
        The place of each lead's channel in the stream, from 0.
    to_mv : tuple of float
        What a number of each is in mV.
    watches : tuple of (str, int, float)
        Channels that tell of an electrode: whose lead, the place in the stream, and beyond which value it is off.
    """

    leads: tuple[str, ...]
    columns: tuple[int, ...]
    to_mv: tuple[float, ...]
    watches: tuple[tuple[str, int, float], ...] = ()

    def place(self, samples: NDArray[Any]) -> NDArray[np.float32]:
        """The leads of what a device has sent.

        Parameters
        ----------
        samples : ndarray, (n, channels), any numeric type
            As they came.

        Returns
        -------
        ndarray, (12, n) float32, mV
            NaN in the rows of all other leads, and where a channel says that a lead's electrode is off.
        """
        placed = np.full((len(LEADS), len(samples)), np.nan, np.float32)
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is not finite, so not known
            for lead, column, to_mv in zip(self.leads, self.columns, self.to_mv, strict=True):
                placed[INDEX[lead]] = samples[:, column] * np.float64(to_mv)
        for lead, column, limit in self.watches:
            placed[INDEX[lead], samples[:, column] > limit] = np.nan
        return placed


def parse_map(pairs: Iterable[str]) -> tuple[Assignment, ...]:
    """What ``--map`` says: ``A1=II``, ``A1=II:0.806uV`` (what a count is), ``3=V4`` (by number).

    Raises
    ------
    UsageError
        If one says nothing, or a channel or a lead is named twice.
    """
    assignments = tuple(_assignment(pair) for pair in pairs)
    for word, names in (("channel", [a.channel for a in assignments]), ("lead", [a.lead for a in assignments])):
        if twice := [name for name, count in Counter(names).items() if count > 1]:
            raise UsageError(f"--map names {word} {twice[0]} twice; name it once")
    return assignments


def _assignment(pair: str) -> Assignment:
    channel, equals, right = pair.rpartition("=")
    lead_name, colon, scale = right.partition(":")
    lead = canonical(lead_name)
    if equals and channel.strip() and lead is None:
        raise UsageError(f"--map '{pair}': '{lead_name.strip()}' is not a lead; the leads are {', '.join(LEADS)}")
    if not equals or not channel.strip() or lead is None:
        raise UsageError(f"--map '{pair}' is not CHANNEL=LEAD; write for example --map A1=II or --map 1=II:0.806uV")
    if not colon:
        return Assignment(channel.strip(), lead)
    matched = _SCALE.fullmatch(scale)
    unit_mv = millivolts(matched[2]) if matched else None
    mv_per_count = float(matched[1]) * unit_mv if matched and unit_mv else 0.0
    if not math.isfinite(mv_per_count) or mv_per_count == 0:
        raise UsageError(
            f"--map '{pair}': '{scale}' is no voltage; write what one count is, for example {EXAMPLE_SCALE}"
        )
    return Assignment(channel.strip(), lead, mv_per_count)


def millivolts(unit: str) -> float | None:
    """What a unit is in mV, or None if it is not known to be a voltage.

    Parameters
    ----------
    unit : str
        As devices write it: ``uV``, ``µV``, ``microvolts``, ``mV``, ``V``, or as a power of ten of a volt: ``-6``.
    """
    word = unicodedata.normalize("NFKC", unit).strip().casefold()
    if _POWER.fullmatch(word):
        word = POWERS.get(int(word), "").casefold()
    return UNITS_MV.get(word)


def lead_of(channel: Channel) -> str | None:
    """The lead that a channel says it is: ``II``, ``Lead II``, ``ECG_V4``; None for any other."""
    name = _DECORATION.sub("", channel.label.strip(), count=1)
    # A lead that is told upside down, such as -aVR, is not that lead.
    return None if name.startswith(("-", "−")) or is_other(channel) else canonical(name)


def is_other(channel: Channel) -> bool:
    """Whether a channel says that it is no ECG: a counter, a trigger, an impedance, movement, ..."""
    words = (*re.split(r"[\s_.:/()\[\]-]+", channel.label), channel.label, channel.kind)
    return bool(_OTHER_UNIT.fullmatch(channel.unit.strip())) or any(_OTHER_NAME.match(word.strip()) for word in words)


def watched_by(channel: Channel) -> tuple[str, float] | None:
    """Whose electrode a channel tells of, and beyond which value that is off; None for any other channel."""
    found = _WATCH.fullmatch(channel.label.strip())
    lead = canonical(found["lead"] or found["other"]) if found else None
    if found is None or lead is None:
        return None
    if not (found["before"] or found["after"]).casefold().startswith("imp"):
        return lead, 0.0
    ohms = _OHMS.get(unicodedata.normalize("NFKC", channel.unit).strip().casefold())
    return (lead, HIGHEST_OHM / ohms) if ohms else None


def choose(
    channels: Sequence[Channel], assignments: Sequence[Assignment], wanted: tuple[str, ...] | None, what: str
) -> Choice:
    """The channels that are the input.

    Parameters
    ----------
    channels : sequence of Channel
        All that the device has, in its order.
    assignments : sequence of Assignment
        What people say of them; it wins over what they say themselves.
    wanted : tuple of str or None
        The leads that are the input. None means I, II and V4 (two other limb leads if it lacks these) of a device that
        has all eight independent ones, else all it has.
    what : str
        The device, for people.

    Raises
    ------
    Refused
        If a channel that people speak of is not there, two are the same lead, a lead that is wanted is missing, there
        are fewer than two limb leads, or a unit is unknown.
    """
    return _Choosing(tuple(channels), tuple(assignments), wanted, what).choice()


def held(channels: Sequence[Channel], assignments: Sequence[Assignment], what: str) -> Choice:
    """All leads of a recording whose unit is known, whichever of them will be the input; there may be none.

    Raises
    ------
    Refused
        If a channel that people speak of is not there, or two are the same lead.
    """
    return _Choosing(tuple(channels), tuple(assignments), None, what).held()


class _Choosing:
    """One choice, step by step; each step knows what to propose when it has to refuse."""

    def __init__(
        self,
        channels: tuple[Channel, ...],
        assignments: tuple[Assignment, ...],
        wanted: tuple[str, ...] | None,
        what: str,
    ) -> None:
        self.channels = channels
        self.what = what
        self.wanted = wanted
        self._labelled: dict[str, list[int]] = {}
        self._folded: dict[str, list[int]] = {}
        for column, channel in enumerate(channels):
            if label := channel.label.strip():
                self._labelled.setdefault(label, []).append(column)
                self._folded.setdefault(label.casefold(), []).append(column)
        self.assigned = self._find(assignments)
        self.lead_at: dict[int, str] = {}
        for column, channel in enumerate(channels):
            if lead := self.assigned[column].lead if column in self.assigned else lead_of(channel):
                self.lead_at[column] = lead

    def choice(self) -> Choice:
        self._check_twice()
        column_of = {lead: column for column, lead in self.lead_at.items()}
        found = tuple(lead for lead in LEADS if lead in column_of)
        leads = self.wanted or usual(found)
        if missing := [lead for lead in leads if lead not in column_of]:
            self._refuse(f"no channel is said to be {_and(missing)}", "choose among what there is")
        if sum(lead in LIMB for lead in leads) < 2:
            self._refuse_limb(leads)
        columns = [column_of[lead] for lead in leads]
        scales = {column: scale for column in columns if (scale := self._to_mv(column)) is not None}
        if unknown := [column for column in columns if column not in scales]:
            self._refuse(f"{self._without_unit(unknown)}, so what a number is in mV is not known", "say it with --map")
        ordered = tuple(sorted(leads, key=INDEX.__getitem__))
        watched = [(column, watched_by(channel)) for column, channel in enumerate(self.channels)]
        return Choice(
            ordered,
            tuple(column_of[lead] for lead in ordered),
            tuple(scales[column_of[lead]] for lead in ordered),
            tuple((each[0], column, each[1]) for column, each in watched if each is not None and each[0] in ordered),
        )

    def held(self) -> Choice:
        self._check_twice()
        scales = {lead: (column, self._to_mv(column)) for column, lead in self.lead_at.items()}
        known = [(lead, *scales[lead]) for lead in LEADS if lead in scales and scales[lead][1] is not None]
        return Choice(
            tuple(lead for lead, *_ in known), tuple(c for _, c, _ in known), tuple(s or 0.0 for *_, s in known)
        )

    def _find(self, assignments: tuple[Assignment, ...]) -> dict[int, Assignment]:
        """The assignments by the place of the channel they speak of."""
        found: dict[int, Assignment] = {}
        for assignment in assignments:
            columns = self._columns_called(assignment.channel)
            pair = f"{assignment.channel} = {assignment.lead}"
            if not columns:
                why = f"there is no channel '{assignment.channel}' ({pair})"
                raise Refused(self.what, why, found=listed(self.channels))
            if len(columns) > 1:
                numbers = [str(column + 1) for column in columns]
                raise Refused(
                    self.what,
                    f"channels {_and(numbers)} are both called '{assignment.channel}'",
                    (f"{numbers[0]}={assignment.lead}",),
                )
            if columns[0] in found:
                raise Refused(self.what, f"'{found[columns[0]].channel}' and '{assignment.channel}' are one channel")
            found[columns[0]] = assignment
        return found

    def _columns_called(self, name: str) -> list[int]:
        called = self._labelled.get(name) or self._folded.get(name.casefold())
        if called:
            return called
        is_number = name.isascii() and name.isdigit() and len(name) < 6 and 1 <= int(name) <= len(self.channels)
        return [int(name) - 1] if is_number else []

    def _is_found(self, column: int) -> bool:
        """Whether there is a name for a channel that means no other."""
        return self._columns_called(self._name(column)) == [column]

    def _check_twice(self) -> None:
        for lead, count in Counter(self.lead_at.values()).items():
            if count > 1:
                names = [self._name(column) for column, its_lead in self.lead_at.items() if its_lead == lead]
                raise Refused(self.what, f"channels {_and(names)} are both {lead}; map one of them to another lead")

    def _to_mv(self, column: int) -> float | None:
        scale = self.assigned[column].mv_per_count if column in self.assigned else None
        return millivolts(self.channels[column].unit) if scale is None else scale

    def _without_unit(self, columns: list[int]) -> str:
        units = {self.channels[column].unit.strip() for column in columns}
        names = _and([self._name(column) for column in columns])
        word = "channel" if len(columns) == 1 else "channels"
        has, is_ = ("has", "is") if len(columns) == 1 else ("have", "are")
        if units == {""}:
            return f"{word} {names} {has} no unit"
        return f"{word} {names} {is_} in {_and(sorted(repr(unit) for unit in units))}, which is no voltage"

    def _refuse_limb(self, leads: tuple[str, ...]) -> NoReturn:
        limb = [lead for lead in leads if lead in LIMB]
        has = f"only {limb[0]} is a limb lead" if limb else "no channel is said to be a limb lead"
        need = f"two of {', '.join(LIMB)} are needed"
        if self.wanted is not None:
            raise Refused(self.what, f"{', '.join(leads)} are too few: {need}; name two of them in --leads")
        self._refuse(f"{has}, and {need}", "it cannot be used alone")

    def _refuse(self, why: str, otherwise: str) -> NoReturn:
        """Refuse with what to type, or where nothing helps with that said."""
        maps = self._proposal()
        raise Refused(self.what, why if maps else f"{why}: {otherwise}", maps or (), listed(self.channels))

    def _proposal(self) -> tuple[str, ...] | None:
        """Everything to type after ``--map`` so that nothing is left to refuse; None where there is nothing."""
        lead_at = dict(self.lead_at)
        free = self._free(tuple(lead_at.values()))
        for lead in self._lacking(tuple(lead_at.values()), len(free)):
            if not free:
                return None
            lead_at[free.pop(0)] = lead
        if not all(self._is_found(column) for column in lead_at):
            return None
        selected = self.wanted or usual(tuple(lead for lead in LEADS if lead in lead_at.values()))
        maps = []
        for column, lead in sorted(lead_at.items()):
            is_new = lead_of(self.channels[column]) != lead
            needs_scale = lead in selected and self._to_mv(column) is None
            if needs_scale or is_new or column in self.assigned:
                maps.append(self._pair(column, lead, needs_scale=needs_scale))
        return tuple(maps)

    def _free(self, leads: tuple[str, ...]) -> list[int]:
        """The channels that may be leads: those that say that they are an ECG, and others where these are too few."""
        free = [c for c, channel in enumerate(self.channels) if c not in self.lead_at and not is_other(channel)]
        free = [c for c in free if self._is_found(c)]
        ecg = [c for c in free if self._is_ecg(c)]
        if len(self._lacking(leads, 0)) <= len(ecg):
            return ecg
        return [*ecg, *(c for c in free if c not in ecg and self._may_be_volts(c))]

    def _lacking(self, leads: tuple[str, ...], free: int) -> list[str]:
        """The leads that free channels have to be."""
        if self.wanted is not None:
            return [lead for lead in self.wanted if lead not in leads]
        limb = [lead for lead in LIMB if lead not in leads][: max(0, 2 - sum(lead in LIMB for lead in leads))]
        has_chest = any(lead in CHEST for lead in leads)
        return limb if has_chest or len(limb) >= free or not limb else [*limb, PROPOSED_CHEST]

    def _pair(self, column: int, lead: str, *, needs_scale: bool) -> str:
        assignment = self.assigned.get(column)
        if needs_scale:
            return f"{self._name(column)}={lead}:{EXAMPLE_SCALE}"
        if assignment is not None and assignment.mv_per_count is not None:
            return f"{self._name(column)}={lead}:{1000 * assignment.mv_per_count:g}uV"
        return f"{self._name(column)}={lead}"

    def _name(self, column: int) -> str:
        """What to call a channel, so that it is found again: its label, or its number."""
        label = self.channels[column].label.strip()
        is_clear = bool(label) and label.isprintable() and len(label) <= 40 and self._columns_called(label) == [column]
        return label if is_clear else str(column + 1)

    def _is_ecg(self, column: int) -> bool:
        channel = self.channels[column]
        return bool(_ECG_WORD.search(channel.label) or _ECG_WORD.search(channel.kind))

    def _may_be_volts(self, column: int) -> bool:
        unit = self.channels[column].unit
        return not unit.strip() or millivolts(unit) is not None


def listed(channels: Sequence[Channel]) -> str:
    """Channels with their numbers, for people: ``1 I (uV), 2 II (uV)``."""
    if not any(channel.label or channel.unit for channel in channels):
        return f"{len(channels)} {'channel' if len(channels) == 1 else 'channels'} without a label"
    told = [f"{number} {channel}" for number, channel in enumerate(channels[:MOST_TOLD], 1)]
    return ", ".join(told) + (f" and {len(channels) - MOST_TOLD} more" if len(channels) > MOST_TOLD else "")


def usual(found: Sequence[str]) -> tuple[str, ...]:
    """The input where nobody asks for leads: I, II and V4 of a device that has all the eight, else all it has."""
    limb = tuple(lead for lead in found if lead in LIMB)
    complete = len(limb) >= 2 and all(lead in found for lead in CHEST)
    return (*limb[:2], "V4") if complete else tuple(found)


def _and(words: Sequence[str]) -> str:
    return " and ".join((", ".join(words[:-1]), words[-1])) if len(words) > 1 else "".join(words)
