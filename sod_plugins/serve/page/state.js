// What the parts of the page share.

export const state = {
  about: null, // the model's card and the service's limits
  series: null, // the photos
  wanted: null, // the photo that shall be on the stage
  shown: null, // the one that is, decoded
  settings: { view: 'cutout', hard: false, threshold: 0.5, background: {}, taken: [], pointed: -1 },
};

export const NAMES = { cutout: 'Cut-out', overlay: 'Overlay', map: 'Map' };

export const $ = (id) => document.getElementById(id);

export const isInstances = () => state.about.model.task === 'instances';

// Whether an instance is taken before anyone has toggled it.
export const takenAtFirst = (annotations) => annotations.map((one) => one.score >= state.settings.threshold);

// Tell users of screen readers what happened.
export function say(text) {
  $('status').textContent = text;
}

// Tell all what went wrong, until something else is done.
export function complain(text) {
  $('error').textContent = text;
  $('error').hidden = !text;
}
