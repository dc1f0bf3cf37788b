"""``warm``: compile the loops of networks, bills, markets and customers before anybody waits for them."""

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
    warm_markets()
    progress_console.print(f"  bills, auctions and order books ({time.monotonic() - began:.0f} s)", highlight=False)
    from customers.warm import warm_customers

    warm_customers()
    progress_console.print(f"  meter data and packages ({time.monotonic() - began:.0f} s)", highlight=False)


def warm_markets() -> None:
    """Compile the loops of bills, auctions and order books by one tiny call of each."""
    import numpy as np

    from market.auction import Curtail, clear
    from market.book import OrderBook
    from models.tariffs.sums import Runs, sums, weighed

    for readings in (np.ones((1, 2), dtype=np.int32), np.ones((1, 2), dtype=np.int64)):
        sums(readings, Runs(np.array([0, 2]), np.array([0]), 1))
        weighed(readings, np.ones(2, dtype=np.int64), 0)
    for rule in Curtail:
        clear(np.array([1, 2, 10**6], dtype=np.int64), np.array([-1, 1, 1], dtype=np.int64), curtail=rule)
    book = OrderBook(0, 10)
    book.enter(1, 0, 5, 2)
    book.apply(np.array([[0, 0, 2, 1, 5, 1, 0, 0, 0, 0], [1, 0, 1, 0, 0, 0, 0, 0, 0, 0]], dtype=np.int64))
