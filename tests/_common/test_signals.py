from __future__ import annotations

import os
import signal
import threading

import pytest

from sod_plugins._common.signals import Terminated, interrupt_status, terminable


def test_sigterm_interrupts_and_is_told_from_ctrl_c():
    with pytest.raises(KeyboardInterrupt) as caught, terminable(), terminable():
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
    assert isinstance(caught.value, Terminated) and interrupt_status(caught.value) == 143
    assert interrupt_status(KeyboardInterrupt()) == 130
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_other_threads_and_other_handlers_are_left_alone(monkeypatch):
    def enter():
        with terminable():
            found.append(signal.getsignal(signal.SIGTERM))

    found = []
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    previous = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        enter()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, previous)
    assert found == [signal.SIG_DFL, signal.SIG_IGN]
