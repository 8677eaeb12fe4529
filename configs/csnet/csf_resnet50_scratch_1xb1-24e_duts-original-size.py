# Fig. 11: CSF+R from scratch, so its BatchNorms learn.
_base_ = [
    '../_base_/models/csf_resnet50.py',
    '../_base_/datasets/duts_original_size.py',
    '../_base_/schedules/adam_24e_csf.py',
    '../_base_/default_runtime.py',
]
model = dict(backbone=dict(norm_eval=False, init_cfg=None))
