# SAMNet by the recipe of its paper (Sec. IV-A), from scratch: No. 5 of Tab. IV and the
# default of Tab. V. A backbone trained on ImageNet makes it No. 6, see README.md.
_base_ = [
    '../_base_/models/samnet.py',
    '../_base_/datasets/duts_336x336.py',
    '../_base_/schedules/adam_50e.py',
    '../_base_/default_runtime.py',
]
