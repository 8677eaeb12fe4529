# Tab. 11: CSNet x1.5.
_base_ = [
    '../_base_/models/csnet.py',
    '../_base_/datasets/duts.py',
    '../_base_/schedules/adam_300e.py',
    '../_base_/default_runtime.py',
]
optim_wrapper = dict(constructor='sod_plugins.DynamicWeightDecayConstructor')
custom_hooks = [dict(type='sod_plugins.DynamicWeightDecayHook')]
train_dataloader = dict(sampler=dict(infinite=False))
model = dict(backbone=dict(width=1.5), decode_head=dict(in_channels=(60, 120, 120)))
