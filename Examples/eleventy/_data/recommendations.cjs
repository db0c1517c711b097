// What imgrec-agent wrote, for templates: recommendations["dress/dress-001"] is that product's list.
const fs = require("node:fs");
const path = require("node:path");

module.exports = (folder = path.join(__dirname, "..", "recommendations")) => {
  const read = file => JSON.parse(fs.readFileSync(path.join(folder, file), "utf8"));
  const files = {};
  const lists = {};
  for (const [product, { file }] of Object.entries(read("index.json").products)) {
    const content = (files[file] ??= read(file));
    lists[product] = (content.products?.[product] ?? content).recommendations;
  }
  return lists;
};
