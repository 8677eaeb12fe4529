# Tab. 7: CSF+R2, the cross-stage fusion on Res2Net-50 v1b (26w, 4s), 36,528,489 parameters. Set
# model.backbone.init_cfg to a file of ImageNet weights under mmdet's names.
_base_ = [
    '../_base_/models/csf_resnet50.py',
    '../_base_/datasets/duts_original_size.py',
    '../_base_/schedules/adam_24e_csf.py',
    '../_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmdet.models'], allow_failed_imports=False)
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmdet.Res2Net',
        depth=50,
        scales=4,
        base_width=26,
        deep_stem=True,
        avg_down=True,
    ),
)
# As released: the backbone's BatchNorms keep statistics, scales and shifts, except the scales and
# shifts of two inside the stem.
frozen = dict(lr_mult=0, decay_mult=0)
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={'.bn': frozen, 'stem.7': frozen, 'downsample.2': frozen})
)
