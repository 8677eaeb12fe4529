# PiCANet with GAP in D6 and AC in D5 (Tab. 1).
_base_ = [
    '../_base_/models/picanet.py',
    '../_base_/datasets/duts_crop224.py',
    '../_base_/schedules/sgd_picanet_40000i.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(setting='6GAP_5AC'))
