# Tab. 3: S4Net on MobileNet, from fresh weights; with an init_cfg that names some, norm_eval=True.
_base_ = [
    '../_base_/models/s4net.py',
    '../_base_/datasets/isod_instances.py',
    '../_base_/schedules/sgd_20000i_s4net.py',
    '../_base_/default_runtime_mmdet.py',
]
model = dict(
    backbone=dict(
        _delete_=True, type='sod_plugins.MobileNet', out_indices=(2, 3, 4), norm_eval=False
    ),
    neck=dict(in_channels=(256, 512, 1024)),
)
