# Thirteenth stage, not part of the model: the twelfth one's average by the eleventh's recipe,
# shorter and at a lower rate, with structural similarity in the loss.
_base_ = ['./sod-small_efficientnet-lite0_1xb16-2400i_duts-msra10k-288x288.py']
load_from = 'work_dirs/sod-small-12.safetensors'  # written by sod average
model = dict(decode_head=dict(loss_decode=dict(ssim_weight=1.0)))
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = 350
param_scheduler[1].T_max = 330
custom_hooks = _base_.custom_hooks
custom_hooks[0].momentum = 0.01  # a short run is averaged over fewer iterations
randomness = dict(seed=9)  # another order than the other stages'
train_cfg = dict(max_iters=350, val_interval=350)
