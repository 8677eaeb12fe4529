// Photos that are chosen, dropped or pasted.

import { drawSample } from './sample.js';
import { select } from './stage.js';
import { $, complain, state } from './state.js';

async function take(files) {
  if (!state.series) return; // the service has not answered, which the page says
  const photos = [...files].filter((file) => file.type.startsWith('image/') || /\.(heic|heif|avif|tiff?|jfif)$/i.test(file.name));
  if (!photos.length) {
    if (files.length) complain('There is no photo among these files.');
    return;
  }
  complain('');
  document.body.dataset.state = 'work';
  $('work').hidden = false;
  const [first] = state.series.add(photos);
  select(first);
}

async function filesOfDrop(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files];
  const found = [];
  const walk = async (entry) => {
    if (entry.isFile) {
      found.push(await new Promise((resolve, reject) => entry.file(resolve, reject)));
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (!part.length) return;
      for (const child of part) await walk(child);
    }
  };
  for (const entry of entries) await walk(entry);
  return found;
}

export function listenForPhotos() {
  for (const [button, input] of [['choose', 'files'], ['choose-folder', 'folder']]) {
    $(button).addEventListener('click', () => $(input).click());
    $(input).addEventListener('change', () => {
      take($(input).files);
      $(input).value = '';
    });
  }
  $('sample').addEventListener('click', async () => take([await drawSample()]));
  document.addEventListener('paste', (event) => {
    if (event.clipboardData.files.length) take(event.clipboardData.files);
  });
  let depth = 0;
  const drag = (change) => (event) => {
    if (![...event.dataTransfer.types].includes('Files')) return;
    event.preventDefault();
    depth = change === 0 ? 0 : depth + change;
    document.body.classList.toggle('dragging', depth > 0);
  };
  document.addEventListener('dragenter', drag(1));
  document.addEventListener('dragleave', drag(-1));
  document.addEventListener('dragover', (event) => event.preventDefault());
  document.addEventListener('drop', async (event) => {
    drag(0)(event);
    take(await filesOfDrop(event.dataTransfer));
  });
}
