# ITDBU with T = 4 (Tab. 4): four steps of each layer.
_base_ = [
    '../_base_/models/itdbu.py',
    '../_base_/datasets/msra10k_224x224.py',
    '../_base_/schedules/adam_10e.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(steps=4))
