# Tab. II: mmseg's MobileNetV2 with SAMNet's decoder.
_base_ = [
    '../_base_/models/samnet.py',
    '../_base_/datasets/duts_336x336.py',
    '../_base_/schedules/adam_50e.py',
    '../_base_/default_runtime.py',
]
model = dict(
    backbone=dict(_delete_=True, type='mmseg.MobileNetV2', out_indices=(0, 1, 2, 4, 6)),
    decode_head=dict(
        in_channels=(16, 24, 32, 96, 320),
        channels=(16, 32, 64, 96, 128),  # SAMNet's; the paper does not say
    ),
)
