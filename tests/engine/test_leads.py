"""Names of leads: what is understood, what is refused."""

import pytest

from engine.errors import UsageError
from engine.leads import LEADS, Origin, canonical, label, parse


@pytest.mark.parametrize(("name", "lead"), [("avr", "aVR"), (" II ", "II"), ("Lead V1", "V1"), ("lead_iii", "III")])
def test_spellings(name: str, lead: str) -> None:
    assert canonical(name) == lead


@pytest.mark.parametrize("name", ["MLII", "dV1", "V7", "", "ECG"])
def test_what_is_no_lead(name: str) -> None:
    assert canonical(name) is None


def test_parse_keeps_the_order_of_leads() -> None:
    assert parse("v4, ii,I") == ("I", "II", "V4")
    assert parse(",".join(reversed(LEADS))) == LEADS


@pytest.mark.parametrize("names", ["I,II,V9", "I,I", "", "I;II"])
def test_parse_refuses(names: str) -> None:
    with pytest.raises(UsageError, match="lead"):
        parse(names)


def test_derived_leads_say_so() -> None:
    assert label("V1", Origin.ESTIMATED) == "dV1"
    assert label("III", Origin.COMPUTED) == "dIII"
    assert label("III", Origin.MEASURED) == "III"
