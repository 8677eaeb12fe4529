# ITDBU by the recipe of its paper (Sec. 3.2); what it leaves open is in README.md.
_base_ = [
    '../_base_/models/itdbu.py',
    '../_base_/datasets/msra10k_224x224.py',
    '../_base_/schedules/adam_10e.py',
    '../_base_/default_runtime.py',
]
