// The official MCP client in JavaScript: `node client.mjs URL KEY` goes through a session and prints what it saw, as JSON.

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ToolListChangedNotificationSchema } from "@modelcontextprotocol/sdk/types.js";

const [url, key] = process.argv.slice(2);
const headers = { authorization: `Bearer ${key}` };
// Whether and when the stream that listens is open is told by nothing but the request for it.
let listening;
const listens = new Promise((resolve) => { listening = resolve; });
const watched = async (target, init) => {
  const response = await fetch(target, init);
  if (init?.method === "GET") listening();
  return response;
};
const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers }, fetch: watched });
const client = new Client({ name: "test", version: "1" });

const heard = [];
let told;
const change = new Promise((resolve) => { told = resolve; });
client.setNotificationHandler(ToolListChangedNotificationSchema, (message) => {
  heard.push(message.method);
  told();
});

await client.connect(transport);
const call = async (name, args, options) =>
  (await client.callTool({ name, arguments: args }, undefined, options)).content[0].text;

const tools = (await client.listTools()).tools.map((tool) => tool.name).sort();
const echo = await call("echo", { text: "caf\u00e9" });
const progress = [];
const count = await call("count", { to: 3 }, { onprogress: (step) => progress.push(step.progress) });
const slow = await new Promise((resolve, reject) => {
  const onprogress = () => call("release", { name: "js" }).catch(reject);
  call("wait", { name: "js" }, { onprogress }).then(resolve, reject);
});
if (transport.sessionId) {
  await listens;
  await call("change", {});
  await change;
}
await transport.terminateSession();
await client.close();
console.log(JSON.stringify({ tools, echo, progress, count, slow, heard }));
