// MathJax is fetched only by pages that have equations, and from this site.
window.MathJax = {
  tex: {inlineMath: [["$", "$"], ["\\(", "\\)"]], processEscapes: true},
  options: {ignoreHtmlClass: "md-header|md-nav|md-search|highlight|output", processHtmlClass: "prose", enableMenu: false},
  svg: {fontCache: "global"},
};
document.addEventListener("DOMContentLoaded", () => {
  if (![...document.querySelectorAll(".prose")].some(e => /\$[^$]+\$/.test(e.textContent))) return;
  const script = document.createElement("script");
  script.src = document.querySelector('script[src$="math.js"]').src.replace(/math\.js$/, "mathjax/tex-svg.js");
  document.head.append(script);
});
