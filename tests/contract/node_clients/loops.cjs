// A retry loop around each SDK of Node, as python_clients/loops_of_langchain.py is for LangChain.
// Arguments: the folder of the packages, a chaos server's URL, the number of prompts, and of
// requests in a loop. Prints which prompts got through, as JSON.
"use strict";

const { createRequire } = require("node:module");
const path = require("node:path");

const [folder, url, prompts, requestsMax] = process.argv.slice(2);
const installed = createRequire(path.join(folder, "package.json"));
const settings = { apiKey: "k", maxRetries: 0, timeout: 30_000 };

function openai() {
  const client = new (installed("openai").OpenAI)({ ...settings, baseURL: `${url}/v1` });
  return async (messages) =>
    (await client.chat.completions.create({ model: "m", messages })).choices[0].message.content;
}

function anthropic() {
  const client = new (installed("@anthropic-ai/sdk").Anthropic)({ ...settings, baseURL: url });
  return async (messages) =>
    (await client.messages.create({ model: "m", max_tokens: 99, messages })).content[0].text;
}

async function isEchoed(ask, prompt) {
  for (let request = 0; request < Number(requestsMax); request += 1) {
    try {
      return (await ask([{ role: "user", content: prompt }])) === prompt;
    } catch {
      // The next request of the loop.
    }
  }
  return false;
}

async function through(ask) {
  const met = [];
  for (let number = 0; number < Number(prompts); number += 1) {
    met.push(await isEchoed(ask, `prompt ${number}`));
  }
  return met;
}

async function main() {
  const met = { "node/openai": await through(openai()) };
  met["node/anthropic"] = await through(anthropic());
  process.stdout.write(`${JSON.stringify(met)}\n`, () => process.exit(0));
}

main();
