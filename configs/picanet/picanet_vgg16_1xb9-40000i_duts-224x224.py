# PiCANet by the recipe of its paper (Sec. 5.3): GAP in D6, AC in D5 to D2 (Tab. 1, +6GAP 5432AC).
_base_ = [
    '../_base_/models/picanet.py',
    '../_base_/datasets/duts_crop224.py',
    '../_base_/schedules/sgd_picanet_40000i.py',
    '../_base_/default_runtime.py',
]
