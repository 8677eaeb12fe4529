# Tab. 6: the extractor of CSNet x1 and a 1x1 classifier, without cross-stage fusion.
_base_ = [
    '../_base_/models/pixel_classifier.py',
    '../_base_/datasets/duts.py',
    '../_base_/schedules/adam_300e.py',
    '../_base_/default_runtime.py',
]
optim_wrapper = dict(constructor='sod_plugins.DynamicWeightDecayConstructor')
custom_hooks = [dict(type='sod_plugins.DynamicWeightDecayHook')]
train_dataloader = dict(sampler=dict(infinite=False))
model = dict(
    backbone=dict(type='sod_plugins.CSNet', out_indices=(3,)),
    decode_head=dict(in_channels=80, channels=80, in_index=0),
)
