/** Questions and answers between the page and its worker, and what the page says where there is no WebGPU. */

import { describe, expect, test } from "vitest";
import { EngineError } from "../../src/errors.ts";
import { EngineClient } from "../../src/web/engine-client.ts";
import { faultOf, type News, type Question } from "../../src/web/protocol.ts";
import { whyNoWebGpu } from "../../src/web/why-no-webgpu.ts";

/** A client whose worker is the test. */
function connect() {
  const asked: Question[] = [];
  const heard: News[] = [];
  const client = new EngineClient(
    { postMessage: (message) => void asked.push(message as Question) },
    (news) => void heard.push(news),
  );
  return { client, asked, heard };
}

describe("the client", () => {
  test("gives each question its own answer, in whatever order they come", async () => {
    const { client, asked } = connect();
    const [first, second] = ["a", "b"].map((name) => client.ask("blob", { name }));
    expect(asked.map(({ takes }) => takes)).toEqual([{ name: "a" }, { name: "b" }]);
    const blob = (value: number) => ({ shape: [1], data: Float32Array.of(value) });
    client.receive({ kind: "answer", id: asked[1].id, gives: blob(2) });
    client.receive({ kind: "answer", id: asked[0].id, gives: blob(1) });
    expect(await first).toEqual(blob(1));
    expect(await second).toEqual(blob(2));
  });

  test("rejects with the error that the worker had", async () => {
    const { client, asked } = connect();
    const error = new EngineError("weights", "a: file", "lacks conv1", "use another; or none");
    const answer = client.ask("start", undefined);
    client.receive({ kind: "refusal", id: asked[0].id, fault: structuredClone(faultOf(error)) });
    await expect(answer).rejects.toThrow(error.message);
    await expect(answer).rejects.toMatchObject({ code: "weights", subject: "a: file", remedy: "use another; or none" });
    expect(faultOf(new TypeError("no")).problem).toBe("no");
  });

  test("tells news, and fails whole once the worker is gone", async () => {
    const { client, heard } = connect();
    client.receive({ kind: "lost", why: "test" });
    expect(heard).toEqual([{ kind: "lost", why: "test" }]);
    const open = client.ask("start", undefined);
    client.fail(new Error("gone"));
    await expect(open).rejects.toThrow("gone");
    await expect(client.ask("start", undefined)).rejects.toThrow("gone");
  });
});

test("what is missing has a sentence each", () => {
  const scope = (isSecureContext: boolean, gpu: unknown, port = "8020") => ({
    isSecureContext,
    navigator: gpu === undefined ? {} : { gpu },
    location: { origin: `http://192.0.2.1:${port}`, port },
  });
  expect(whyNoWebGpu(scope(true, {}))).toBeNull();
  expect(whyNoWebGpu(scope(true, undefined))?.title).toBe("This browser has no WebGPU");
  const insecure = whyNoWebGpu(scope(false, undefined));
  expect(insecure?.title).toBe("This address is not secure enough for WebGPU");
  expect(insecure?.text).toContain("came from http://192.0.2.1:8020. Open it as http://localhost:8020 ");
  expect(whyNoWebGpu(scope(false, undefined, ""))?.text).toContain("Open it as http://localhost on ");
});
