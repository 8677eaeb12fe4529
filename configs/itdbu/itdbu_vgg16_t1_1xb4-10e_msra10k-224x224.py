# ITDBU with T = 1 (Tab. 4): one step of each layer.
_base_ = [
    '../_base_/models/itdbu.py',
    '../_base_/datasets/msra10k_224x224.py',
    '../_base_/schedules/adam_10e.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(steps=1))
