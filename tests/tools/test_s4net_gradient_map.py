from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sod_plugins.networks import CSNet, Preprocessing, S4Net, save_network

TOOLS = Path(__file__).resolve().parents[2] / 'tools/analysis_tools'
BOX = (48.0, 24.0, 96.0, 72.0)  # 6 x 6 cells of a map of 16 x 12
NARROW = {
    'backbone': {'type': 'MobileNet', 'width': 0.25},
    'neck': {'out_channels': 16},
    'roi_extractor': {'out_channels': 16},
    'bbox_head': {'channels': 8},
    'mask_head': {'channels': (8, 8)},
}


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    import s4net_gradient_map

    return s4net_gradient_map


def s4net(roi: str) -> S4Net:
    torch.manual_seed(0)
    network = S4Net(roi=roi, **NARROW).eval()
    network.preprocessing = Preprocessing((96, 128))
    return network


def draw(tool):
    """Return an instance at twice the height of the input."""
    image = np.random.default_rng(0).integers(0, 256, (192, 128, 3), dtype=np.uint8)
    mask = np.zeros((192, 128), bool)
    mask[48:144, 48:60] = mask[130:144, 48:96] = True  # fills its box to the borders
    x1, y1, x2, y2 = BOX
    return tool.Instance(image, mask, (x1, 2 * y1, x2, 2 * y2))


def test_gradients_are_where_the_extractor_looks(tool):
    maps = {
        roi: tool.gradient_map(s4net(roi), draw(tool)) for roi in ('ternary', 'binary', 'align')
    }
    assert maps['binary'][1].tolist() == list(BOX)
    cells = torch.zeros(12, 16, dtype=torch.bool)
    cells[3:9, 6:12] = True
    assert maps['binary'][0][cells].all() and not maps['binary'][0][~cells].any()
    around = torch.zeros_like(cells)
    around[1:11, 4:14] = True  # a third of six cells on each side
    assert maps['ternary'][0][around].all() and not maps['ternary'][0][~around].any()
    # Bilinear samples of a box that ends at a cell's border reach half a cell beyond.
    beyond = torch.zeros_like(cells)
    beyond[2:10, 5:13] = True
    assert maps['align'][0][cells].all() and not maps['align'][0][~beyond].any()


def test_gradients_are_finite_differences_of_the_mask_loss(tool, monkeypatch):
    network, instance = s4net('ternary').double(), draw(tool)
    preprocess = network.preprocessing.apply
    monkeypatch.setattr(Preprocessing, 'apply', lambda self, image: preprocess(image).double())
    gradients, _ = tool.gradient_map(network, instance)
    assert gradients.dtype == torch.float64

    box = torch.tensor(BOX, dtype=torch.float64)
    masks = torch.from_numpy(instance.mask[::2] | instance.mask[1::2])[None].double()
    with torch.no_grad():
        levels = network.neck(network.backbone(preprocess(instance.image).double()))
        held = network.roi_extractor.conv(levels[0])

        def loss(features: torch.Tensor) -> float:
            rois = torch.cat([torch.zeros(1), box])[None]
            logits = network.mask_head(network.roi_extractor.extract(features, rois))[0, 0]
            targets = masks.reshape(12, 8, 16, 8).mean((1, 3))
            losses = targets * (-logits).exp().log1p() + (1 - targets) * logits.exp().log1p()
            return losses[3:9, 6:12].mean().item()

        expected = 0.0
        for channel in range(16):
            change = torch.zeros_like(held)
            change[0, channel, 2, 5] = 1e-5
            expected += abs(loss(held + change) - loss(held - change)) / 2e-5
    # The loss itself is computed in float32, whose gradient has six digits.
    assert gradients[2, 5].item() == pytest.approx(expected, rel=1e-3)


def test_shares_are_by_area(tool):
    found = tool.shares(torch.ones(12, 16), torch.tensor(BOX), 8)
    assert found == pytest.approx({'box': 36 / 192, 'around': 64 / 192, 'outside': 92 / 192})
    assert tool.shares(torch.zeros(12, 16), torch.tensor(BOX), 8)['box'] == 0


def test_writes_a_figure_and_a_table(tool, tmp_path, capsys):
    pytest.importorskip('matplotlib')
    instance = draw(tool)
    Image.fromarray(instance.image).save(tmp_path / 'a.png')
    annotation = {
        'id': 1,
        'image_id': 1,
        'category_id': 1,
        'bbox': [48, 48, 48, 96],
        'segmentation': {'size': [192, 128], 'counts': _runs(instance.mask)},
    }
    coco = {
        'images': [{'id': 1, 'file_name': 'a.png', 'height': 192, 'width': 128}],
        'annotations': [annotation],
        'categories': [{'id': 1, 'name': 'salient'}],
    }
    (tmp_path / 'a.json').write_text(json.dumps(coco))
    for roi in ('ternary', 'binary'):
        save_network(tmp_path / f'{roi}.pth', s4net(roi))
    save_network(tmp_path / 'csnet.pth', CSNet())
    words = [str(tmp_path / 'a.json'), str(tmp_path), '-o', str(tmp_path / 'out' / 'fig.png')]
    networks = [f'{roi}={tmp_path}/{roi}.pth' for roi in ('ternary', 'binary')]
    tool.main([*words, *networks])
    output = capsys.readouterr().out
    assert '1 instances' in output
    assert '| binary | 100.0% | 0.0% | 0.0% |' in output
    assert Image.open(tmp_path / 'out' / 'fig.png').size[0] > 500
    with pytest.raises(SystemExit, match='is a CSNet, not an S4Net'):
        tool.main([*words, f'csnet={tmp_path}/csnet.pth'])


def _runs(mask: np.ndarray) -> list[int]:
    flat = mask.ravel(order='F')
    changes = np.flatnonzero(np.diff(flat)) + 1
    return np.diff([0, *changes, flat.size]).tolist()
