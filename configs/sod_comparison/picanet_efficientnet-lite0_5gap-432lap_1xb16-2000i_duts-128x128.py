# The narrow PiCANet on EfficientNet-Lite0, by the recipe of the comparison.
_base_ = [
    '../_base_/models/picanet_efficientnet-lite0.py',
    '../_base_/datasets/duts_zoom128.py',
    '../_base_/schedules/adamw_ema.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(setting='5GAP_432LAP'))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=300),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=300, end=2000, T_max=1700),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=2000, val_interval=1000)
