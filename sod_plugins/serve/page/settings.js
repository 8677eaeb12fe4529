// View, threshold and background.

import { updateInstances } from './picking.js';
import { render } from './stage.js';
import { $, complain, isInstances, state, takenAtFirst } from './state.js';

const { settings } = state;

export function listenToSettings() {
  for (const radio of document.getElementsByName('view')) {
    radio.addEventListener('change', () => {
      settings.view = radio.value;
      render();
    });
  }
  const threshold = () => {
    settings.threshold = Number($('threshold').value);
    $('threshold-value').textContent = settings.threshold.toFixed(2);
    if (state.shown?.masks) {
      settings.taken = takenAtFirst(state.shown.annotations);
      updateInstances();
    }
    render();
  };
  $('threshold').addEventListener('input', () => {
    if (!isInstances()) $('hard').checked = settings.hard = true;
    threshold();
  });
  $('hard').addEventListener('change', () => {
    settings.hard = $('hard').checked;
    render();
  });
  for (const input of [...document.getElementsByName('background'), $('colour'), $('image')]) {
    input.addEventListener('input', chooseBackground);
  }
}

async function chooseBackground() {
  const choice = document.querySelector('[name="background"]:checked').value;
  $('colour-field').hidden = choice !== 'colour';
  $('image-field').hidden = choice !== 'image';
  settings.background = {};
  if (choice === 'blur') settings.background = { blur: true, option: 'blur' };
  else if (choice === 'image') {
    const [file] = $('image').files;
    try {
      if (file) settings.background = { image: await createImageBitmap(file), file };
    } catch {
      complain('This image cannot be read. Choose another one.');
    }
  } else if (choice) {
    const colour = choice === 'colour' ? $('colour').value : choice;
    settings.background = { colour, option: colour };
  }
  render();
}
