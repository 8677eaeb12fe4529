# PiCANet whose local attention is supervised too (Sec. 5.4, which found it slightly worse).
_base_ = [
    '../_base_/models/picanet.py',
    '../_base_/datasets/duts_crop224.py',
    '../_base_/schedules/sgd_picanet_40000i.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(local_attention_weight=0.2))
