# Ninth stage: the average of the fifth and the eighth one's weights, once more on DUTS alone.
_base_ = [
    '../_base_/models/sod_small.py',
    '../_base_/datasets/duts_zoom256_mild.py',
    '../_base_/schedules/adamw_ema.py',
    '../_base_/default_runtime.py',
]
load_from = 'work_dirs/sod-small.safetensors'  # written by sod average
model = dict(decode_head=dict(loss_decode=dict(iou_weight=2.0)))
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=20),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=20, end=300, T_max=280),
]
custom_hooks = _base_.custom_hooks
custom_hooks[0].momentum = 0.01  # a short run is averaged over fewer iterations
randomness = dict(seed=5)  # another order than the other stages'
train_cfg = dict(type='IterBasedTrainLoop', max_iters=300, val_interval=300)
