/** The site on the demo's disk: a page, its style, a picture, and something long enough for many segments. */
import type { SiteFile } from '@exokernel/cheetah';
import { encodeUtf8 } from '@exokernel/libos-kit';

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Served by Cheetah</title>
<link rel="stylesheet" href="/style.css">
</head>
<body>
<main>
<img src="/machine.svg" alt="A kernel with four library operating systems on it" width="480" height="220">
<h1>This page was served by an exokernel</h1>
<p>A DECstation, modelled instruction by instruction, runs the exokernel Aegis. On it, as a library, runs the web server
Cheetah: it owns a piece of the disk and its frames of memory, speaks TCP by itself, and keeps this page formatted and
checksummed in its cache. Your browser spoke to a gateway, which spoke TCP over the machine's Ethernet.</p>
<p>Beside it, on the same machine and at the same time: a matrix multiplication on a library operating system that has
nothing but memory and time slices; a Unix-like one with a process and its forked child; a handler inside the kernel
that answers UDP echo; and an environment that tried to harm the others.</p>
<p><a href="/numbers.txt">A longer file</a></p>
</main>
</body>
</html>
`;

const STYLE = `body { font: 18px/1.5 Georgia, serif; margin: 0; color: #222; background: #f6f4ee; }
main { max-width: 40em; margin: 3em auto; padding: 0 1em; }
h1 { font-weight: normal; }
img { max-width: 100%; height: auto; }
a { color: #8a2a0b; }
`;

const BOXES = ['Cheetah', 'ExOS', 'batch', 'yours'];

const PICTURE = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 480 220" font-family="Georgia, serif" font-size="18" text-anchor="middle">
${BOXES.map(
  (name, i) =>
    `<rect x="${8 + 118 * i}" y="10" width="110" height="90" fill="#fff" stroke="#8a2a0b"/><text x="${63 + 118 * i}" y="60">${name}</text>`,
).join('\n')}
<rect x="8" y="110" width="464" height="40" fill="#8a2a0b"/><text x="240" y="136" fill="#fff">Aegis</text>
<rect x="8" y="160" width="464" height="50" fill="#ddd" stroke="#888"/><text x="240" y="190">DECstation</text>
</svg>
`;

/** Lines of the longer file: about 100 KB. */
const NUMBERS = 6000;

/** The files of the demo's site; the same every time. */
export function demoSite(): SiteFile[] {
  const numbers = Array.from({ length: NUMBERS }, (_, i) => `${i} squared is ${i * i}\n`).join('');
  return [
    { path: '/index.html', type: 'text/html; charset=utf-8', body: encodeUtf8(PAGE) },
    { path: '/style.css', type: 'text/css', body: encodeUtf8(STYLE) },
    { path: '/machine.svg', type: 'image/svg+xml', body: encodeUtf8(PICTURE) },
    { path: '/numbers.txt', type: 'text/plain; charset=utf-8', body: encodeUtf8(numbers) },
    { path: '/empty.txt', type: 'text/plain; charset=utf-8', body: new Uint8Array(0) },
  ];
}
