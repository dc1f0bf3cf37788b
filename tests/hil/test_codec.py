import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.codec import BlockDecoder, decode_one, encode, resolution
from hil.maps.check import RAW_RANGE
from hil.maps.types import Constant, DataType, Point, Positive, Table, WordOrder

INTEGERS = (DataType.INT16, DataType.UINT16, DataType.INT32, DataType.UINT32)


def point(**fields):
    return Point(**{"quantity": "electricity_kw", "address": 0, "unit": "kW", **fields})


@pytest.mark.parametrize(
    ("order", "registers"),
    [("ABCD", (0x1122, 0x3344)), ("CDAB", (0x3344, 0x1122)), ("BADC", (0x2211, 0x4433)), ("DCBA", (0x4433, 0x2211))],
)
def test_the_four_orders_place_the_bytes_of_0x11223344(order, registers):
    p = point(type=DataType.UINT32, order=WordOrder(order))
    assert encode(p, 0x11223344) == registers
    assert decode_one(p, registers) == 0x11223344


def test_a_float_reads_as_its_ieee_bytes():
    p = point(type=DataType.FLOAT32, unit="W")
    assert decode_one(p, (0x449A, 0x5225)) == pytest.approx(1.23456726, rel=1e-6)


@given(
    kind=st.sampled_from(INTEGERS),
    order=st.sampled_from(WordOrder),
    scale=st.sampled_from([1.0, 0.1, 0.01, 10.0, -1.0]),
    offset=st.sampled_from([0.0, -40.0]),
    positive=st.sampled_from(Positive),
    share=st.floats(0, 1),
)
def test_encode_then_decode_is_within_half_a_count(kind, order, scale, offset, positive, share):
    p = point(type=kind, order=order, scale=scale, offset=offset, positive=positive)
    low, high = (x * p.linear.factor + p.linear.offset for x in RAW_RANGE[kind])
    value = low + share * (high - low)
    assert decode_one(p, encode(p, value)) == pytest.approx(value, abs=0.5001 * resolution(p), rel=1e-12)


@given(
    order=st.sampled_from(WordOrder),
    value=st.floats(-1e6, 1e6),
    kind=st.sampled_from([DataType.FLOAT32, DataType.FLOAT64]),
)
def test_floats_survive_the_round_trip_to_their_own_resolution(order, value, kind):
    p = point(type=kind, order=order, unit="W")
    assert decode_one(p, encode(p, value)) == pytest.approx(value, abs=resolution(p, value) + 1e-12)


@given(raw=st.integers(-(2**63), 2**63 - 1), order=st.sampled_from(WordOrder))
def test_long_integers_keep_53_bits(raw, order):
    p = point(type=DataType.INT64, order=order, unit="kW")
    words = encode(point(type=DataType.INT64, order=order), float(raw)) if abs(raw) < 2**53 else None
    if words is not None:
        assert decode_one(p, words) == raw


def test_a_block_of_mixed_points_decodes_in_the_order_of_the_points():
    points = (
        point(quantity="supply_degc", address=12, type=DataType.INT16, scale=0.1, unit="degC", nan=-32768),
        point(quantity="heat_kw", address=10, type=DataType.INT32, unit="W", positive=Positive.DRAWS),
        point(quantity="running", address=13, type=DataType.BITS, bit=3, unit="1"),
    )
    values = BlockDecoder(points, start=10).decode([0xFFFF, 0xFC18, 715, 0b1000])
    assert np.allclose(values, [71.5, 1.0, 1.0])


def test_the_devices_code_for_no_value_is_not_a_number():
    p = point(quantity="supply_degc", type=DataType.INT16, scale=0.1, unit="degC", nan=-32768)
    assert math.isnan(decode_one(p, (0x8000,)))
    assert encode(p, math.nan) == (0x8000,)


def test_what_does_not_fit_is_refused_in_words():
    with pytest.raises(ValueError, match=r"electricity_kw 40000 is 40000 counts, int16 holds -32768..32767"):
        encode(point(type=DataType.INT16), 40000)
    with pytest.raises(ValueError, match="no code for a missing value"):
        encode(point(type=DataType.INT16), math.nan)
    with pytest.raises(ValueError, match="does not fit float32"):
        encode(point(type=DataType.FLOAT32), 1e60)


def test_coils_hold_flags_and_constants_hold_text():
    coil = point(quantity="running", table=Table.COIL, type=DataType.BITS, unit="1")
    assert encode(coil, 1.0) == (1,)
    assert BlockDecoder([coil], 0).decode([1])[0] == 1.0
    assert Constant(address=0, text="East", length=3).words() == (0x4561, 0x7374, 0)
