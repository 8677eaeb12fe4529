# Tab. 5: CSNet x2-L whose fusion reads all four stages.
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
model = dict(
    backbone=dict(width=2.0, out_indices=(0, 1, 2, 3)),
    decode_head=dict(in_channels=(40, 80, 160, 160)),
)
