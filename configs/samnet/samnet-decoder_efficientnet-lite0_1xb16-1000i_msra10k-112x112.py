# SAMNet's decoder on EfficientNet-Lite0 with ImageNet weights (extra: weights), on real photos.
_base_ = [
    '../_base_/models/samnet-decoder_efficientnet-lite0.py',
    '../_base_/datasets/msra10k_112x112.py',
    '../_base_/schedules/adam_1000i.py',
    '../_base_/default_runtime.py',
]
