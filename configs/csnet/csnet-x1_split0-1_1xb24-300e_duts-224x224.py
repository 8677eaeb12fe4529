# Tab. 6: CSNet x1 with the split ratio 0/1 of high and low resolution.
_base_ = [
    '../_base_/models/csnet.py',
    '../_base_/datasets/duts.py',
    '../_base_/schedules/adam_300e.py',
    '../_base_/default_runtime.py',
]
optim_wrapper = dict(constructor='sod_plugins.DynamicWeightDecayConstructor')
custom_hooks = [dict(type='sod_plugins.DynamicWeightDecayHook')]
train_dataloader = dict(sampler=dict(infinite=False))
model = dict(backbone=dict(split_ratio=(0, 1)))
