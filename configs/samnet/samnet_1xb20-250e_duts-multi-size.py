# SAMNet as it was released: an epoch of the paper is five passes through the data (epochs here),
# each at another size, so 250 in all. The paper does not mention it.
_base_ = [
    '../_base_/models/samnet.py',
    '../_base_/datasets/duts_336x336.py',
    '../_base_/schedules/adam_50e.py',
    '../_base_/default_runtime.py',
]
train_pipeline = [
    dict(type='sod_plugins.LoadSaliencyImage', channel_order='bgr'),
    dict(type='sod_plugins.LoadSaliencyMask'),
    dict(type='sod_plugins.ColorJitter', brightness=0.2, contrast=0.2, saturation=0.2, hue=0.1),
    dict(
        type='sod_plugins.MultiSizeResize',
        sizes=[(side, side) for side in (672, 504, 420, 252, 336)],
        max_margins=[42, 33, 33, 10, 10],
    ),
    dict(type='sod_plugins.RandomSaliencyFlip', prob=0.5, directions=['vertical']),
    dict(type='sod_plugins.PackSaliencyInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
param_scheduler = [dict(type='sod_plugins.StepPolyLR', interval=5, power=0.9, begin=0, end=250)]
train_cfg = dict(max_epochs=250, val_interval=5)
