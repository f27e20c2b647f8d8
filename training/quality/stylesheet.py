"""How the report looks: one column of cards on a phone, several on a desk, in light and in dark."""

STYLESHEET = """
:root { color-scheme: light dark;
  --page: #f6f8fa; --card: #ffffff; --ink: #1f2328; --muted: #59636e; --line: #d1d9e0;
  --accent: #0969da; --second: #bc4c00; --good: #1a7f37; --bad: #cf222e; --shade: 9, 105, 218; }
@media (prefers-color-scheme: dark) { :root {
  --page: #0d1117; --card: #151b23; --ink: #e6edf3; --muted: #9198a1; --line: #3d444d;
  --accent: #4493f8; --second: #f0883e; --good: #3fb950; --bad: #f85149; --shade: 68, 147, 248; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 24px 16px 48px; }
h1 { margin: 0; font-size: 24px; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 36px 0 12px; font-size: 17px; }
h3 { margin: 0 0 8px; font-size: 14px; }
p { margin: 4px 0 12px; max-width: 76ch; }
.muted, figcaption, .interval { color: var(--muted); }
header { display: flex; flex-wrap: wrap; gap: 8px 16px; align-items: center; justify-content: space-between; }
dt { font-weight: 500; } dd { margin: 0 0 6px; color: var(--muted); }
figure + figure { margin-top: 12px; } .charts figure + figure, .cases figure + figure { margin-top: 0; }
.scroll + p { margin-top: 12px; } .fit { width: fit-content; max-width: 100%; }
.badge { padding: 4px 12px; border-radius: 99px; border: 1px solid currentColor; font-weight: 600; }
.good { color: var(--good); } .bad { color: var(--bad); }
.tiles, .charts, .columns, .cases { display: grid; gap: 12px; }
.tiles { grid-template-columns: repeat(auto-fill, minmax(140px, 1fr)); margin: 20px 0 12px; }
.charts { grid-template-columns: repeat(auto-fit, minmax(min(320px, 100%), 1fr)); }
.columns { grid-template-columns: repeat(auto-fit, minmax(min(380px, 100%), 1fr)); align-items: start; gap: 12px 24px; }
.cases { grid-template-columns: repeat(auto-fill, minmax(112px, 1fr)); }
.card, .tile, figure { margin: 0; padding: 14px 16px; background: var(--card); border: 1px solid var(--line);
  border-radius: 10px; }
.tile { padding: 12px; font-size: 14px; white-space: nowrap; }
.tile b { display: block; font-size: 24px; line-height: 1.3; font-variant-numeric: tabular-nums; }
.tile .interval { font-size: 13px; font-variant-numeric: tabular-nums; }
.tile:first-child { border-color: var(--accent); }
svg { display: block; width: 100%; max-width: 440px; height: auto; margin: 0 auto; }
svg text { font-family: system-ui, sans-serif !important; }
.cases figure { padding: 8px; font-size: 13px; line-height: 1.35; }
.cases figure.wrong { border-color: var(--bad); }
.cases img { width: 100%; aspect-ratio: 1; object-fit: contain; }
img { display: block; max-width: 100%; image-rendering: pixelated; margin-bottom: 6px; }
img.wide { width: 100%; }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 12px; text-align: right; border-top: 1px solid var(--line); white-space: nowrap; }
tr:first-child > * { border-top: 0; } thead + tbody > tr:first-child > * { border-top: 1px solid var(--line); }
th { font-weight: 500; } thead th { color: var(--muted); font-size: 13px; }
tr > :first-child { text-align: left; }
table.left td, table.left th { text-align: left; }
table.words td { white-space: normal; overflow-wrap: break-word; }
table.words td:last-child { min-width: 320px; width: 60%; }
table.pairs td { white-space: normal; overflow-wrap: anywhere; }
table.matrix { width: auto; } table.matrix td, table.matrix th { padding: 0 4px; min-width: 27px; height: 30px;
  text-align: center; border: 0; font-size: 13px; }
table.matrix tbody th { text-align: right; padding: 0 10px; color: var(--muted); }
table.upright thead th { vertical-align: bottom; height: 110px; }
table.upright thead span { writing-mode: vertical-rl; transform: rotate(180deg); }
details { margin-top: 12px; } summary { cursor: pointer; color: var(--accent); margin-bottom: 8px; }
footer { margin-top: 36px; color: var(--muted); font-size: 13px; }
"""
