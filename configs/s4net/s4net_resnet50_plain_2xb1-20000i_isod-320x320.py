# Sec. 3.5: the segmentation branch of Mask R-CNN, Fig. 2(b).
_base_ = [
    '../_base_/models/s4net.py',
    '../_base_/datasets/isod_instances.py',
    '../_base_/schedules/sgd_20000i_s4net.py',
    '../_base_/default_runtime_mmdet.py',
]
model = dict(mask_head=dict(kind='plain'))
