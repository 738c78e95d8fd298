"""Whether there is a screen to open a window on: asked first, as Qt ends the process where there is none."""

import ctypes
import os
import sys

from engine.errors import UsageError

ADVICE = "add --headless, or set QT_QPA_PLATFORM=offscreen"


def require_screen() -> None:
    """Refuse to start without a screen: Qt would end the process.

    Raises
    ------
    UsageError
        If there is none, or none that answers.
    """
    if sys.platform != "linux":
        return
    display, wayland, platform = map(_set, ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))
    if not (display or wayland or platform):
        raise UsageError(f"there is no screen to open a window on; {ADVICE}")
    is_x = platform.split(":")[0] == "xcb" if platform else not wayland
    if is_x and not answers(display):
        what = f"the screen DISPLAY={display} does not answer" if display else "DISPLAY names no screen"
        raise UsageError(f"{what}; set DISPLAY to one that is there, or {ADVICE}")


def answers(display: str) -> bool:
    """Whether an X server lets this process in; also if that cannot be asked.

    Asked of libxcb, as Qt does: it finds the server and its key in every way that there is. One that is there and says
    nothing holds it up as it would hold up Qt.
    """
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:  # then Qt has none either, and says so
        return True
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connect.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    xcb.xcb_connection_has_error.argtypes = xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(os.fsencode(display) or None, None)
    try:
        return not xcb.xcb_connection_has_error(connection)
    finally:
        xcb.xcb_disconnect(connection)


def _set(name: str) -> str:
    return os.environ.get(name, "")
