"""Plans that need a protective rule, one or more for each: what would go wrong without it does happen; the seed moves it in time."""

from dataclasses import replace
from random import Random

from hil.faultproxy import Fault, Kind
from tests.chaos.episode import Plan, Spell, unique_kw
from tests.chaos.fleet import LIMITS, Act, FleetPlan, Trouble
from tests.chaos.life import FRAME_LIFE_S

LOW, HIGH, STEP = (100, 900, 200, 800, 300, 700), (850, 150, 750, 250, 650, 350), (1557, 318, 155, 362, 106, 99)


def out_of_limits(seed):
    return Plan(seed=seed, commands=((3.0, 720.0 + seed, 90.0),))


def ignoring(seed):
    return Plan(seed=seed, spells=(Spell("ignore", 2.0, 20.0),), commands=((3.0 + seed % 10, 300.0, 90.0),))


def rebooting(seed):
    return Plan(seed=seed, reboots=(10.0 + seed % 15,), commands=((3.0, 300.0, 90.0),))


def late_at_the_deadline(seed):
    late = Fault(Kind.DELAY_REQUEST, 4.9, 9.0, 1.0, delay_s=FRAME_LIFE_S - 0.1, functions=(6,))
    return Plan(seed=seed, faults=(late,), commands=((5.0, 300.0 + seed, 0.5 + 0.1 * (seed % 9)),))


def lost_replies(seed):
    lost = Fault(Kind.DROP_REPLY, 4.9, 7.0 + 0.2 * (seed % 10), 1.0, functions=(6,))
    return Plan(seed=seed, faults=(lost,), commands=((5.0, 300.0, 90.0),))


def late_requests(seed):
    """A frame is late in a gateway while the value changes behind it."""
    late = Fault(Kind.DELAY_REQUEST, 4.9, 5.4, 1.0, delay_s=FRAME_LIFE_S - 0.1, functions=(6,))
    follows = 5.7 + 0.02 * (seed % 10)
    return Plan(seed=seed, faults=(late,), commands=((5.0, 300.0, 90.0), (follows, 400.0, 90.0), (14.0, 500.0, 6.0)))


def replaying(seed):
    replay = Fault(Kind.REPLAY, 4.0, 30.0, 1.0)
    return Plan(seed=seed, faults=(replay,), commands=((2.0, 250.0, 90.0), (10.0 + seed % 10, 300.0, 90.0)))


def glued(seed):
    """On a serial line the echo of a write comes once more in front of the read-back, from a device that ignores writes."""
    at = 5.3 + seed % 20
    slow = Fault(Kind.DELAY_REPLY, at - 0.1, at + 0.1, 1.0, delay_s=0.2, functions=(6,))
    glue = Fault(Kind.GLUE, at + 0.1, at + 0.3, 1.0, functions=(3,))
    deaf = Spell("ignore", 4.0, 40.0)
    return Plan(seed=seed, framer="rtu", faults=(slow, glue), spells=(deaf,), commands=((at, 300.0, 90.0),))


def damaged(seed):
    bent = Fault(Kind.CORRUPT, 4.0, 30.0, 0.5, functions=(3,))
    return Plan(seed=seed, faults=(bent,), commands=tuple((5.0 + 4 * k, 300.0 + 20 * k + seed, 90.0) for k in range(5)))


def late_replies_on_a_serial_line(seed):
    late = Fault(Kind.DELAY_REPLY, 5.0, 14.0, 0.7, delay_s=0.85 + 0.01 * (seed % 10))
    return FleetPlan(seed=seed, framer="rtu", troubles=(Trouble(0, late),), acts=(Act(3.0, 0, "released", (100,)),))


def no_room(seed):
    return Plan(seed=seed, full_disks=((4.0, 8.0),), commands=((5.0 + seed % 6, 300.0, 90.0),))


def scheduled_while_the_clock_is_set(seed):
    by = (-3600.0, 3600.0, -40.0, 15.0)[seed % 4]
    return Plan(seed=seed, jumps=((7.0 + seed % 20, by),), steps=unique_kw(Random(seed), 9))


def clock_set_while_the_bridge_is_down(seed):
    killed = ((6.0, 2.0),)
    return Plan(
        seed=seed, kills=killed, jumps=((7.0, -3600.0),), reboots=(20.0 + seed % 8,), commands=((3.0, 300.0, 12.0),)
    )


def rivalled(seed):
    return Plan(seed=seed, rivals=(5.0 + seed % 30,), commands=((3.0, 300.0, 90.0),))


def two_groups(seed):
    return FleetPlan(seed=seed, acts=(Act(3.0, 0, "group", LOW), Act(8.0 + seed % 20, 0, "group", HIGH)))


def deaf_member(seed):
    deaf = Trouble(0, deaf=(LIMITS[seed % 6],), start_s=6.0, end_s=14.0)
    return FleetPlan(seed=seed, troubles=(deaf,), acts=(Act(3.0, 0, "group", LOW), Act(8.0, 0, "group", HIGH)))


def killed_midway(seed):
    slow = Trouble(0, Fault(Kind.DELAY_REPLY, 7.9, 15.0, 1.0, delay_s=0.3, functions=(6,)))
    return replace(deaf_member(seed), troubles=(slow,), kills=((9.9 + 0.3 * (seed % 6), 1.0),))


def group_beside_half_a_group(seed):
    """A group fails, one of its points is deaf on the way back, and the next group fails on the same point."""
    deaf = (
        Trouble(0, deaf=(LIMITS[3],), start_s=9.0, end_s=13.5),
        Trouble(0, deaf=(LIMITS[1],), start_s=11.4, end_s=20.0),
    )
    third = Act(14.0 + 0.2 * (seed % 10), 0, "group", STEP, 20.0)
    acts = (Act(3.0, 0, "group", LOW), Act(10.0, 0, "group", HIGH, 20.0), third)
    return FleetPlan(seed=seed, troubles=deaf, acts=acts)


def deaf_on_the_way_back(seed):
    deaf = (
        Trouble(0, deaf=(LIMITS[3],), start_s=9.0, end_s=13.0),
        Trouble(0, deaf=(LIMITS[1],), start_s=11.4, end_s=16.0 + seed % 15),
    )
    return FleetPlan(seed=seed, troubles=deaf, acts=(Act(3.0, 0, "group", LOW), Act(10.0, 0, "group", HIGH, 20.0)))


def deaf_after_a_lease(seed):
    """A group gives way to the one of whoever holds a lease; when that ends, one of its points is deaf."""
    deaf = Trouble(0, deaf=(LIMITS[seed % 6],), start_s=17.5, end_s=22.0)
    acts = (Act(3.0, 0, "group", LOW), Act(12.0, 0, "group", HIGH, 6.0, "operator"))
    return FleetPlan(seed=seed, troubles=(deaf,), acts=acts, leases=((10.0, 8.0, "operator", 0),))


def begun_on_a_memory(seed):
    """A gateway begins to answer from its memory just before a group is begun."""
    at = 12.0 + seed % 20
    memory = Trouble(0, Fault(Kind.REPLAY, at - 1.0, at + 4.0, 1.0))
    return FleetPlan(seed=seed, troubles=(memory,), acts=(Act(3.0, 0, "group", LOW, 6.0), Act(at, 0, "group", STEP)))


def leased_midway(seed):
    """Somebody takes a lease while a group is being begun or written."""
    slow = Trouble(0, Fault(Kind.DELAY_REPLY, 7.9, 14.0, 1.0, delay_s=0.2, functions=(6,)))
    lease = (8.3 + 0.15 * (seed % 16), 12.0, "operator", 0)
    return FleetPlan(seed=seed, troubles=(slow,), acts=two_groups(0).acts, leases=(lease,))


def old_answers_among_new(seed):
    """A gateway mixes what it remembers with what the device says, and loses half of it."""
    lost, memory = Fault(Kind.TRUNCATE, 4.0, 14.0, 0.6), Fault(Kind.REPLAY, 2.3, 20.0, 0.6)
    return Plan(seed=seed + 6, faults=(lost, memory))


def late_pulse(seed):
    late = Fault(Kind.DELAY_REQUEST, 4.9, 5.5, 1.0, delay_s=0.9 + 0.1 * (seed % 5), functions=(6,))
    return FleetPlan(seed=seed, acts=(Act(5.0, 0, "start"),), troubles=(Trouble(0, late),))


def unanswered_pulse(seed):
    lost = Fault(Kind.DROP_REPLY, 4.9, 5.6 + 0.1 * (seed % 10), 1.0, functions=(6,))
    return FleetPlan(seed=seed, acts=(Act(5.0, 0, "start"), Act(20.0, 0, "reset")), troubles=(Trouble(0, lost),))


def leased(seed):
    acts = (Act(5.0 + seed % 8, 0, "group", LOW), Act(9.0, 0, "start"))
    return FleetPlan(seed=seed, acts=acts, leases=((4.0, 12.0, "operator", 0),))


def killed_while_leased(seed):
    """The planner's value is overridden by whoever holds the lease; then the bridge dies, and its memory with it."""
    acts = (Act(3.0, 0, "released", (100,)), Act(13.0 + seed % 5, 0, "released", (50 + seed,)))
    return FleetPlan(seed=seed, acts=acts, leases=((6.0, 20.0, "operator", 0),), kills=((10.0, 1.0),))


def resumed_after_a_lease(seed):
    acts = (Act(3.0, 0, "released", (100,)), Act(7.0 + seed % 4, 0, "released", (200,), by="operator"))
    return FleetPlan(seed=seed, acts=acts, leases=((6.0, 8.0, "operator", 0),))


def steep(seed):
    return FleetPlan(seed=seed, acts=(Act(3.0, 0, "ramped", (60,)), Act(4.0 + 0.1 * (seed % 10), 0, "ramped", (390,))))


def in_local_mode(seed):
    local = Trouble(0, local=True, start_s=3.0, end_s=30.0)
    return FleetPlan(seed=seed, troubles=(local,), acts=(Act(8.0 + seed % 20, 0, "released", (100,)),))


def reverting(seed):
    return FleetPlan(seed=seed, acts=(Act(3.0 + seed % 10, 0, "reverting", (100,)),))
