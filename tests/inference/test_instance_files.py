import json
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from sod_plugins.cli import main
from sod_plugins.data import DataError
from sod_plugins.data.rle import compress_rle, decode_segmentation, encode_rle
from sod_plugins.inference import (
    InstancePredictor,
    SaliencyPredictor,
    export_network,
    predict_instance_files,
)
from sod_plugins.networks import CSNet, Preprocessing, S4Net, save_network

NARROW = {
    'backbone': {'type': 'MobileNet', 'width': 0.25},
    'neck': {'out_channels': 16},
    'bbox_head': {'channels': 16},
    'roi_extractor': {'out_channels': 16},
    'mask_head': {'channels': (8, 8)},
}


def s4net() -> S4Net:
    torch.manual_seed(0)
    network = S4Net(num_proposals=3, **NARROW).eval()
    network.preprocessing = Preprocessing((64, 96))
    return network


class OneBox(S4Net):
    """Finds the right half of every image, in a map that covers all of it; counts its calls."""

    calls = 0

    def detect_padded(self, images, sizes=None):
        self.calls += 1
        height, width = images.shape[2:]
        boxes = torch.tensor([[[width / 2, 0, width, height], [0, 0, 1, 1]]])
        found = torch.tensor([[True, False]])
        return boxes.float(), torch.tensor([[0.75, 0.5]]), found, torch.ones(1, 2, 8, 12)


@pytest.fixture
def one_box() -> OneBox:
    network = OneBox(**NARROW)
    network.preprocessing = Preprocessing((64, 96))
    return network


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / 'photos'
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, size in (('b.jpg', (30, 50)), ('a.png', (41, 20))):
        pixels = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)
    return folder


def test_instances_are_at_the_image_s_own_size(photos, one_box):
    found = InstancePredictor(one_box, 'cpu').predict(photos / 'b.jpg')
    np.testing.assert_allclose(found.boxes, [[25, 0, 50, 30]], rtol=0, atol=1e-4)
    assert found.scores.tolist() == [0.75]
    expected = np.zeros((1, 30, 50), bool)
    expected[:, :, 25:] = True
    np.testing.assert_array_equal(found.masks, expected)


def test_lists_go_through_the_network_in_batches_and_give_what_single_images_do():
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (*size, 3), np.uint8) for size in ((30, 50), (64, 96), (41, 20))]
    predictor = InstancePredictor(s4net(), 'cpu', batch_size=2)
    found = predictor.predict([images[0][:, ::-1], Image.fromarray(images[1]), images[2]])
    for image, instances in zip([images[0][:, ::-1].copy(), *images[1:]], found, strict=True):
        alone = predictor.predict(image)
        assert instances.size == image.shape[:2] and len(instances) == len(alone) > 0
        np.testing.assert_allclose(instances.boxes, alone.boxes, rtol=0, atol=1e-3)
        np.testing.assert_allclose(instances.scores, alone.scores, rtol=0, atol=1e-5)
        assert (instances.masks != alone.masks).mean() < 1e-3
    assert predictor.predict([]) == []
    with pytest.raises(ValueError, match='batch_size is 0'):
        InstancePredictor(s4net(), 'cpu', batch_size=0)


def test_agrees_with_the_network_where_nothing_is_resized():
    network = s4net()
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    found = InstancePredictor(network, 'cpu').predict(image)
    expected = network(network.preprocessing.apply(image))[0]
    np.testing.assert_array_equal(found.boxes, expected.boxes.numpy())
    np.testing.assert_array_equal(found.masks, expected.masks.numpy())


def test_writes_json_and_overlays(photos, one_box, tmp_path):
    out = tmp_path / 'out'
    (photos / 'broken.jpg').write_bytes(b'no image')
    summary = predict_instance_files([photos], out, one_box, device='cpu', progress=False)
    assert [p.name for p in summary.written] == ['a.png', 'b.jpg']
    assert list(summary.unreadable) == [photos / 'broken.jpg']
    coco = json.loads((out / 'instances.json').read_text())
    assert [(i['file_name'], i['height'], i['width']) for i in coco['images']] == [
        ('a.png', 41, 20),
        ('b.jpg', 30, 50),
    ]
    first, second = coco['annotations']
    assert [a['image_id'] for a in coco['annotations']] == [i['id'] for i in coco['images']]
    assert second['bbox'] == [25, 0, 25, 30] and second['score'] == 0.75
    assert second['category_id'] == 1 and first['id'] != second['id']
    mask = decode_segmentation(second['segmentation'], (30, 50))
    assert mask[:, 25:].all() and not mask[:, :25].any()
    overlay = np.asarray(Image.open(out / 'overlay' / 'b.jpg')).astype(int)
    change = np.abs(overlay - np.asarray(Image.open(photos / 'b.jpg'))).sum(2)
    # JPEG changes noise everywhere, by about 9 levels in each channel, tinting by 40 to 70.
    assert (change[20:, 26:] > 40).mean() > 0.9
    assert change[20:, :16].mean() < 40 < 120 < change[20:, 26:].mean()


def test_goes_on_where_it_stopped_and_overwrites_when_asked(photos, one_box, tmp_path):
    out = tmp_path / 'out'

    def run(paths, **options):
        return predict_instance_files(paths, out, one_box, device='cpu', progress=False, **options)

    run([photos / 'b.jpg'])
    summary = run([photos])
    assert [p.name for p in summary.skipped] == ['b.jpg'] and one_box.calls == 2
    (out / 'overlay' / 'b.jpg').unlink()
    run([photos])  # without its overlay an image is not done, and is not there twice after
    coco = json.loads((out / 'instances.json').read_text())
    assert sorted(i['file_name'] for i in coco['images']) == ['a.png', 'b.jpg']
    assert len({a['id'] for a in coco['annotations']}) == len(coco['annotations']) == 2
    run([photos / 'a.png'], overwrite=True)
    coco = json.loads((out / 'instances.json').read_text())
    assert [i['file_name'] for i in coco['images']] == ['a.png']
    (out / 'instances.json').write_text('{}')
    with pytest.raises(DataError, match=r'instances\.json'):
        run([photos])


COMMAND = """
import sys
from sod_plugins.cli import main
from sod_plugins.inference import InstancePredictor

predict, calls = InstancePredictor.predict, []

def wait_at_the_third(self, image):
    calls.append(image)
    if len(calls) == 3:
        print('third', flush=True)
        sys.stdin.read()
    return predict(self, image)

InstancePredictor.predict = wait_at_the_third
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope='module')
def four_photos(tmp_path_factory):
    """Four photos, a checkpoint, and what a run that nothing disturbs makes of them."""
    folder = tmp_path_factory.mktemp('four')
    (folder / 'photos').mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (4, 30, 40, 3), dtype=np.uint8)
    for name, photo in zip('abcd', pixels, strict=True):
        Image.fromarray(photo).save(folder / 'photos' / f'{name}.png')
    save_network(folder / 'net.pth', s4net())
    assert main(predict_words(folder, folder / 'whole')) == 0
    return folder


def predict_words(folder, out):
    checkpoint = ['--checkpoint', str(folder / 'net.pth'), '--device', 'cpu']
    return ['predict', str(folder / 'photos'), '-o', str(out), *checkpoint]


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_ended_by_a_signal_loses_nothing(four_photos, tmp_path, number, capsys):
    out = tmp_path / 'out'
    words = [sys.executable, '-c', COMMAND, *predict_words(four_photos, out)]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == 'third\n'
        assert main(predict_words(four_photos, out)) == 2  # a second run meanwhile
        assert 'another process is writing' in capsys.readouterr().err
        process.send_signal(number)
        _, error = process.communicate()
    if number == signal.SIGKILL:
        assert not (out / 'instances.json').exists()
        assert len((out / 'instances.jsonl').read_text().splitlines()) == 2
    else:
        assert process.returncode == 128 + number
        assert 'sod: interrupted; what is written is complete' in error
        assert len(json.loads((out / 'instances.json').read_text())['images']) == 2
    assert main(predict_words(four_photos, out)) == 0
    assert '2 were there already' in capsys.readouterr().out
    whole = json.loads((four_photos / 'whole' / 'instances.json').read_text())
    assert json.loads((out / 'instances.json').read_text()) == whole
    assert {p.name for p in out.iterdir()} == {*('instances.json', 'overlay', 'sod-predict.json')}


def test_networks_of_the_wrong_kind_are_refused(tmp_path):
    with pytest.raises(ValueError, match='CSNet finds no instances'):
        InstancePredictor(CSNet())
    with pytest.raises(ValueError, match='S4Net finds instances'):
        SaliencyPredictor(s4net())
    with pytest.raises(ValueError, match='no logits'):
        export_network(s4net(), tmp_path / 'net.onnx')


def test_broken_weights_are_an_error():
    network = s4net()
    torch.nn.init.constant_(network.bbox_head.classify.bias, torch.nan)
    with pytest.raises(ValueError, match='gives NaN'):
        InstancePredictor(network, 'cpu').predict(np.zeros((64, 96, 3), np.uint8))


def test_the_command_finds_instances_by_the_checkpoint(photos, tmp_path, capsys):
    path, out = tmp_path / 'net.pth', tmp_path / 'out'
    save_network(path, s4net())
    words = ['predict', str(photos), '-o', str(out), '--checkpoint', str(path), '--device', 'cpu']
    for option in (['--cutout'], ['--crf'], ['--backend', 'onnxruntime']):
        assert main([*words, *option]) == 2
        assert not out.exists()
        assert ('saliency maps' in (error := capsys.readouterr().err)) or 'no logits' in error
    assert main(words) == 0
    assert 'instances of 2 images' in capsys.readouterr().out
    assert {p.name for p in out.iterdir()} == {*('instances.json', 'overlay', 'sod-predict.json')}
    assert main(words) == 0
    assert '2 were there already' in capsys.readouterr().out


def test_run_lengths_are_compressed_as_by_pycocotools():
    coco = pytest.importorskip('pycocotools.mask')
    rng = np.random.default_rng(0)
    for share in (0, 0.01, 0.5, 1):
        mask = rng.random((300, 40)) < share
        expected = coco.encode(np.asfortranarray(mask, dtype=np.uint8))['counts'].decode()
        assert compress_rle(encode_rle(mask)) == {'size': [300, 40], 'counts': expected}
