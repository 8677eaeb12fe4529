# SAMNet by the recipe of its paper (Sec. IV-A), on MSRA10K.
_base_ = [
    '../_base_/models/samnet.py',
    '../_base_/datasets/msra10k.py',
    '../_base_/schedules/adam_50e.py',
    '../_base_/default_runtime.py',
]
image_size = (336, 336)  # height, width
train_pipeline = [
    dict(type='sod_plugins.LoadSaliencyImage', channel_order='bgr'),
    dict(type='sod_plugins.LoadSaliencyMask'),
    dict(type='sod_plugins.ColorJitter', brightness=0.2, contrast=0.2, saturation=0.2, hue=0.1),
    dict(type='sod_plugins.MultiSizeResize', sizes=[image_size], max_margins=[10]),
    dict(type='sod_plugins.RandomSaliencyFlip', prob=0.5, directions=['vertical']),
    dict(type='sod_plugins.PackSaliencyInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile', imdecode_backend='pillow'),
    dict(type='sod_plugins.ResizeSaliency', size=image_size),
    dict(type='sod_plugins.LoadSaliencyMask'),  # at its own size, for the hosts' metrics
    dict(type='sod_plugins.PackSaliencyInputs'),
]
train_dataloader = dict(
    batch_size=20, sampler=dict(infinite=False), dataset=dict(pipeline=train_pipeline)
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
