"""``warm``: compile the network loops before anybody waits for them."""

import time

from models.networks.kept import is_warm


def warm_loops(*, again: bool) -> None:
    """Compile what is not compiled yet, with a line for every part that is ready; silent when there is nothing to do."""
    if is_warm() and not again:
        return
    from models.networks.warm import PARTS, warm
    from service.commands.screen import progress_console

    began, done = time.monotonic(), 0

    def ready(part: str) -> None:
        nonlocal done
        done += 1
        progress_console.print(f"  {part} ({done} of {len(PARTS)}, {time.monotonic() - began:.0f} s)", highlight=False)

    progress_console.print("compiling the loops of the networks for this machine, once, about half a minute:")
    warm(ready)
