"""What a set of measurements does not see, as findings with their place."""

from models.findings import Finding, error, warning
from twin.estimate.problem import Estimate, Origin


def blind_spots(found: Estimate) -> list[Finding]:
    """Return what keeps an estimate from being one: no reading at all, elements that no sensor sees, a fit that did not converge."""
    findings = []
    if not any(s.sensor.origin is Origin.METER for s in found.sensors):
        findings.append(error("readings", "hold nothing that a meter of this site shows; every value is a nominal one"))
    unseen: dict[str, list[str]] = {}
    for name in found.unobservable:
        element, _, quantity = name.rpartition(".")
        unseen.setdefault(element, []).append(quantity)
    findings += [
        warning(element, f"no sensor sees its {', '.join(quantities)}; meter it or a neighbour", element)
        for element, quantities in unseen.items()
    ]
    if not found.fit.converged:
        worst = max(found.sensors, key=lambda s: s.normalised_residual)
        words = f"fits worst ({worst.normalised_residual:.1f} sigma) in an estimate that did not converge; the laws are missed by "
        findings.append(error(worst.sensor.name, f"{words}{found.fit.law_residual:.2g}", worst.sensor.element))
    return findings
