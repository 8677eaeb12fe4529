# SAMNet on real photos within an hour on two CPU cores: small inputs, no ImageNet weights, two
# and a half times the paper's learning rate.
_base_ = [
    '../_base_/models/samnet.py',
    '../_base_/datasets/msra10k.py',
    '../_base_/schedules/adam_2000i.py',
    '../_base_/default_runtime.py',
]
optim_wrapper = dict(optimizer=dict(lr=1.25e-3, betas=(0.9, 0.999), weight_decay=1e-4))

image_size = (112, 112)  # height, width
train_pipeline = [
    dict(type='sod_plugins.LoadSaliencyImage'),
    dict(type='sod_plugins.LoadSaliencyMask'),
    dict(type='sod_plugins.RandomMarginCrop', max_margin=14),
    dict(type='sod_plugins.RandomSaliencyFlip', prob=0.5),
    dict(type='sod_plugins.ResizeSaliency', size=image_size),
    dict(type='sod_plugins.PackSaliencyInputs'),
]
test_pipeline = [
    dict(type='sod_plugins.LoadSaliencyImage'),
    dict(type='sod_plugins.ResizeSaliency', size=image_size),
    dict(type='sod_plugins.PackSaliencyInputs'),
]
train_dataloader = dict(batch_size=16, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
