# CSNet's cross-stage fusion on EfficientNet-Lite0, by the recipe of the comparison.
_base_ = [
    '../_base_/models/csf_efficientnet-lite0.py',
    '../_base_/datasets/duts_zoom128.py',
    '../_base_/schedules/adamw_ema_800i.py',
    '../_base_/default_runtime.py',
]
