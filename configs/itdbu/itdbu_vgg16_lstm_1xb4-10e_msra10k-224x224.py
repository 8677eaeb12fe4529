# ITDBU with convolutional LSTM cells (Tab. 2).
_base_ = [
    '../_base_/models/itdbu.py',
    '../_base_/datasets/msra10k_224x224.py',
    '../_base_/schedules/adam_10e.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(cell='lstm'))
