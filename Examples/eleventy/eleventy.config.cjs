module.exports = eleventy => {
  eleventy.addPassthroughCopy("photos");
  // With --serve: a build when the agent has published. The index is written last.
  eleventy.addWatchTarget("./recommendations/index.json");
  eleventy.watchIgnores?.add("./recommendations/products/**");
};
