// The page: photos in, one of them shown, settings and downloads.

import { model } from './api.js';
import { listenForPhotos } from './arriving.js';
import { fillCard } from './card.js';
import { listenToDownloads } from './saving.js';
import { Series } from './series.js';
import { listenToSettings } from './settings.js';
import { listenToStage } from './stage.js';
import { $, complain, isInstances, state } from './state.js';
import { updateSeries } from './strip.js';

const SHOWN_SCORE = 0.5; // from which on an instance is taken at first, as overlays draw it
const { settings } = state;

// Offer what suits the model's task.
function suitTask() {
  $('instances-box').hidden = !isInstances();
  $('hard-label').hidden = isInstances();
  $('download-data').hidden = !isInstances();
  if (!isInstances()) return;
  $('edge').textContent = 'Score';
  $('threshold-name').textContent = 'Least score';
  $('threshold').value = settings.threshold = SHOWN_SCORE;
  $('threshold-value').textContent = SHOWN_SCORE.toFixed(2);
  document.querySelector('[name="view"][value="overlay"]').checked = true;
  settings.view = 'overlay';
}

async function start() {
  listenForPhotos();
  listenToStage();
  listenToSettings();
  listenToDownloads();
  $('stop').addEventListener('click', () => state.series.stop());
  $('show-card').addEventListener('click', () => $('card').showModal());
  $('close-card').addEventListener('click', () => $('card').close());
  try {
    state.about = await model();
  } catch (error) {
    complain(error.message);
    return;
  }
  $('model-name').textContent = state.about.model.name;
  fillCard($('card-title'), $('card-body'), state.about);
  const options = { output: isInstances() ? 'instances' : 'map' };
  state.series = new Series({ options, limits: state.about.limits, changed: updateSeries });
  suitTask();
  document.body.dataset.ready = 'true';
}

start();
