# PiCANet by the recipe of its paper (Sec. 5.3), on MSRA10K.
_base_ = [
    '../_base_/models/picanet.py',
    '../_base_/datasets/msra10k_crop224.py',
    '../_base_/schedules/sgd_picanet_40000i.py',
    '../_base_/default_runtime.py',
]
