"""Conditions are awaited, never slept for: asked again and again until they hold or their time is up."""

import time

PAUSE = 0.2


class Late(AssertionError):
    """A condition did not come to hold in time."""


def within(seconds, what, condition, pause=PAUSE):
    """What `condition` gives once it gives something; `what` may be a function that tells more when it is late."""
    end = time.monotonic() + seconds
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > end:
            raise Late(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(pause)


def same(found, expected, what):
    """Texts can be long: says where they part."""
    if found == expected:
        return
    if isinstance(found, str) and isinstance(expected, str):
        pairs = zip(found, expected)
        at = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(found), len(expected)))
        raise AssertionError(
            f"{what}: {len(found)} characters instead of {len(expected)}, another at {at}: "
            f"{found[at:at + 40]!r} instead of {expected[at:at + 40]!r}"
        )
    raise AssertionError(f"{what}: {found!r} instead of {expected!r}")
