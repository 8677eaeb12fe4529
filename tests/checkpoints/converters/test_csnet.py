from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from reference_values import crc_filled, fingerprint, released_csnet_shapes

from sod_plugins.analysis.complexity import count_macs_csnet, count_parameters
from sod_plugins.checkpoints.converters import csnet as converter
from sod_plugins.networks import load_network

# The learned channels of csnet-L-x2, two of whose dilated branches are empty.
X2 = {
    'blocks': [
        *([13, 10], [13, 12], [18, 11], [18, 12]),
        *([28, 21], [34, 22], [31, 29], [51]),
        *([23, 26], [27, 26], [25, 20], [17, 21], [19, 25], [38]),
        *([18, 31], [31, 27], [26, 44], [64]),
    ],
    'fuse': [17, 38, 32],
    'dilated': [[2, 1, 2, 2, 1], [0, 6, 6, 7, 5], [0, 1, 3, 7, 7]],
    'merged': 79,
}

COMMAND = (sys.executable, '-m', 'sod_plugins.cli', 'convert', 'csnet')


def write_widths(path: Path, widths: dict) -> None:
    """Write a widths file in the released form: float64 arrays in a pickled list."""
    outputs = [*widths['blocks'], widths['fuse'], list(map(sum, widths['dilated']))]
    outputs.append([widths['merged']])
    ends = [w[0] for w in widths['blocks'] if len(w) == 1]
    inputs = [[3], *widths['blocks'][:-1], ends, widths['fuse'], outputs[19]]
    entries = [
        [np.array(i, float), np.array(o, float)] for i, o in zip(inputs, outputs, strict=True)
    ]
    entries[0][0] = 3
    entries[19].append(np.array(widths['dilated'], float))
    path.write_bytes(pickle.dumps([*entries, [3, 4, 6, 4]]))


@pytest.fixture(scope='module')
def network(released_csnet, tmp_path_factory):
    """The converted csnet-L-x1, read back from the file that the command wrote."""
    out = tmp_path_factory.mktemp('converted') / 'csnet-L-x1.pth'
    done = subprocess.run(
        [*COMMAND, *released_csnet, out], capture_output=True, text=True, check=True
    )
    assert done.stdout == f'{out}: CSNet, 93,647 parameters\n'
    return load_network(out)


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ('image', 'statistics', 'values'),
    [
        (
            'linspace',
            (-5.3030553, 0.2842334, -6.014341, -3.737815),
            (-3.737815, -4.475848, -4.558684, -4.642770, -4.760247),
        ),
        (
            'wave',
            (-4.0568621, 0.9162658, -5.273670, -1.205636),
            (-5.018989, -4.749046, -4.927203, -4.740632, -4.866382),
        ),
        (
            'disk',
            (-3.1834659, 3.6298450, -5.957152, 5.003911),
            (-4.745809, -4.817293, -5.120126, -5.057323, -4.845112),
        ),
    ],
)
def test_reference_logits(network, request, image, statistics, values):
    with torch.no_grad():
        logits = network(request.getfixturevalue(image))
    ours = [f(logits).item() for f in (torch.mean, torch.std, torch.min, torch.max)]
    # float32 against float64 differs by up to 1.1e-5 here.
    assert ours == pytest.approx(statistics, abs=1e-4)
    assert fingerprint(logits) == pytest.approx(values, abs=1e-4)


@pytest.mark.shared_data
def test_reference_intermediates(network, wave):
    """Mean and standard deviation at the landmarks of the network, from the reference run."""
    stages, head = network.backbone.stages, network.decode_head
    landmarks = {
        stages[0][0]: [(0.0150910, 0.0166551), (0.0151961, 0.0153602)],
        stages[0][3]: [(0.0114799, 0.0153713), (0.0138437, 0.0183190)],
        stages[1][3]: [(0.0058130, 0.0108117)],
        stages[2][5]: [(0.0050663, 0.0089009)],
        stages[3][3]: [(0.0086675, 0.0101077)],
        head.fuse: [(0.0001661, 0.0007854), (0.0013308, 0.0027295), (0.0025503, 0.0050996)],
        head.dilated[0]: [(0.0094029, 0.0181748)],
        head.dilated[1]: [(0.0212348, 0.0311666)],
        head.dilated[2]: [(0.0427431, 0.0423107)],
        head.merge: [(0.2111106, 0.1559408)],
    }
    outputs = {}
    handles = [
        module.register_forward_hook(lambda m, _, out: outputs.update({m: out}))
        for module in landmarks
    ]
    with torch.no_grad():
        network(wave)
    for handle in handles:
        handle.remove()
    for module, expected in landmarks.items():
        maps = outputs[module] if isinstance(outputs[module], list) else [outputs[module]]
        for y, (mean, std) in zip(maps, expected, strict=True):
            # Printed to seven decimals; the allowance is 1e-4 of the largest value.
            tolerance = 1e-4 * y.abs().max().item()
            assert y.mean().item() == pytest.approx(mean, abs=tolerance)
            assert y.std().item() == pytest.approx(std, abs=tolerance)


@pytest.mark.shared_data
def test_disk_is_found_and_counts_match(network, disk):
    with torch.no_grad():
        saliency = network(disk).sigmoid()[0, 0]
    assert saliency[112, 112].item() == pytest.approx(0.984335, abs=1e-5)
    assert saliency[2, 2].item() == pytest.approx(0.006661, abs=1e-5)
    assert (saliency > 0.5).float().mean().item() == pytest.approx(0.19954, abs=1e-4)
    assert count_parameters(network) == 93_647
    assert count_macs_csnet(network) == pytest.approx(0.4354e9, rel=0.01)


def test_empty_branches_of_x2(tmp_path):
    """The released grammar has no keys for what has no channels."""
    shapes = released_csnet_shapes(**X2)
    state = crc_filled(shapes)
    assert 'oct_fuse.ms.convs.1.msconv.0.weight' not in state
    assert len(state) == 737
    widths, checkpoint, out = tmp_path / 'x2.bin', tmp_path / 'x2.pth.tar', tmp_path / 'x2.pth'
    write_widths(widths, X2)
    torch.save({'state_dict': state, 'epoch': 20}, checkpoint)
    converter.convert(checkpoint, widths, out)
    network = load_network(out)
    assert count_parameters(network) == 140_894
    assert count_macs_csnet(network) == pytest.approx(0.7167e9, rel=0.01)
    depthwise = network.backbone.stages[1][2].conv3.conv.weight
    torch.testing.assert_close(
        depthwise,
        torch.cat([state[f'stage2.2.conv3x3_2.convs.{b}.weight'] for b in range(2)]).float(),
    )
    branch = network.decode_head.dilated[2].convs['8'].weight
    torch.testing.assert_close(branch, state['oct_fuse.ms.convs.2.msconv.3.weight'].float())


class Malicious:
    def __reduce__(self):
        return exec, ('raise SystemExit("code of the file was run")',)


def test_widths_file_cannot_run_code(tmp_path):
    path = tmp_path / 'widths.bin'
    path.write_bytes(pickle.dumps([Malicious()]))
    with pytest.raises(ValueError, match=r'not a widths file .* it is not a list of channels'):
        converter.read_widths(path)


@pytest.mark.parametrize(
    ('checkpoint', 'message'),
    [
        ({'state_dict': {'fc.weight': torch.zeros(1)}}, "'fc.weight' is not a key of a released"),
        ({'state_dict': {}}, 'is not the checkpoint of a released CSNet'),
        ([1, 2], 'holds a list, not a checkpoint'),
        (Malicious(), r"of the class or function 'builtins\.exec'"),
        (b'', 'is empty'),
    ],
)
def test_refuses_other_checkpoints(tmp_path, checkpoint, message):
    widths, path = tmp_path / 'x2.bin', tmp_path / 'x2.pth.tar'
    write_widths(widths, X2)
    if isinstance(checkpoint, bytes):
        path.write_bytes(checkpoint)
    else:
        torch.save(checkpoint, path)
    with pytest.raises(ValueError, match=message):
        converter.convert(path, widths, tmp_path / 'out.pth')
    assert not (tmp_path / 'out.pth').exists()


def test_command_names_a_missing_file(tmp_path):
    done = subprocess.run(
        [*COMMAND, 'no.pth.tar', 'no.bin', tmp_path / 'out.pth'],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr == 'sod: error: There is no widths file no.bin.\n'
