// What imgrec-agent wrote, for templates: recommendations["dress/dress-001"] is that product's list.
const fs = require("node:fs");
const path = require("node:path");

function read(folder) {
  const files = {};
  const open = file => {
    try {
      return (files[file] ??= JSON.parse(fs.readFileSync(path.join(folder, file), "utf8")));
    } catch (error) {
      if (error.code === "ENOENT" && file !== "index.json") return {};  // the product has just vanished
      throw error;
    }
  };
  const { schemaVersion, products } = open("index.json");
  if (schemaVersion !== 1) throw new Error(`${folder} has files of version ${schemaVersion}, and this loader knows 1`);
  const lists = {};
  for (const [product, { file }] of Object.entries(products)) {
    const content = open(file);
    const list = (content.products?.[product] ?? content).recommendations;
    if (list) lists[product] = list;
  }
  return lists;
}

// Eleventy calls it with its own data.
module.exports = () => read(path.join(__dirname, "..", "recommendations"));
