# S4Net as in the paper; the learning rate is that of its two GPUs.
_base_ = [
    '../_base_/models/s4net.py',
    '../_base_/datasets/isod_instances.py',
    '../_base_/schedules/sgd_20000i_s4net.py',
    '../_base_/default_runtime_mmdet.py',
]
