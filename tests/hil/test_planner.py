from hypothesis import given
from hypothesis import strategies as st

from hil.maps import load_map, shipped_maps
from hil.maps.types import Point, RegisterMap, Table
from hil.planner import Block, halves, is_polled, plan_blocks


def map_of(addresses, **fields):
    points = tuple(Point(quantity=f"p{a}", address=a) for a in addresses)
    return RegisterMap(name="m", title="m", source="test", kinds=("chp",), points=points, **fields)


@given(
    addresses=st.sets(st.integers(0, 2000), min_size=1, max_size=80),
    gap=st.integers(0, 60),
    longest=st.integers(1, 125),
    hole=st.tuples(st.integers(0, 2000), st.integers(0, 30)),
)
def test_every_point_is_read_once_within_the_limits_and_never_across_a_hole(addresses, gap, longest, hole):
    first, last = hole[0], hole[0] + hole[1]
    addresses = {a for a in addresses if not first <= a <= last} or {2500}
    blocks = plan_blocks(map_of(addresses, gap_limit=gap, max_block=longest, holes={Table.HOLDING: ((first, last),)}))
    assert sorted(p.address for b in blocks for p in b.points) == sorted(addresses)
    for block in blocks:
        assert block.count <= longest
        assert not (block.start <= last and block.start + block.count > first)
        assert all(b.address - a.end <= gap for a, b in zip(block.points, block.points[1:], strict=False))


def test_a_refused_block_is_cut_at_its_widest_gap_until_the_culprit_is_alone():
    block = Block(Table.HOLDING, map_of([0, 1, 2, 10, 11]).points)
    left, right = halves(block)
    assert [p.address for p in left.points] == [0, 1, 2]
    assert (right.start, right.count) == (10, 2)
    assert [b.count for b in halves(left)] == [2, 1]


def test_the_shipped_maps_need_far_fewer_requests_than_points():
    maps = [load_map(n).for_rating(100.0) for n in shipped_maps()]
    points = sum(is_polled(p) for m in maps for p in m.points)
    requests = sum(len(plan_blocks(m)) for m in maps)
    assert points / requests > 7
