"""A test of detectron2 in one process of several, which spawned processes can import."""

from __future__ import annotations

import json
from pathlib import Path

import torch


class Guess(torch.nn.Module):
    """Finds saliency, and instances, as a function of the pixels alone."""

    def forward(self, samples):
        from detectron2.structures import Boxes, Instances

        results = []
        for sample in samples:
            saliency = sample['image'].float().mean(0) / 255
            found = Instances(tuple(saliency.shape))
            found.pred_masks = torch.stack([saliency > 0.5, saliency > 0.3])
            found.pred_boxes = Boxes(torch.tensor([[4.0, 4, 40, 40], [0, 0, 64, 48]]))
            found.scores = torch.tensor([saliency.mean(), saliency.std()])
            found.pred_classes = torch.zeros(2, dtype=torch.int64)
            results.append({'saliency': saliency, 'instances': found})
        return results


def evaluate(scenes, out):
    """Score the guesses on this process's share of the images; the main one writes results."""
    from detectron2.evaluation import inference_on_dataset
    from detectron2.utils import comm

    import sod_plugins.detectron2 as adapter

    torch.set_num_threads(1)
    folder, out = Path(scenes, 'test'), Path(out)
    truth = folder / 'annotations.json'
    runs = {
        'saliency': (
            adapter.saliency_records(folder),
            adapter.SaliencyMapper(is_train=False),
            adapter.SaliencyEvaluator(measures=['all'], output_dir=out / 'saliency'),
        ),
        'instances': (
            adapter.instance_records(truth, folder / 'images'),
            adapter.InstanceMapper(is_train=False),
            adapter.SalientInstanceEvaluator(ann_file=truth, output_dir=out / 'instances'),
        ),
    }
    results = {'processes': comm.get_world_size()}
    for name, (records, mapper, evaluator) in runs.items():
        loader = adapter.build_test_loader(records, mapper)
        results[name] = inference_on_dataset(Guess(), loader, evaluator)
    if comm.is_main_process():
        (out / 'results.json').write_text(json.dumps(results))
