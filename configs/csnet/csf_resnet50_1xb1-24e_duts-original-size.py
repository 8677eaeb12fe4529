# Tab. 7: CSF+R, the cross-stage fusion on ResNet-50 of ImageNet.
_base_ = [
    '../_base_/models/csf_resnet50.py',
    '../_base_/datasets/duts_original_size.py',
    '../_base_/schedules/adam_24e_csf.py',
    '../_base_/default_runtime.py',
]
# As released: the backbone's BatchNorms keep statistics, scales and shifts.
frozen = dict(lr_mult=0, decay_mult=0)
optim_wrapper = dict(paramwise_cfg=dict(custom_keys={'.bn': frozen, 'downsample.1': frozen}))
