# CSNet x1-L on real photos within an hour and a half on two CPU cores: the recipe of 2,000
# iterations, in which normalisation learns five times faster so that gammas get anywhere, then
# pruning and 500 iterations of fine-tuning.
_base_ = [
    '../_base_/models/csnet.py',
    '../_base_/datasets/msra10k_112x112.py',
    '../_base_/schedules/adam_2000i.py',
    '../_base_/default_runtime.py',
]
optim_wrapper = dict(
    constructor='sod_plugins.DynamicWeightDecayConstructor',
    paramwise_cfg=dict(custom_keys=dict(norms=dict(lr_mult=5.0))),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=50),
    dict(type='PolyLR', power=0.9, eta_min=1e-5, by_epoch=False, begin=50, end=2000),
    dict(type='PolyLR', power=0.9, eta_min=1e-5, by_epoch=False, begin=2000, end=2500),
]
train_cfg = dict(max_iters=2500)
custom_hooks = [
    dict(type='sod_plugins.DynamicWeightDecayHook'),
    dict(type='sod_plugins.PruningHook', begin=2000, threshold=1e-4, lr=5e-4),
]
