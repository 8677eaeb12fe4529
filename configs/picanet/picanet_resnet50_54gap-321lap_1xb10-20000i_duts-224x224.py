# PiCANet on ResNet-50 as released: GAP in D5 and D4, LAP in D3 to D1, maps at half the size.
_base_ = [
    '../_base_/models/picanet.py',
    '../_base_/datasets/duts_crop224.py',
    '../_base_/schedules/sgd_picanet_20000i.py',
    '../_base_/default_runtime.py',
]
model = dict(
    backbone=dict(
        _delete_=True,
        type='sod_plugins.ResNet',
        depth=50,
        strides=(1, 2, 1, 1),
        dilations=(1, 1, 2, 4),
        norm_eval=True,
        init_cfg=dict(
            type='sod_plugins.BackboneWeights',
            checkpoint='https://download.pytorch.org/models/resnet50-0676ba61.pth',
        ),
    ),
    decode_head=dict(
        in_channels=(64, 256, 512, 1024, 2048),
        in_strides=(2, 4, 8, 8, 8),
        setting='54GAP_321LAP',
        upsample='learned',
        order='columns_first',
        tap_norm='none',
        global_attention_weight=0,
    ),
)
train_dataloader = dict(batch_size=10)
