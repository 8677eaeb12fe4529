# PiCANet with a weight of 0.3 on the global attention loss (Sec. 5.4).
_base_ = [
    '../_base_/models/picanet.py',
    '../_base_/datasets/duts_crop224.py',
    '../_base_/schedules/sgd_picanet_40000i.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(global_attention_weight=0.3))
