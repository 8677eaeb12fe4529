# Tab. 7: ShuffleNetV2 x2 with a 1x1 convolution in place of its classifier, from scratch.
_base_ = [
    '../_base_/models/pixel_classifier.py',
    '../_base_/datasets/duts.py',
    '../_base_/schedules/adam_300e.py',
    '../_base_/default_runtime.py',
]
train_dataloader = dict(sampler=dict(infinite=False))
model = dict(
    backbone=dict(type='sod_plugins.ShuffleNetV2', width=2.0, last_conv=True),
    decode_head=dict(in_channels=2048, channels=2048, in_index=4),
)
