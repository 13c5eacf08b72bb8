"""SIGTERM and Ctrl-C: what is done, saved and said."""

import os
import signal
import threading

import keras
import pytest

from byol_tf.training import logs
from byol_tf.training.checkpoints import CheckpointStore
from byol_tf.training.signals import Stopped, stop_at_once, stop_between_steps
from tests.support.waves import fresh, run


def at_step(step, number):
    """A callback that sends this process a signal in the middle of a step."""

    def send(batch, logs=None):
        if batch == step:
            os.kill(os.getpid(), number)

    return keras.callbacks.LambdaCallback(on_train_batch_begin=send)


@pytest.mark.parametrize(
    "number,status", [(signal.SIGTERM, 0), (signal.SIGINT, 130)]
)
def test_a_signal_ends_the_run_after_the_step_and_a_checkpoint(
    tmp_path, number, status
):
    model = fresh()
    store = CheckpointStore(tmp_path, model)
    with stop_between_steps() as request:
        run(model, 9, [at_step(2, number), logs.Checkpoints(store), request])
    assert store.steps() == [3]
    with pytest.raises(Stopped, match="step 3 of 9; run the same") as stopped:
        request.raise_if_asked(3, 9)
    assert stopped.value.status == status


def test_without_a_signal_nothing_is_raised():
    with stop_between_steps() as request:
        pass
    request.raise_if_asked(3, 9)


def test_a_second_ctrl_c_does_not_wait():
    with stop_between_steps(), pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)


def test_before_and_after_the_steps_a_run_stops_at_once():
    with stop_at_once(), pytest.raises(Stopped) as stopped:
        os.kill(os.getpid(), signal.SIGTERM)
    assert stopped.value.status == 0


def test_what_handles_errors_does_not_swallow_a_stop():
    assert not issubclass(Stopped, Exception)


def test_the_handlers_of_before_are_put_back():
    before = [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)]
    with stop_at_once(), stop_between_steps():
        assert signal.getsignal(signal.SIGTERM) != before[0]
    after = [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)]
    assert after == before


def test_another_thread_trains_without_signals():
    seen = []

    def work():
        with stop_at_once(), stop_between_steps() as request:
            seen.append(request.signal)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [None]
