// The model's card as a list of what is known about it.

const MEASURES = { max_f: 'max F', mae: 'MAE', weighted_f: 'weighted F', s_measure: 'S', max_e: 'max E' };

function row(term, text) {
  return text ? [
    Object.assign(document.createElement('dt'), { textContent: term }),
    Object.assign(document.createElement('dd'), { textContent: text }),
  ] : [];
}

function table(measures) {
  const keys = [...new Set(measures.flatMap((one) => Object.keys(one.values)))];
  const element = document.createElement('table');
  const head = element.createTHead().insertRow();
  for (const text of ['Data set', 'Photos', ...keys.map((key) => MEASURES[key] ?? key)]) {
    head.append(Object.assign(document.createElement('th'), { textContent: text, scope: 'col' }));
  }
  const body = element.createTBody();
  for (const { dataset, images, values } of measures) {
    const line = body.insertRow();
    for (const text of [dataset, images.toLocaleString(), ...keys.map((key) => values[key]?.toFixed(3) ?? '')]) {
      line.insertCell().textContent = text;
    }
  }
  const scroll = Object.assign(document.createElement('div'), { className: 'scroll', tabIndex: 0, role: 'region' });
  scroll.setAttribute('aria-label', 'Measures');
  scroll.append(element);
  return scroll;
}

export function fillCard(title, body, { model, limits, version }) {
  title.textContent = model.name;
  const list = document.createElement('dl');
  const size = model.preprocessing?.size;
  const times = Object.entries(model.milliseconds ?? {}).map(([engine, ms]) => `${ms} ms (${engine})`);
  list.append(
    ...row('Finds', model.task),
    ...row('Network', model.network && `${model.network}, ${(model.parameters ?? 0).toLocaleString()} parameters`),
    ...row('Input', size && `${size[0]} × ${size[1]} pixels`),
    ...row('Time', times.join(', ')),
    ...row('Trained on', model.data),
    ...row('Licence', model.licence),
    ...(model.notes ?? []).flatMap((note) => row('Note', note)),
    ...row('Takes', `photos up to ${Math.round(limits.bytes / 1048576)} MiB and ${limits.pixels / 1e6} megapixels`),
    ...row('Version', `sod_plugins ${version}`),
  );
  body.append(Object.assign(document.createElement('p'), { textContent: model.summary ?? '' }));
  if (model.measures?.length) body.append(table(model.measures));
  body.append(list);
}
