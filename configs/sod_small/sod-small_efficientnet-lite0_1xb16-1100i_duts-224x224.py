# Fourth stage: the third one's averaged weights at 224x224 at a constant rate, milder zooms.
_base_ = [
    '../_base_/models/sod_small.py',
    '../_base_/datasets/duts_zoom224_mild.py',
    '../_base_/schedules/adamw_ema.py',
    '../_base_/default_runtime.py',
]
load_from = (
    'work_dirs/sod-small_efficientnet-lite0_1xb16-500i_duts-224x224/iter_500.pth'  # third stage
)
optim_wrapper = dict(optimizer=dict(lr=1.5e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=50),
]
custom_hooks = _base_.custom_hooks
custom_hooks[0].momentum = 0.005  # a short run is averaged over fewer iterations
train_cfg = dict(type='IterBasedTrainLoop', max_iters=1100, val_interval=400)
