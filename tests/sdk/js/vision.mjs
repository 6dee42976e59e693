// The official MCP client in JavaScript and the vision tools: `node vision.mjs URL KEY SOURCE` prints what it was told.

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [url, key, source] = process.argv.slice(2);
const headers = { authorization: `Bearer ${key}` };
const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } });
const client = new Client({ name: "test", version: "1" });
await client.connect(transport);
await client.ping();
const call = async (args) => (await client.callTool({ name: "analyze_image", arguments: args })).content[0].text;

const tools = (await client.listTools()).tools.map((tool) => tool.name);
const answer = await call({ image_source: source, prompt: "What is it?" });
const refusal = await call({ image_source: source });
await transport.terminateSession();
await client.close();
console.log(JSON.stringify({ tools, answer, refusal }));
