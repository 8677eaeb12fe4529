# ITDBU by sharing strategy iv (Tab. 5): one layer for everything.
_base_ = [
    '../_base_/models/itdbu.py',
    '../_base_/datasets/msra10k_224x224.py',
    '../_base_/schedules/adam_10e.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(sharing='iv'))
