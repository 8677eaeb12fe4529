"""Every config trains on generated scenes, is killed, resumed exactly, and tested."""

from __future__ import annotations

import json
import multiprocessing
import signal
from pathlib import Path

import pytest
import torch
from d2_configs import ALL, USER_CODE, options_of

from sod_plugins._common.user_code import import_user_code
from sod_plugins.checkpoints import load_network
from sod_plugins.checkpoints.reading import read_checkpoint

pytest.importorskip('detectron2.engine', exc_type=ImportError)

from sod_plugins.detectron2 import commands


def test_all_configs_are_covered():
    assert len(ALL) == 10
    for config in ALL:
        assert options_of(config, Path('scenes'))


def call(name, module, *words, **named):
    """What a tool does after it has read its words, in a process of its own."""
    torch.set_num_threads(1)
    import_user_code(str(module))
    getattr(commands, name)(*words, **named)


def apart(*words, **named):
    """Run :func:`call` in a forked process and return its exit status."""
    process = multiprocessing.get_context('fork').Process(target=call, args=words, kwargs=named)
    process.start()
    process.join(timeout=900)
    return process.exitcode


@pytest.mark.slow
@pytest.mark.parametrize('config', ALL, ids=lambda path: path.name)
def test_trains_is_killed_resumes_exactly_and_is_tested(config, scenes, tmp_path, monkeypatch):
    module = tmp_path / 'user_code.py'
    module.write_text(USER_CODE.format(root=scenes))
    whole, broken = tmp_path / 'whole', tmp_path / 'broken'
    options = options_of(config, scenes)
    assert apart('train', module, config, work_dir=whole, options=options) == 0

    named = dict(work_dir=broken, options=options)
    monkeypatch.setenv('KILLED_AT', '8')
    assert apart('train', module, config, **named) == -signal.SIGKILL
    assert (broken / 'last_checkpoint').read_text() == 'model_0000004.pth'
    monkeypatch.delenv('KILLED_AT')
    assert apart('train', module, config, resume=True, **named) == 0

    straight, resumed = (
        read_checkpoint(folder / 'model_final.pth')['model'] for folder in (whole, broken)
    )
    assert straight.keys() == resumed.keys()
    # RetinaNet's running number of anchors is not in detectron2's checkpoints: `_ema_update` of
    # detectron2/modeling/meta_arch/dense_detector.py.
    if 'retinanet' not in config.stem:
        for name, value in straight.items():
            assert torch.equal(value, resumed[name]), name

    checkpoint = broken / 'model_final.pth'
    named = dict(work_dir=tmp_path / 'test', options=options)
    assert apart('test', module, config, checkpoint, **named) == 0
    results = json.loads((tmp_path / 'test/test_results.json').read_text())
    assert results and all(results.values())
    if config.stem.startswith(('csnet', 'samnet', 'picanet_', 'itdbu', 's4net')):
        assert load_network(checkpoint).task in ('saliency', 'instances')
