# CSNet x1 by the recipe of its paper (Sec. 6.1), on DUTS as there.
_base_ = [
    '../_base_/models/csnet.py',
    '../_base_/datasets/duts.py',
    '../_base_/schedules/adam_300e.py',
    '../_base_/default_runtime.py',
]
optim_wrapper = dict(constructor='sod_plugins.DynamicWeightDecayConstructor')
custom_hooks = [dict(type='sod_plugins.DynamicWeightDecayHook')]
train_dataloader = dict(sampler=dict(infinite=False))
