# Tab. 11: CSNet x1-L.
_base_ = [
    '../_base_/models/csnet.py',
    '../_base_/datasets/duts.py',
    '../_base_/schedules/adam_300e.py',
    '../_base_/default_runtime.py',
]
optim_wrapper = dict(constructor='sod_plugins.DynamicWeightDecayConstructor')
custom_hooks = [
    dict(type='sod_plugins.DynamicWeightDecayHook'),
    dict(type='sod_plugins.PruningHook', begin=280, by_epoch=True, threshold=1e-20),
]
train_dataloader = dict(sampler=dict(infinite=False))
