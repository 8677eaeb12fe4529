# ITDBU, N = 1, on EfficientNet-Lite0 with ImageNet weights (extra: weights): real photos in small.
_base_ = [
    '../_base_/models/itdbu_efficientnet-lite0.py',
    '../_base_/datasets/msra10k_112x112.py',
    '../_base_/schedules/adam_1000i.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(iterations=1))
train_dataloader = dict(batch_size=8)
