"""How a site is polled when its time runs faster than the machine's."""

from dataclasses import replace

from models.site import Site

REAL_POLL_S = 0.4
"""No device is asked more often than this in real seconds, whatever the speed."""


def paced(site: Site, speed: float) -> Site:
    """Return the site with poll periods that a machine can keep at this speed; unchanged in real time."""
    if speed <= 1:
        return site
    least_s = min(REAL_POLL_S * speed, 60.0)
    return replace(site, devices=tuple(replace(d, poll_s=max(d.poll_s, least_s)) for d in site.devices))
