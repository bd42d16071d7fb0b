// What every page's scripts begin with: its data, its elements, and new ones.

const element = (id) => document.getElementById(id);
const data = JSON.parse(element("data").textContent);

function make(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}
