"""LSL's library, loaded when a stream is first needed: most runs need none, and not every machine has it."""

import os
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from engine.errors import UsageError

OWN_SETTINGS = "[log]\nlevel = -3\n"
"""What LSL has to say of lost connections is said by the program itself, where people look."""
SETTINGS_FILES = ("lsl_api.cfg", "~/lsl_api/lsl_api.cfg", "/etc/lsl_api/lsl_api.cfg")
"""Where LSL looks for settings, if ``LSLAPICFG`` names no file."""


@cache
def load() -> Any:
    """The module `pylsl`; without settings of the user's own the library is quiet.

    Raises
    ------
    UsageError
        If there is no such library here.
    """
    try:
        import pylsl
    except (ImportError, OSError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UsageError(f"LSL cannot be used: {reason}; ecgstream doctor says what to install") from error
    has_settings = "LSLAPICFG" in os.environ or any(Path(file).expanduser().is_file() for file in SETTINGS_FILES)
    if not has_settings and hasattr(pylsl, "set_config_content"):
        with suppress(NotImplementedError):  # an older library, of the user's own: it talks
            pylsl.set_config_content(OWN_SETTINGS)
    return pylsl
