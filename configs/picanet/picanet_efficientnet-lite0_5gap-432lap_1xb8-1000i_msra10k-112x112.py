# The light PiCANet with local attention pooling in place of attention convolutions.
_base_ = [
    '../_base_/models/picanet_efficientnet-lite0.py',
    '../_base_/datasets/msra10k_112x112.py',
    '../_base_/schedules/adam_1000i.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(setting='5GAP_432LAP'))
train_dataloader = dict(batch_size=8)
