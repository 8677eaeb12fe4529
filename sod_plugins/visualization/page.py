"""Frame, style and script of a self-contained HTML page with a light and a dark theme."""

from __future__ import annotations

import html

from sod_plugins._common.text import printable

STYLE = """
:root {
  color-scheme: light dark;
  --ground: #f6f7f9; --card: #ffffff; --ink: #1c2430; --faint: #667085; --line: #e3e6eb;
  --accent: #0b66c2; --stripe: #fafbfc;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #12161c; --card: #1a2029; --ink: #e6e9ee; --faint: #98a2b3; --line: #2c3440;
    --accent: #6cb2ff; --stripe: #1e252f;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 1180px; padding: 2.5rem 1.25rem 4rem; background: var(--ground);
  color: var(--ink); font: 16px/1.55 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
}
h1 { margin: 0; font-size: 1.9rem; line-height: 1.2; letter-spacing: -0.01em; }
h2 { margin: 2.5rem 0 0.5rem; font-size: 1.2rem; }
p { margin: 0.35rem 0 0.75rem; }
.faint { color: var(--faint); }
.card {
  background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 1rem 1.25rem;
}
.tiles + .card { margin-top: 0.75rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(120px, 1fr)); gap: 0.75rem; }
.tile b { display: block; font-size: 1.7rem; font-weight: 600; line-height: 1.2; }
.tile span { color: var(--faint); font-size: 0.875rem; }
b, td, figcaption { font-variant-numeric: tabular-nums; }
.scroll { overflow: auto; }
.tall { max-height: 30rem; padding: 0 0.5rem; }
table { width: 100%; border-collapse: collapse; font-size: 0.9rem; }
th, td { padding: 0.45rem 0.5rem; text-align: right; vertical-align: bottom; }
td { white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
thead th {
  position: sticky; top: 0; background: var(--card); box-shadow: inset 0 -1px var(--line);
  font-weight: 600;
}
tbody tr:nth-child(even) { background: var(--stripe); }
th button {
  all: unset; cursor: pointer; color: var(--accent); border-radius: 3px;
}
th button:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
th[aria-sort="ascending"] button::after { content: " \\2191"; }
th[aria-sort="descending"] button::after { content: " \\2193"; }
.curves svg { display: block; width: 100%; height: auto; }
.strips { min-width: 720px; }
.strip { margin: 0; padding: 0.75rem 0; border-top: 1px solid var(--line); }
.strip:first-of-type { border-top: 0; }
.strip figcaption { margin-bottom: 0.4rem; font-size: 0.9rem; }
.strip figcaption b { margin-right: 0.75rem; }
.row { display: grid; grid-template-columns: repeat(5, 1fr); gap: 0.5rem; }
.row img {
  max-width: 100%; max-height: 190px; place-self: center; border: 1px solid var(--line);
  border-radius: 5px;
}
.row span { color: var(--faint); font-size: 0.8rem; text-align: center; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.35rem 1.25rem; margin: 0; }
dt { color: var(--faint); }
dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
summary { cursor: pointer; color: var(--accent); }
pre {
  margin: 0.5rem 0 0; overflow: auto;
  font: 0.8rem/1.5 ui-monospace, "DejaVu Sans Mono", monospace;
}
"""

SCRIPT = """
for (const button of document.querySelectorAll('th button')) {
  button.addEventListener('click', () => {
    const heading = button.parentElement, headings = [...heading.parentElement.children];
    const column = headings.indexOf(heading);
    const sign = heading.ariaSort === 'ascending' ? -1 : 1;
    for (const other of headings) other.ariaSort = null;
    heading.ariaSort = sign === 1 ? 'ascending' : 'descending';
    const body = heading.closest('table').tBodies[0];
    const key = (row) => row.cells[column].textContent;
    const compare = (a, b) => isNaN(key(a)) || isNaN(key(b))
      ? key(a).localeCompare(key(b), undefined, { numeric: true }) : key(a) - key(b);
    body.append(...[...body.rows].sort((a, b) => sign * compare(a, b)));
  });
}
"""


def html_page(title: str, body: str) -> str:
    """Return a complete page; the title is plain text, the body is HTML."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{html.escape(printable(title))}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n'
        f'{body}<script>{SCRIPT}</script>\n</body>\n</html>\n'
    )
