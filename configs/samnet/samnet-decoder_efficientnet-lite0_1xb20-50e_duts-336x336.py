# Tab. II: EfficientNet-Lite0, which the paper does not have, with SAMNet's decoder.
_base_ = [
    '../_base_/models/samnet.py',
    '../_base_/datasets/duts_336x336.py',
    '../_base_/schedules/adam_50e.py',
    '../_base_/default_runtime.py',
]
data_preprocessor = dict(mean=[127.0] * 3, std=[128.0] * 3)  # as its weights expect
model = dict(
    data_preprocessor=data_preprocessor,
    backbone=dict(_delete_=True, type='sod_plugins.EfficientNetLite'),
    decode_head=dict(
        in_channels=(16, 24, 40, 112, 320),
        channels=(16, 32, 64, 96, 128),  # SAMNet's; the paper does not say
    ),
)
