# Tab. 7: mmseg's CGNet at one output channel, from scratch.
_base_ = [
    '../_base_/models/pixel_classifier.py',
    '../_base_/datasets/duts.py',
    '../_base_/schedules/adam_300e.py',
    '../_base_/default_runtime.py',
]
train_dataloader = dict(sampler=dict(infinite=False))
model = dict(
    backbone=dict(type='CGNet', norm_cfg=dict(type='BN', eps=1e-3)),
    decode_head=dict(in_channels=256, channels=256, in_index=2),
)
