"""What a run takes elsewhere: every formula by hand."""

import pytest

from byol_tf.training.utilisation import utilisation
from tests.support.encoders import undrawn
from tools import make_scaling, scaling


def test_images_a_second_are_the_operations_reached_by_those_of_an_image():
    # Four devices of 1 TFLOP/s at a quarter of it, 2 GFLOP an image.
    assert scaling.images_per_second(2e9, 1e12, 0.25, 4) == 500


def test_utilisation_is_the_inverse_of_images_a_second():
    rate = scaling.images_per_second(3e9, 7e12, 0.3, 2)
    assert utilisation(rate, 3e9, 2 * 7e12) == pytest.approx(0.3)


def test_days_are_images_by_rate():
    assert scaling.days(864_000, 10, 50) == 2.0


def test_the_input_delivers_rate_times_bytes():
    assert scaling.pixel_bytes(256) == 196_608
    assert scaling.input_bandwidth(1000, scaling.pixel_bytes(256)) == 196.608e6


def test_cores_are_images_a_second_by_seconds_of_an_image():
    assert scaling.cores(4000, 0.002) == 8


@pytest.mark.parametrize("devices,sent", [(1, 0), (2, 400), (4, 600), (8, 700)])
def test_a_ring_sends_every_gradient_round_twice_but_the_own_share(
    devices, sent
):
    assert scaling.all_reduce_bytes(100, devices) == sent
    assert scaling.all_reduce_seconds(100, devices, 50.0) == sent / 50


@pytest.mark.parametrize("slots,numbers", [(1, 3 * 10 + 8), (2, 4 * 10 + 8)])
def test_state_is_weights_gradients_slots_and_target(slots, numbers):
    assert scaling.state_bytes(10, 8, slots) == 4 * numbers


def test_beyond_the_links_the_network_is_what_counts():
    assert scaling.H100.bandwidth(8) == 450e9
    assert scaling.H100.bandwidth(9) == 50e9


@pytest.mark.slow
def test_the_page_is_up_to_date():
    written = make_scaling.PAGE.read_text(encoding="utf-8")
    with undrawn():
        page = make_scaling.page(written)
    assert written == page, "run python -m tools.make_scaling"


def test_a_page_without_a_tables_place_is_told():
    with pytest.raises(ValueError, match="encoders"):
        make_scaling.page("# No tables\n")
