"""What a signal does to a long verb."""

import os
import signal

import pytest

from slipway.signals import deferred, interruptible, uninterruptible


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_each_of_them_interrupts(sent: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt), interruptible():
        os.kill(os.getpid(), sent)


def test_what_must_not_be_cut_is_finished_before_the_interrupt_is_told() -> None:
    begun, before = [], signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), deferred():
        os.kill(os.getpid(), signal.SIGTERM)
        begun.append("a process")
    assert begun == ["a process"]
    assert signal.getsignal(signal.SIGTERM) is before


def test_nothing_interrupts_the_cleaning_up() -> None:
    with uninterruptible():
        os.kill(os.getpid(), signal.SIGINT)
