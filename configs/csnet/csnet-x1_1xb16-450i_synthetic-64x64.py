# CSNet x1 on generated scenes in a few minutes on two CPU cores: the quickstart's run.
_base_ = [
    '../_base_/models/csnet.py',
    '../_base_/datasets/synthetic.py',
    '../_base_/schedules/adam_450i.py',
    '../_base_/default_runtime.py',
]
optim_wrapper = dict(constructor='sod_plugins.DynamicWeightDecayConstructor')
custom_hooks = [dict(type='sod_plugins.DynamicWeightDecayHook')]
