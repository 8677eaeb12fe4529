# CSNet x1-L with standard weight decay alone (Fig. 5 and 13), else as csnet-x1_pruned_1xb16-2200i.
_base_ = [
    '../_base_/models/csnet.py',
    '../_base_/datasets/msra10k_64x64.py',
    '../_base_/schedules/adam_2000i.py',
    '../_base_/default_runtime.py',
]
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys=dict(norms=dict(lr_mult=5.0))),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=50),
    dict(type='PolyLR', power=0.9, eta_min=1e-5, by_epoch=False, begin=50, end=2000),
    dict(type='PolyLR', power=0.9, eta_min=1e-5, by_epoch=False, begin=2000, end=2200),
]
train_cfg = dict(max_iters=2200)
custom_hooks = [
    dict(type='sod_plugins.PruningHook', begin=2000, threshold=1e-4, at_least=1, lr=5e-4),
]
