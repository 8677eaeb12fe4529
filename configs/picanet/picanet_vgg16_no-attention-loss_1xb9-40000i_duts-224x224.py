# PiCANet without the global attention loss (Tab. 1).
_base_ = [
    '../_base_/models/picanet.py',
    '../_base_/datasets/duts_crop224.py',
    '../_base_/schedules/sgd_picanet_40000i.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(global_attention_weight=0))
