# Tab. II: ShuffleNet with SAMNet's decoder.
_base_ = [
    '../_base_/models/samnet.py',
    '../_base_/datasets/duts_336x336.py',
    '../_base_/schedules/adam_50e.py',
    '../_base_/default_runtime.py',
]
model = dict(
    backbone=dict(_delete_=True, type='sod_plugins.ShuffleNet'),
    decode_head=dict(
        in_channels=(24, 24, 240, 480, 960),
        channels=(16, 32, 64, 96, 128),  # SAMNet's; the paper does not say
    ),
)
