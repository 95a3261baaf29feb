// Workers written with @io-orkes/conductor-javascript, as anybody would write them; the SDK's folder is the one argument.
import { createRequire } from "node:module";

const require = createRequire(process.argv[2] + "/");
const { OrkesClients, TaskHandler, worker } = require("@io-orkes/conductor-javascript");

async function square(task) {
  return { status: "COMPLETED", outputData: { number: task.inputData.number ** 2 } };
}

async function never() {
  throw new Error("not this way");
}

worker({ taskDefName: "js_square", pollInterval: 50 })(square);
worker({ taskDefName: "js_never", pollInterval: 50 })(never);

const clients = await OrkesClients.from();
const handler = new TaskHandler({ client: clients.getClient(), scanForDecorated: true });
await handler.startWorkers();
console.log("js.ready");
process.on("SIGTERM", async () => {
  await handler.stopWorkers();
  process.exit(0);
});
