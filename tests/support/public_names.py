"""A resolver whose answers are the test's own, for legs to public addresses only.

No test connects to the internet: where an address counts as public, the test's connector has a machine of its own
behind it.
"""

from __future__ import annotations

from collections.abc import Mapping

PUBLIC = "93.184.215.14"
PUBLIC_TOO = "2606:4700:4700::1111"

NOT_PUBLIC: Mapping[str, tuple[str, ...]] = {
    "loopback.test": ("127.0.0.1",),
    "loopback6.test": ("::1",),
    "mapped.test": ("::ffff:127.0.0.1",),
    "private.test": ("10.0.0.1",),
    "metadata.test": ("169.254.169.254",),
    "public-and-private.test": (PUBLIC, "10.0.0.1"),
    "private-and-public.test": ("fd00::1", PUBLIC_TOO),
    "zone.test": ("fe80::1%eth0",),
}


class Names:
    """Answers look-ups of one name, one after another; `asked` counts them."""

    def __init__(self, *answers: tuple[str, ...]) -> None:
        self.asked = 0
        self._answers = answers

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked += 1
        return list(self._answers[min(self.asked, len(self._answers)) - 1])
