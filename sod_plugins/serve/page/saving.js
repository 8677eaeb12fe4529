// Downloads: the service's own files where it can make them.

import { predict } from './api.js';
import { makeCanvas } from './pixels.js';
import { $, complain, isInstances, say, state, takenAtFirst } from './state.js';
import { Shown } from './viewer.js';
import { zip } from './zip.js';

const { settings } = state;

const ENDINGS = { 'image/png': 'png', 'image/jpeg': 'jpg', 'image/webp': 'webp' };

function stemOf(name) {
  return name.split('/').pop().replace(/\.[^.]*$/, '') || 'photo';
}

// The file that the settings ask for, at the full size of the photo.
async function outputOf(item) {
  const { view, hard, threshold, background } = settings;
  if (isInstances()) return composedOf(item);
  if (view === 'map' && !hard) return item.result;
  const options = { output: view === 'map' ? 'mask' : view };
  if (hard && view !== 'overlay') options.threshold = threshold;
  if (view === 'cutout') options.background = background.option;
  return predict(item.file, options, { background: view === 'cutout' ? background.file : undefined });
}

// An image of the instances that are chosen: the page alone knows which.
async function composedOf(item) {
  const full = await Shown.of(item, 'instances', Infinity);
  const taken = item === state.shown?.item ? settings.taken : takenAtFirst(full.annotations);
  const canvas = makeCanvas(full.width, full.height);
  full.draw(canvas, { ...settings, taken, pointed: -1 });
  full.close();
  return new Promise((resolve) => canvas.toBlob(resolve, 'image/png'));
}

function save(blob, name) {
  const link = Object.assign(document.createElement('a'), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  say(`${name} saved`);
}

async function whileBusy(button, work) {
  button.disabled = true;
  button.setAttribute('aria-busy', 'true');
  try {
    await work();
  } catch (error) {
    complain(error.message);
  }
  button.disabled = false;
  button.removeAttribute('aria-busy');
}

export function listenToDownloads() {
  $('download').addEventListener('click', () => whileBusy($('download'), async () => {
    const { item } = state.shown;
    const blob = await outputOf(item);
    save(blob, `${stemOf(item.name)}-${settings.view}.${ENDINGS[blob.type]}`);
  }));
  $('download-data').addEventListener('click', () => {
    const { fullWidth: width, fullHeight: height, annotations, item } = state.shown;
    const chosen = annotations.filter((one, k) => settings.taken[k]);
    const text = JSON.stringify({ height, width, annotations: chosen });
    save(new Blob([text], { type: 'application/json' }), `${stemOf(item.name)}.json`);
  });
  $('download-all').addEventListener('click', () => whileBusy($('download-all'), async () => {
    const entries = [];
    const names = new Set();
    for (const item of state.series.done) {
      say(`Gathering ${entries.length + 1} of ${state.series.done.length}`);
      const blob = await outputOf(item);
      let stem = stemOf(item.name);
      for (let n = 2; names.has(stem); n += 1) stem = `${stemOf(item.name)}-${n}`;
      names.add(stem);
      entries.push([`${settings.view}/${stem}.${ENDINGS[blob.type]}`, blob]);
    }
    save(await zip(entries), `${settings.view}s.zip`);
  }));
}
