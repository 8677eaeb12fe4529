"""One predictor for many threads, for spawned and for forked processes, with every engine."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
import torch
from reference_values import settle_statistics

from sod_plugins.data import draw_scene
from sod_plugins.inference import BACKENDS, InstancePredictor, SaliencyPredictor, open_network
from sod_plugins.inference.sharing import Lender
from sod_plugins.networks import ITDBU, CSNet, PiCANet, Preprocessing, S4Net, SAMNet, save_network

NEEDED = {
    'torch': (),
    'numba': ('numba',),
    'onnxruntime': ('onnx', 'onnxscript', 'onnxruntime'),
    'openvino': ('onnx', 'onnxscript', 'openvino'),
}
SIZES = ((50, 70), (33, 20), (90, 64), (64, 64), (17, 120), (48, 48))
TINY = {'type': 'MobileNet', 'width': 0.25}
NETWORKS = {
    'csnet': lambda: CSNet(stage_blocks=(1, 1, 1, 1)),
    'samnet': lambda: SAMNet(backbone={'type': 'SAMNet', 'width': 0.5, 'modules': (1, 0, 0, 0, 1)}),
    'itdbu': lambda: ITDBU(TINY, unify_channels=8, hidden_channels=4),
    'picanet': lambda: PiCANet(
        '5GAP_432AC', TINY, renet_channels=4, attention_channels=4, init_std=None
    ),
    's4net': lambda: S4Net(
        TINY,
        neck={'out_channels': 16},
        bbox_head={'channels': 16},
        roi_extractor={'out_channels': 16},
        mask_head={'channels': (16, 8)},
    ),
}


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    network = CSNet(stage_blocks=(1, 1, 1, 1))
    settle_statistics(network, torch.randn(8, 3, 64, 64))
    network.preprocessing = Preprocessing(size=(64, 48))
    path = tmp_path_factory.mktemp('sharing') / 'csnet.pth'
    save_network(path, network)
    return path


@pytest.fixture(scope='module')
def predictors(checkpoint):
    opened = {}

    def predictor(backend):
        for module in NEEDED[backend]:
            pytest.importorskip(module)
        if backend not in opened:
            opened[backend] = SaliencyPredictor(open_network(checkpoint, backend), 'cpu')
        return opened[backend]

    return predictor


def photos():
    return [draw_scene(np.random.default_rng(k), size).image for k, size in enumerate(SIZES)]


def in_threads(function, inputs, threads=8, rounds=2):
    """Call a function with every input in threads at once, each in an order of its own."""

    def call_all(thread):
        order = np.random.default_rng(thread).permutation(len(inputs)).tolist() * rounds
        return [(k, function(inputs[k])) for k in order]

    with ThreadPoolExecutor(threads) as pool:
        return [entry for entries in pool.map(call_all, range(threads)) for entry in entries]


@pytest.mark.parametrize('backend', BACKENDS)
def test_threads_get_the_maps_that_one_thread_gets(predictors, backend):
    """Photos of mixed sizes, alone and in lists, whose batches have mixed sizes too."""
    predictor, inputs = predictors(backend), photos()
    expected = [predictor.predict(photo) for photo in inputs]
    lists = [inputs[:2], inputs[2:5], inputs[5:]]
    for k, got in in_threads(predictor.predict, inputs):
        np.testing.assert_array_equal(got, expected[k])
    expected = [predictor.predict(images) for images in lists]
    for k, got in in_threads(predictor.predict, lists):
        for one, other in zip(got, expected[k], strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize('backend', ['torch', 'numba'])
def test_threads_may_mix_sizes_of_the_input(predictors, backend):
    network = predictors(backend).network
    inputs = [torch.randn(2, 3, *size) for size in SIZES]
    with torch.inference_mode():
        expected = [network(images) for images in inputs]
    call = torch.inference_mode()(network)
    for k, got in in_threads(call, inputs):
        assert torch.equal(got, expected[k])


@pytest.mark.parametrize('name', NETWORKS)
def test_every_network_serves_threads(name):
    torch.manual_seed(0)
    network = NETWORKS[name]().eval()
    settle_statistics(network, torch.randn(4, 3, 64, 64))
    network.preprocessing = Preprocessing(size=(64, 64))
    inputs = photos()
    predictor = (InstancePredictor if name == 's4net' else SaliencyPredictor)(network, 'cpu')

    def predict(image):
        found = predictor.predict(image)
        return list(vars(found).values()) if name == 's4net' else [found]

    expected = [predict(image) for image in inputs]
    assert any(part.size for parts in expected for part in parts)
    for k, got in in_threads(predict, inputs, rounds=1):
        for one, other in zip(got, expected[k], strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_spawned_process_gets_a_predictor_of_every_engine(predictors):
    backends = [name for name in BACKENDS if all(map(importable, NEEDED[name]))]
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(1, context) as pool:
        for backend in backends:
            predictor = predictors(backend)
            got = pool.submit(predictor.predict, photos()).result(timeout=300)
            for one, other in zip(got, predictor.predict(photos()), strict=True):
                np.testing.assert_allclose(one, other, atol=1e-6)  # threads may be others there


def importable(module):
    try:
        __import__(module)
    except ImportError:
        return False
    return True


FORK = """
import os, sys, threading
import numpy as np, torch
from sod_plugins.inference import SaliencyPredictor, open_network

torch.set_num_threads(2)
predictor = SaliencyPredictor(open_network(sys.argv[1], sys.argv[2]), 'cpu')
photos = list(np.random.default_rng(0).integers(0, 256, (3, 300, 400, 3), dtype=np.uint8))
expected = predictor.predict(photos)
for round in range(2):  # a child, and then a thread of a child
    child = os.fork()
    if child == 0:
        found = []
        work = lambda: found.append(np.allclose(predictor.predict(photos), expected, atol=1e-6))
        if round:
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
        work()
        os._exit(0 if found and all(found) else 1)
    assert os.waitpid(child, 0)[1] == 0
assert np.array_equal(predictor.predict(photos), expected)
"""


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='needs fork')
@pytest.mark.parametrize('backend', BACKENDS)
def test_a_forked_process_goes_on_with_the_predictor(checkpoint, backend):
    """Torch and both engines have computed with two threads before, which a child lacks."""
    if not all(map(importable, NEEDED[backend])):
        pytest.skip(f'needs {NEEDED[backend]}')
    environment = {name: v for name, v in os.environ.items() if name != 'OMP_NUM_THREADS'}
    command = [sys.executable, '-c', FORK, str(checkpoint), backend]
    subprocess.run(command, check=True, timeout=300, env=environment)


def test_a_lender_gives_a_thing_to_one_thread_and_keeps_few():
    lender, made = Lender(keep=2), []

    def make():
        made.append([len(made)])
        return made[-1]

    with lender.lend(make) as a, lender.lend(make) as b, lender.lend(make) as c:
        assert [a, b, c] == [[0], [1], [2]]
    # The innermost came back first, so it is the oldest of the three and gone.
    with lender.lend(make, lambda thing: thing == [2]) as d:
        assert d == [3]
    with lender.lend(make, lambda thing: thing == [0]) as e:
        assert e is a
