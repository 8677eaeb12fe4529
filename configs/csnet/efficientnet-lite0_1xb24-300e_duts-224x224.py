# Tab. 7: EfficientNet-Lite0 with a 1x1 convolution in place of its classifier, from scratch.
_base_ = [
    '../_base_/models/pixel_classifier.py',
    '../_base_/datasets/duts.py',
    '../_base_/schedules/adam_300e.py',
    '../_base_/default_runtime.py',
]
train_dataloader = dict(sampler=dict(infinite=False))
model = dict(
    backbone=dict(type='sod_plugins.EfficientNetLite', last_conv=True),
    decode_head=dict(in_channels=1280, channels=1280, in_index=4),
)
