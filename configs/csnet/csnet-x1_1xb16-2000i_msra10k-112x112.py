# CSNet x1 on real photos within an hour on two CPU cores: small inputs, twenty times the paper's
# learning rate, falling to almost zero.
_base_ = [
    '../_base_/models/csnet.py',
    '../_base_/datasets/msra10k_112x112.py',
    '../_base_/schedules/adam_2000i.py',
    '../_base_/default_runtime.py',
]
optim_wrapper = dict(constructor='sod_plugins.DynamicWeightDecayConstructor')
custom_hooks = [dict(type='sod_plugins.DynamicWeightDecayHook')]
