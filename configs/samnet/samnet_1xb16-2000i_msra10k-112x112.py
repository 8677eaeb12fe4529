# SAMNet on real photos within an hour on two CPU cores: small inputs, no ImageNet weights, two
# and a half times the paper's learning rate.
_base_ = [
    '../_base_/models/samnet.py',
    '../_base_/datasets/msra10k_112x112.py',
    '../_base_/schedules/adam_2000i.py',
    '../_base_/default_runtime.py',
]
optim_wrapper = dict(optimizer=dict(lr=1.25e-3, betas=(0.9, 0.999), weight_decay=1e-4))
