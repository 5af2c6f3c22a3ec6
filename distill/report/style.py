"""Style sheet of the report: badges in blue and orange, which colour-blind readers can tell apart."""

STYLE = """
:root { color-scheme: light dark; --page: #f6f7f9; --card: #fff; --ink: #1b1f27; --soft: #667085; --line: #e3e6eb;
  --accent: #0072b2; --good: #00568a; --good-back: #dceefa; --bad: #a04400; --bad-back: #fdebdd; }
@media (prefers-color-scheme: dark) { :root { --page: #13161b; --card: #1c2027; --ink: #e7eaf0; --soft: #98a2b3;
  --line: #30353f; --accent: #58b4e8; --good: #7cc6f2; --good-back: #12324a; --bad: #ffb27a; --bad-back: #4a2a12; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
header h1 { margin: 0; font-size: 2rem; line-height: 1.2; letter-spacing: -0.02em; }
header p { margin: .4rem 0 0; color: var(--soft); }
nav { display: flex; flex-wrap: wrap; gap: .4rem 1.1rem; margin: 1.2rem 0 0; padding-bottom: 1rem;
  border-bottom: 1px solid var(--line); font-size: .9rem; }
nav a { color: var(--accent); text-decoration: none; }
h2 { margin: 2.6rem 0 .8rem; font-size: 1.3rem; letter-spacing: -0.01em; }
p { margin: .6rem 0; max-width: 75ch; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(165px, 1fr)); gap: .8rem; margin: 1rem 0; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: .8rem 1rem; }
.card b { display: block; font-size: 1.45rem; line-height: 1.25; font-variant-numeric: tabular-nums;
  overflow-wrap: anywhere; }
.card span { color: var(--soft); font-size: .82rem; }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  margin: 1rem 0; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { padding: .45rem .7rem; text-align: left; border-bottom: 1px solid var(--line); }
td { overflow-wrap: anywhere; min-width: 4.2rem; }
td:first-child, th:first-child { min-width: 8rem; }
td.number { white-space: nowrap; }
tr:last-child td { border-bottom: 0; }
th { color: var(--soft); font-weight: 600; font-size: .82rem; vertical-align: bottom; }
.number { text-align: right; }
.verdict { list-style: none; margin: 1.2rem 0 0; padding: 0; display: grid; gap: .8rem;
  grid-template-columns: minmax(0, 1fr); } /* else the longest command sets the width of the page */
.verdict li { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: .8rem 1rem; }
.verdict b { margin-right: .5rem; }
.verdict p { margin: .35rem 0 0; }
code { display: block; overflow-x: auto; white-space: pre; margin-top: .4rem; padding: .45rem .7rem; font-size: .85rem;
  background: var(--page); border: 1px solid var(--line); border-radius: 8px; }
.good, .bad, .open { border-radius: 99px; padding: .1rem .6rem; font-weight: 600; }
.good { color: var(--good); background: var(--good-back); }
.open { color: var(--soft); border: 1px solid var(--line); }
.bad { color: var(--bad); background: var(--bad-back); }
figure { margin: 1rem 0; }
figure img { display: block; max-width: 100%; height: auto; background: #fff; border: 1px solid var(--line);
  border-radius: 12px; padding: .5rem; }
figcaption { color: var(--soft); font-size: .88rem; margin-top: .4rem; }
@media (max-width: 600px) { main { padding: 1.5rem .8rem 3rem; }
  td:first-child, th:first-child { position: sticky; left: 0; background: var(--card); min-width: 7rem; }
  td { min-width: 6.2rem; } }
@media print { body { background: #fff; } nav { display: none; } figure, .card { break-inside: avoid; } }
"""
