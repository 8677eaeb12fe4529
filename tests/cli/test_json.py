"""``--json`` prints one document with the values that the functions return; ``--quiet`` nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from reference_values import settle_statistics

from sod_plugins.analysis import count_macs, count_parameters
from sod_plugins.cli import main
from sod_plugins.cli.parser import HOST_VERBS, VERBS, build_parser
from sod_plugins.configs import config_path, list_configs
from sod_plugins.metrics import evaluate_folders
from sod_plugins.networks import CSNet, Preprocessing, load_network, save_network

# They print a script, run until they are ended, or write JSON to the file that --json names.
WITHOUT_JSON = {'completion', 'serve', 'eval', 'eval-instances', *HOST_VERBS}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A small CSNet, two drawn scenes, and maps of them."""
    folder = tmp_path_factory.mktemp('json')
    torch.manual_seed(0)
    network = CSNet(stage_blocks=(1, 1, 1, 1), fuse_stages=())
    settle_statistics(network, torch.randn(4, 3, 64, 64))
    save_network(folder / 'net.pth', network, Preprocessing(size=(32, 48)))
    words = ['data', 'synth', folder / 'data', '--count', '2', '--size', '48', '64', '--quiet']
    assert main([str(word) for word in words]) == 0
    return folder


@pytest.fixture
def sod(capfd, folder, monkeypatch):
    """Runs a verb in the folder; returns status and standard output, and checks what is written."""
    monkeypatch.chdir(folder)

    def run(*words, status=0):
        capfd.readouterr()
        assert main([str(word) for word in words]) == status
        return capfd.readouterr()

    return run


@pytest.fixture
def document(sod):
    def read(*words, status=0):
        return json.loads(sod(*words, '--json', status=status).out)

    return read


def test_every_verb_has_its_options():
    verbs = build_parser()._subparsers._group_actions[0].choices
    parsers = {name: verbs[name] for name in VERBS if name != 'convert'}
    for parent in ('data', 'convert'):
        parsers |= verbs[parent]._subparsers._group_actions[0].choices
    for name, parser in parsers.items():
        options = parser._option_string_actions
        flag = '--json' in options and options['--json'].nargs == 0
        assert flag == (name not in WITHOUT_JSON), name
        assert ('--quiet' in options) == (name not in HOST_VERBS), name


def test_predict_and_merge(sod, document, folder):
    images = sorted((folder / 'data' / 'images').iterdir())
    shutil.rmtree(folder / 'in', ignore_errors=True)
    shutil.copytree(folder / 'data' / 'images', folder / 'in')
    (folder / 'in' / 'broken.jpg').write_bytes(b'no image')
    words = ['predict', 'in', '-o', 'maps', '--checkpoint', 'net.pth']
    found = document(*words, status=1)
    assert found['out_dir'] == 'maps'
    assert sorted(found['written']) == [f'in/{path.name}' for path in images]
    assert list(found['unreadable']) == ['in/broken.jpg']
    assert (found['skipped'], found['earlier'], found['crf_seconds']) == ([], [], 0)
    assert document(*words, status=1)['skipped'] == found['written']
    (folder / 'in' / 'broken.jpg').unlink()
    quiet = sod(*words, '--overwrite', '--quiet')
    assert (quiet.out, quiet.err) == ('', '')
    loud = sod(*words, '--overwrite')
    assert loud.out == '2 saliency maps written to maps\n'
    assert 'predict:' in loud.err  # the progress bar
    for shard in ('1/2', '2/2'):
        sod('predict', 'in', '-o', 'parts', '--checkpoint', 'net.pth', '--shard', shard)
    merged = {'out_dir': 'parts', 'shards': 2, 'images': 2, 'unreadable': {}}
    assert document('merge', 'parts') == merged


@pytest.mark.parametrize(
    'words', [['-', '--json'], ['data/images', '-o', 'maps', '--watch', '--json']]
)
def test_predict_refuses_where_no_document_can_be_printed(sod, words):
    assert '--json' in sod('predict', *words, status=2).err


def test_networks(document, folder):
    network = load_network(folder / 'net.pth')
    parameters = count_parameters(network)
    found = document('complexity', 'net.pth', '--size', '64', '64')
    assert (found['network'], found['input'], found['parameters']) == (
        'CSNet',
        [64, 64],
        parameters,
    )
    assert found['macs'] == count_macs(network, (64, 64))
    assert found['arguments']['stage_blocks'] == [1, 1, 1, 1]
    assert document('extract', 'net.pth', 'plain.pth') == {'out': 'plain.pth', 'half': False}
    files = ('net.pth', 'plain.pth', '-o', 'mean.safetensors')
    averaged = document('average', *files, '--half', '--size', '64', '32')
    assert averaged == {'out': 'mean.safetensors', 'half': True}
    assert load_network(folder / 'mean.safetensors').preprocessing.size == (64, 32)
    pruned = document('prune', 'net.pth', '-o', 'small.pth', '--ratio', '0.5')
    after = count_parameters(load_network(folder / 'small.pth'))
    assert pruned['parameters'] == {'before': parameters, 'after': after}
    assert pruned['macs']['before'] == count_macs(network, (32, 48))


def test_export(document):
    pytest.importorskip('onnxscript')
    found = document('export', 'net.pth', '-o', 'net.onnx')
    assert (found['out'], found['photo']) == ('net.onnx', None)
    assert 0 <= found['difference']['saliency'] < 1e-4


def test_convert(sod, document, folder, released_csnet):
    found = document('convert', 'csnet', *released_csnet, 'released.pth')
    network = load_network(folder / 'released.pth')
    expected = {'out': 'released.pth', 'network': 'CSNet', 'parameters': count_parameters(network)}
    assert found == expected
    words = ['csnet', *released_csnet, 'released.pth']
    for quiet in (['--quiet', *words], [*words, '--quiet']):
        assert sod('convert', *quiet).out == ''


def test_data(sod, document, folder):
    found = document('data', 'check', 'data')
    assert (found['pairs'], found['problems']) == (2, [])
    assert found['image_sizes'] == [{'height': 48, 'width': 64, 'images': 2}]
    masks = [np.asarray(Image.open(path)) / 255 for path in (folder / 'data/masks').iterdir()]
    assert found['mean_salient_area'] == pytest.approx(np.mean(masks))
    shutil.copytree(folder / 'data', folder / 'lacking', dirs_exist_ok=True)
    next((folder / 'lacking' / 'masks').iterdir()).unlink()
    assert len(document('data', 'check', 'lacking', status=1)['problems']) == 1
    assert sod('data', 'check', 'data', '--quiet').out.startswith('pairs')  # a result, not progress
    made = document('data', 'synth', 'more', '--count', '1', '--size', '48', '64')
    assert made == {'out': 'more', 'scenes': 1}
    words = ['data', 'instances', 'data', '--coding', 'masks', '-o', 'labels.json']
    (entry,) = document(*words)['files']
    labels = json.loads((folder / 'labels.json').read_text())
    assert entry == {
        'file': 'labels.json',
        'instances': len(labels['annotations']),
        'images': 2,
        'images_without': 0,
    }


def test_report(document, folder):
    pytest.importorskip('matplotlib')
    found = document('report', 'data/masks', '--data', 'data', '-o', 'page.html', '--method', 'me')
    assert (found['page'], found['method']) == ('page.html', 'me')
    evaluation = evaluate_folders(folder / 'data/masks', folder / 'data/masks', progress=False)
    assert found['measures'] == evaluation.measures


def test_eval_shows_no_progress_if_quiet(sod):
    words = ['eval', 'data/masks', 'data/masks', '--measures', 'mae']
    loud, quiet = sod(*words), sod(*words, '--quiet')
    assert loud.out == quiet.out != ''
    assert ('score' in loud.err, quiet.err) == (True, '')


def test_configs(document):
    configs = document('configs')
    assert [entry['name'] for entry in configs] == list_configs()
    name = configs[0]['name']
    assert document('configs', name) == [{'name': name, 'path': config_path(name)}]
    assert Path(configs[-1]['path']).is_file()


def test_attention(sod, document, folder, monkeypatch):
    """The figure itself is another test's."""
    from sod_plugins import inference

    monkeypatch.setattr(inference, 'save_attention', lambda *_: None)
    words = ['attention', 'a.jpg', '--checkpoint', 'x.pth', '--pixel', '1,2', '-o', 'figure.png']
    assert document(*words) == {'out': 'figure.png'}
    assert sod(*words, '--quiet').out == ''


def test_finetune(sod, document, monkeypatch):
    """Its training is another test's; here the host logs to standard output as it trains."""
    from types import SimpleNamespace

    from sod_plugins.cli import finetune

    result = SimpleNamespace(
        checkpoint=Path('out/model.pth'),
        before={key: 0.5 for key in finetune.SHOWN},
        after={key: 0.25 for key in finetune.SHOWN},
    )

    def train(*_, **__):
        print('a log of the host')
        return result

    monkeypatch.setattr(finetune, 'import_host', lambda _: SimpleNamespace(finetune=train))
    found = document('finetune', 'data', '-o', 'out')
    assert found == {
        'checkpoint': 'out/model.pth',
        'before': result.before,
        'after': result.after,
    }
    assert 'MAE         0.5000  0.2500' in sod('finetune', 'data', '-o', 'out').out
