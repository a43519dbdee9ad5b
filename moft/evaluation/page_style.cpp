// The style sheet of the report page.
#include "moft/evaluation/page_style.h"

#include "moft/evaluation/plot.h"

namespace moft {

std::string page_style() {
  return plot_variables() +
         R"(:root{--soft:#f6f7f8;--warn:#b3471d;--warnsoft:#fdf3ee;
color-scheme:light dark}
@media(prefers-color-scheme:dark){:root{--soft:#1c2025;--warn:#f0976c;
--warnsoft:#2a1f1a}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);
font:16px/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",
Arial,sans-serif}
main{max-width:1120px;margin:0 auto;padding:3.2rem 1.5rem 5rem}
h1,h2{font-family:Charter,"Iowan Old Style","Source Serif 4",Georgia,
"Times New Roman",serif;font-weight:600;line-height:1.2;text-wrap:balance}
h1{font-size:2.1rem;margin:0 0 .5rem;letter-spacing:-.01em}
h2{font-size:1.4rem;margin:3.2rem 0 .6rem}
h3{font-size:1rem;margin:1.6rem 0 .4rem}
p{max-width:44rem;margin:.4rem 0 1rem}
.lead{color:var(--muted);font-size:1.05rem}
.tiles{display:flex;flex-wrap:wrap;gap:1px;background:var(--grid);border:1px solid var(--grid);
border-radius:8px;overflow:hidden;margin:1.8rem 0 0}
.tiles div{flex:1 1 9.5rem;background:var(--paper);padding:.8rem 1rem}
.tiles dt{color:var(--muted);font-size:.82rem;line-height:1.35;
overflow-wrap:anywhere}
.tiles dd{margin:.15rem 0 0;font-size:1.45rem;font-weight:600;
font-variant-numeric:tabular-nums}
.tiles small{display:block;color:var(--muted);font-size:.78rem;
font-weight:400;line-height:1.4}
figure{margin:1.2rem 0 0}
figure svg{display:block;width:100%;height:auto}
figure.wide{max-width:700px}
figcaption,.caption{color:var(--muted);font-size:.88rem;max-width:44rem;
margin:.4rem 0 0}
figure.rows{max-width:900px}
.panels{display:grid;gap:1.4rem 2rem;
grid-template-columns:repeat(auto-fit,minmax(min(100%,25rem),1fr))}
.panels figure{margin:.6rem 0 0}
.scroll{overflow-x:auto;margin:1rem 0;-webkit-overflow-scrolling:touch}
table{border-collapse:collapse;font-size:.88rem;line-height:1.4;
font-variant-numeric:tabular-nums;min-width:100%}
th,td{padding:.45rem .7rem;text-align:right;white-space:nowrap;
border-bottom:1px solid var(--grid);vertical-align:top}
th{font-weight:600}
thead th{color:var(--muted);font-weight:500;font-size:.82rem;
vertical-align:bottom;border-bottom-color:var(--axis)}
th:first-child,td:first-child{text-align:left;padding-left:0}
td:last-child,th:last-child{padding-right:0}
td small{display:block;color:var(--muted);font-size:.78rem}
tr.reference td,tr.reference th{color:var(--muted);font-weight:400}
td.prose,th.prose{white-space:normal;text-align:left;min-width:14rem}
.chip{display:inline-flex;width:3.4rem;height:.55rem;border-radius:3px;
overflow:hidden;margin-right:.6rem;vertical-align:.05rem}
.chip i{display:block;height:100%}
.objective{display:inline-block}
.key{display:inline-block;width:.65rem;height:.65rem;border-radius:50%;
margin-right:.4rem}
ul.notes{list-style:none;margin:1rem 0 0;padding:0;max-width:48rem}
ul.notes li{padding:.55rem .9rem;margin:0 0 .5rem;background:var(--soft);
border-left:3px solid var(--axis);border-radius:0 6px 6px 0;
font-size:.95rem;overflow-wrap:anywhere}
ul.notes li.loud{background:var(--warnsoft);border-left-color:var(--warn)}
ul.notes li.loud b{color:var(--warn)}
.sample{margin:2rem 0 0;padding:1.4rem 0 0;border-top:1px solid var(--grid)}
.prompt{font-family:Charter,"Iowan Old Style",Georgia,serif;margin:0;
max-width:46rem;white-space:pre-line;overflow-wrap:anywhere}
.who{color:var(--muted);font-size:.8rem;margin:0 0 .2rem}
.answers{display:grid;gap:.8rem;margin:1rem 0 0;padding:0;list-style:none;
grid-template-columns:repeat(auto-fit,minmax(min(100%,10rem),1fr))}
.answers li{background:var(--soft);border-top:3px solid var(--axis);
border-radius:0 0 6px 6px;padding:.6rem .8rem .7rem;font-size:.92rem;
line-height:1.45;overflow-wrap:anywhere;display:flex;flex-direction:column}
.answers .who{font-variant-numeric:tabular-nums}
.answers p{margin:0;white-space:pre-line}
.answers .scores{color:var(--muted);font-size:.78rem;margin-top:auto;
padding-top:.5rem;line-height:1.35;font-variant-numeric:tabular-nums}
.answers .scores span{display:inline-block;margin-right:.4rem}
dl.facts{display:grid;grid-template-columns:minmax(8rem,max-content) 1fr;
gap:.25rem 1.4rem;font-size:.9rem;margin:1rem 0}
dl.facts dt{color:var(--muted)}
dl.facts dd{margin:0;overflow-wrap:anywhere}
@media(max-width:600px){figure.rows svg{min-width:640px}
table.figures th,table.figures td{white-space:normal}
table.figures .prose{min-width:8rem}
main{padding:2rem 1rem 3rem}h1{font-size:1.6rem}
h2{font-size:1.25rem;margin-top:2.4rem}.tiles dd{font-size:1.2rem}
dl.facts{grid-template-columns:1fr}dl.facts dd{margin-bottom:.5rem}
.tiles div{flex-basis:8rem}svg .tick,svg .note{font-size:13px}
svg text,svg .name{font-size:13.5px}.wide svg text,.wide svg .tick,
.wide svg .note,.wide svg .mark,.wide svg .name{font-size:16px}}
@media print{main{max-width:none;padding:0}h2{break-after:avoid}
figure,.sample{break-inside:avoid}}
)";
}

}  // namespace moft
