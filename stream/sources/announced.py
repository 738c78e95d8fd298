"""Which LSL streams there are on the network, and what each says of itself: asked beside everything else."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from stream import liblsl
from stream.sources.description import Described, describe

FORGOTTEN_S = 2.2
"""A stream that has not answered for so long is not announced any more; LSL asks about once a second."""
FRESH_S = 0.1
"""What was found is not looked at anew before."""
ANSWER_S = 2.0
"""How long a stream may take to say what its channels are."""
AGAIN_S = 3.0
"""One that did not is asked again after so long."""


class Announced:
    """The streams that answer on this network: one search for all who want to know, for as long as they do."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._resolver: Any = None
        self._looked = 0.0
        self._infos: dict[str, Any] = {}
        self._described: dict[str, Described] = {}
        self._called: dict[tuple[str, str], list[Described]] = {}

    def begin(self) -> None:
        """Look for streams until as many have ended as have begun."""
        liblsl.load()  # raises where there is none
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._looked, self._infos, self._called = 0.0, {}, {}
                self._resolve()

    def end(self) -> None:
        """Nobody of those who began needs it any more."""
        with self._lock:
            self._users -= 1
            if not self._users:
                discarded, self._resolver = [self._resolver], None
                discard(discarded)

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Look for streams meanwhile."""
        self.begin()
        try:
            yield
        finally:
            self.end()

    def infos(self) -> dict[str, Any]:
        """A `pylsl.StreamInfo` without its channels of each stream, by uid."""
        with self._lock:
            self._look()
            return self._infos

    def called(self, name: str, type_: str) -> list[Described]:
        """The streams of this name and type; what their channels are is not known."""
        with self._lock:
            self._look()
            return self._called.get((name, type_), [])

    def _resolve(self) -> None:
        with suppress(RuntimeError):  # no socket is free: another time
            self._resolver = liblsl.load().ContinuousResolver(forget_after=FORGOTTEN_S)

    def _look(self) -> None:
        now = time.monotonic()
        if not self._users or now - self._looked < FRESH_S:
            return
        if self._resolver is None:
            self._resolve()
            return
        self._infos = {info.uid(): info for info in self._resolver.results()}
        known = self._described
        self._described = {uid: known.get(uid) or described(info, answers=False) for uid, info in self._infos.items()}
        self._called = {}
        for each in self._described.values():
            self._called.setdefault((each.name, each.type), []).append(each)
        self._looked = now


ANNOUNCED = Announced()
"""One a process: a resolver for each of hundreds of inlets would flood the network just when it is in trouble."""


class Search:
    """What the streams on the network say of themselves, as far as they have answered.

    Attributes
    ----------
    streams : dict of str to Described
        By uid, in the order in which they were found.
    infos : dict of str to pylsl.StreamInfo
        The same, to connect to.
    asked : int
        Streams that have not answered yet.
    """

    def __init__(self) -> None:
        self.streams: dict[str, Described] = {}
        self.infos: dict[str, Any] = {}
        self.asked = 0
        self._questions: dict[str, _Question] = {}

    def look(self) -> None:
        """See what there is now, and ask what is new; returns at once."""
        self.infos = dict(ANNOUNCED.infos())
        questions, now = {}, time.monotonic()
        for uid, info in self.infos.items():
            question = self._questions.get(uid)
            if question is None or (question.is_failed and now - question.began > AGAIN_S):
                question = _Question(info)
            questions[uid] = question
        self._questions = questions
        # What has answered before is not forgotten while it is asked again.
        known = {uid: question.answer or self.streams.get(uid) for uid, question in questions.items()}
        self.streams = {uid: stream for uid, stream in known.items() if stream is not None}
        self.asked = len(self.infos) - len(self.streams)


class _Question:
    """A stream is asked for its full description, in a thread: a dead one may never answer."""

    def __init__(self, info: Any) -> None:
        self.began = time.monotonic()
        self.answer: Described | None = None
        self.is_failed = False
        threading.Thread(target=self._ask, args=(info,), name="lsl description", daemon=True).start()

    def _ask(self, info: Any) -> None:
        lsl = liblsl.load()
        try:
            inlet = lsl.StreamInlet(info, max_buflen=1, recover=False)
            self.answer = described(inlet.info(timeout=ANSWER_S))
        except (RuntimeError, ValueError):  # it is lost, does not answer, or says what nobody understands
            self.is_failed = True
            self.answer = described(info, answers=False)


def described(info: Any, *, answers: bool = True) -> Described:
    """A stream from its `pylsl.StreamInfo`.

    Raises
    ------
    ValueError
        If its description is none, and it was its full one.
    """
    if answers:
        return describe(info.as_xml())
    try:
        return replace(describe(info.as_xml()), answers=False)
    except ValueError:
        return Described(info.name(), info.type(), info.source_id(), info.uid(), answers=False)


def streams(wait_s: float = 2.0) -> list[Described]:
    """All streams on the network, by name.

    Parameters
    ----------
    wait_s : float
        How long to look for them; those that have not said by then what their channels are do not say it.
    """
    search, until = Search(), time.monotonic() + wait_s
    with ANNOUNCED.looking():
        while True:
            search.look()
            if (left := until - time.monotonic()) <= 0:
                break
            time.sleep(min(0.1, left))
        silent = {
            uid: described(info, answers=False) for uid, info in search.infos.items() if uid not in search.streams
        }
    return sorted((*search.streams.values(), *silent.values()), key=lambda each: (each.name.casefold(), each.uid))


def discard(things: list[Any]) -> None:
    """Let go of objects of LSL that nobody else holds: in a thread, as their end may wait for the network."""
    threading.Thread(target=things.clear, name="lsl end", daemon=True).start()
