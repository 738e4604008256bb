// A process that runs clients of Node through their scenes, all at once: the twin of
// python_clients/program.py, with the same standard input and output.
// Argument: the folder where ci/clients installed the packages.
"use strict";

const { createRequire } = require("node:module");
const path = require("node:path");

const TEXT = "one two three four five six"; // as in python_clients/client.py
const GIVE_UP_MS = 40_000;
const FORECAST = {
  name: "forecast",
  description: "The weather to come.",
  parameters: {
    type: "object",
    properties: { city: { type: "string" }, days: { type: "integer" } },
    required: ["city", "days"],
    additionalProperties: false,
  },
};
const MESSAGES = [{ role: "user", content: TEXT }];
// Node's fetch, which the AI SDK leaves as it is: undici's headersTimeout and bodyTimeout.
const FETCH_WAITS_S = 300;

const folder = process.argv[2];
const installed = createRequire(path.join(folder, "package.json"));

function openai() {
  const { OpenAI } = installed("openai");
  const client = (scene) =>
    new OpenAI({ baseURL: `${scene.url}/v1`, apiKey: "k", timeout: scene.timeout_s * 1000 });
  return {
    package: "openai",
    waits_s: OpenAI.DEFAULT_TIMEOUT / 1000,
    async ask(scene) {
      const said = await client(scene).chat.completions.create({ model: "m", messages: MESSAGES });
      return said.choices[0].message.content;
    },
    async call(scene) {
      const tools = [{ type: "function", function: FORECAST }];
      const asked = { model: "m", messages: MESSAGES, tools, tool_choice: "required" };
      const said = await client(scene).chat.completions.create(asked);
      return shown(JSON.parse(said.choices[0].message.tool_calls[0].function.arguments));
    },
    async stream(scene) {
      const asked = { model: "m", messages: MESSAGES, stream: true };
      let said = "";
      for await (const chunk of await client(scene).chat.completions.create(asked)) {
        for (const choice of chunk.choices) said += choice.delta.content ?? "";
      }
      return said;
    },
  };
}

function anthropic() {
  const { Anthropic } = installed("@anthropic-ai/sdk");
  const client = (scene) =>
    new Anthropic({ baseURL: scene.url, apiKey: "k", timeout: scene.timeout_s * 1000 });
  const asked = { model: "m", max_tokens: 99, messages: MESSAGES };
  return {
    package: "@anthropic-ai/sdk",
    waits_s: Anthropic.DEFAULT_TIMEOUT / 1000,
    async ask(scene) {
      const said = await client(scene).messages.create(asked);
      return said.content.map((block) => block.text ?? "").join("");
    },
    async call(scene) {
      const tools = [{ name: FORECAST.name, input_schema: FORECAST.parameters }];
      const choice = { type: "any" };
      const said = await client(scene).messages.create({ ...asked, tools, tool_choice: choice });
      return shown(said.content.find((block) => block.type === "tool_use").input);
    },
    async stream(scene) {
      let said = "";
      for await (const event of client(scene).messages.stream(asked)) {
        if (event.type === "content_block_delta") said += event.delta.text ?? "";
      }
      return said;
    },
  };
}

function ai(package_, modelOf) {
  const { generateText, streamText } = installed("ai");
  const asked = (scene) => ({
    model: modelOf(scene.url),
    messages: MESSAGES,
    abortSignal: AbortSignal.timeout(scene.timeout_s * 1000),
  });
  return {
    package: package_,
    waits_s: FETCH_WAITS_S,
    async ask(scene) {
      return (await generateText(asked(scene))).text;
    },
    async call(scene) {
      const { jsonSchema, tool } = installed("ai");
      const forecast = tool({
        description: FORECAST.description,
        inputSchema: jsonSchema(FORECAST.parameters),
      });
      const said = await generateText({
        ...asked(scene),
        tools: { forecast },
        toolChoice: "required",
      });
      return shown(said.toolCalls[0].input);
    },
    async stream(scene) {
      let failure;
      const result = streamText({ ...asked(scene), onError: ({ error }) => (failure = error) });
      let said = "";
      for await (const piece of result.textStream) said += piece;
      if (failure !== undefined) throw failure; // that is how the AI SDK reports it
      return said;
    },
  };
}

const CLIENTS = {
  "node/openai": openai,
  "node/anthropic": anthropic,
  "node/ai-openai": () =>
    ai("@ai-sdk/openai", (url) =>
      installed("@ai-sdk/openai").createOpenAI({ baseURL: `${url}/v1`, apiKey: "k" }).chat("m"),
    ),
  "node/ai-anthropic": () =>
    ai("@ai-sdk/anthropic", (url) =>
      installed("@ai-sdk/anthropic").createAnthropic({ baseURL: `${url}/v1`, apiKey: "k" })("m"),
    ),
};

function shown(passed) {
  return JSON.stringify(passed);
}

async function play(client, scene) {
  try {
    const ask = scene.called ? client.call : scene.streamed ? client.stream : client.ask;
    const text = await ask(scene);
    return { text };
  } catch (error) {
    // Classes of these packages do not set `name` throughout; their constructor has it.
    const own = error?.name;
    return { raised: own && own !== "Error" ? own : (error?.constructor?.name ?? typeof error) };
  }
}

function read(stream) {
  return new Promise((done) => {
    let data = "";
    stream.on("data", (piece) => (data += piece)).on("end", () => done(data));
  });
}

async function run(name, scenes, hang) {
  const client = CLIENTS[name]();
  const played = Object.entries(scenes).map(async ([scene, its]) => [
    scene,
    await Promise.race([play(client, its), hang]),
  ]);
  const outcomes = Object.fromEntries(await Promise.all(played));
  // Not through the package's exports, which may hide its own description.
  const about = require(path.join(folder, "node_modules", client.package, "package.json"));
  return [name, { version: about.version, waits_s: client.waits_s, outcomes }];
}

async function main() {
  const asked = JSON.parse(await read(process.stdin));
  const hang = new Promise((done) => setTimeout(done, GIVE_UP_MS, {}));
  const runs = Object.entries(asked).map(([name, scenes]) => run(name, scenes, hang));
  const said = JSON.stringify(Object.fromEntries(await Promise.all(runs)));
  process.stdout.write(`${said}\n`, () => process.exit(0));
}

main();
