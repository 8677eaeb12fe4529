# Seventh stage: the sixth one's averaged weights at 256x256, the rate annealed to zero.
_base_ = [
    '../_base_/models/sod_small.py',
    '../_base_/datasets/duts_msra10k_zoom256.py',
    '../_base_/schedules/adamw_ema.py',
    '../_base_/default_runtime.py',
]
load_from = (
    'work_dirs/sod-small_efficientnet-lite0_1xb16-4000i_duts-msra10k-224x224/iter_4000.pth'  # sixth
)
optim_wrapper = dict(optimizer=dict(lr=1.5e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=20),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=20, end=1200, T_max=1180),
]
custom_hooks = _base_.custom_hooks
custom_hooks[0].momentum = 0.005  # a short run is averaged over fewer iterations
randomness = dict(seed=3)  # another order than the sixth stage's
train_cfg = dict(type='IterBasedTrainLoop', max_iters=1200, val_interval=1200)
