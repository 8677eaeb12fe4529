from __future__ import annotations

import os
import signal
import threading
import time

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


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='needs fork')
def test_a_forked_process_ends_at_once():
    ready, tell = os.pipe()
    with terminable():
        child = os.fork()
        if not child:
            try:
                os.write(tell, b'.')  # a signal that comes earlier is lost with the fork
                time.sleep(60)
            finally:
                os._exit(0)  # in time, or where the signal was raised as an exception
        os.read(ready, 1)
        os.kill(child, signal.SIGTERM)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
