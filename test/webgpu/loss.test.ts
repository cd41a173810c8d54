/**
 * Devices that are lost, by `destroy` and by the driver. In Node.js nothing makes Dawn lose one by itself, so there a
 * driver's loss is played: the device's promise settles as then, and calls go on as if nothing were. In a browser it is
 * real: the process that drives the GPU is made to crash.
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { build } from "esbuild";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { kernelTexts } from "../../scripts/kernel-texts.mjs";
import { openGpu } from "../../src/node/dawn.ts";
import { kernelsOnDisk } from "../../src/node/kernels.ts";
import { bufferUsage } from "../../src/webgpu/constants.ts";
import { Session, type SessionOptions } from "../../src/webgpu/session.ts";
import { describeBrowser, launchChromium, serveFolder } from "../support/chromium.ts";
import "../support/close.ts";
import { describeGpu } from "../support/gpu.ts";
import { batchOf, referenceProb, tiny, weightsFor } from "./tiny.ts";

const weights = weightsFor(tiny, 1);
const lost = { code: "device-lost", name: "DeviceLostError" };

const expectRight = async (session: Session, images = 2) => {
  const data = batchOf(images, images);
  const { prob } = await session.run({ data });
  expect(prob).toBeAllclose(await referenceProb(weights, data), { absolute: 1e-6 });
};

/** Opens devices, remembers them, and destroys them when the test is done. */
function devices() {
  const opened: GPUDevice[] = [];
  const open = vi.fn(async () => {
    const { device } = await openGpu();
    opened.push(device);
    onTestFinished(() => device.destroy());
    return device;
  });
  return { open, opened };
}

const create = async (options: Pick<SessionOptions, "device"> & Partial<SessionOptions>) => {
  const session = await Session.create({ graph: tiny, weights }, { kernels: kernelsOnDisk, ...options });
  onTestFinished(() => {
    session.dispose();
  });
  return session;
};

/** Makes a device that can be lost as a driver's reset has it: without a call failing before the promise settles. */
function playLoss(device: GPUDevice): () => void {
  let lose: (info: GPUDeviceLostInfo) => void = () => undefined;
  const promise = new Promise<GPUDeviceLostInfo>((resolve) => (lose = resolve));
  Object.defineProperty(device, "lost", { value: promise });
  return () => {
    lose({ reason: "unknown", message: "the driver was reset\nwith details" } as GPUDeviceLostInfo);
  };
}

describeGpu("a device that is lost under a session on the GPU", () => {
  describe.each(["by destroy", "by the driver, played"])("%s", (how) => {
    const losable = (device: GPUDevice) => (how === "by destroy" ? () => device.destroy() : playLoss(device));
    const losses: (() => void)[] = [];
    /** As `opener`, of devices that can be lost so. */
    const opener = () => {
      losses.length = 0;
      const { open, opened } = devices();
      const losableOpen = vi.fn(async () => {
        const device = await open();
        losses.push(losable(device));
        return device;
      });
      return { open: losableOpen, opened };
    };
    /** Loses the first device once the next run was given to it. */
    const loseAtSubmit = ({ queue }: GPUDevice) => {
      const submit = queue.submit.bind(queue);
      vi.spyOn(queue, "submit").mockImplementationOnce((commands) => {
        submit(commands);
        queueMicrotask(losses[0]);
        return undefined;
      });
    };

    test("rejects what is under way, never with invented numbers, and what comes then goes on", async () => {
      const { open, opened } = opener();
      const session = await create({ device: open });
      await expectRight(session);
      loseAtSubmit(opened[0]);
      const batches = Array.from({ length: 8 }, (_, index) => batchOf(1 + (index % 3), index));
      const settled = await Promise.allSettled(batches.map((data) => session.run({ data })));
      expect(settled[0]).toMatchObject({ status: "rejected", reason: lost });
      for (const [index, each] of settled.entries()) {
        // Those that still waited for their turn may go on, with all others.
        if (each.status === "rejected") expect(each.reason).toMatchObject(lost);
        else expect(each.value.prob).toBeAllclose(await referenceProb(weights, batches[index]), { absolute: 1e-6 });
      }
      // Several at once open one device.
      await Promise.all([1, 2, 3].map((images) => expectRight(session, images)));
      expect(open).toHaveBeenCalledTimes(2);
      expect(session.device).toBe(opened[1]);
    });

    test("ends a stream where it is, and another one can follow", async () => {
      const { open, opened } = opener();
      const session = await create({ device: open });
      const batches = Array.from({ length: 6 }, (_, seed) => batchOf(1, seed));
      const follow = async (count: number) => {
        let seed = 0;
        for await (const { prob } of session.stream(batches.slice(0, count).map((data) => ({ data })))) {
          expect(prob).toBeAllclose(await referenceProb(weights, batches[seed++]), { absolute: 1e-6 });
        }
        return seed;
      };
      expect(await follow(2)).toBe(2);
      loseAtSubmit(opened[0]);
      await expect(follow(6)).rejects.toMatchObject(lost);
      expect(await follow(6)).toBe(6);
    });

    test("ends bindings; buffers of the new device are bound anew", async () => {
      const { open } = opener();
      const session = await create({ device: open });
      const buffers = () => {
        const { device } = session;
        return [
          { data: device.createBuffer({ size: 768, usage: bufferUsage.copySrc }) },
          { prob: device.createBuffer({ size: 40, usage: bufferUsage.copyDst }) },
        ] as const;
      };
      const binding = await session.bind(...buffers());
      losses[0]();
      await session.device.lost;
      expect(() => {
        binding.encode(session.device.createCommandEncoder());
      }).toThrow(expect.objectContaining(lost));
      await expectRight(session);
      const again = await session.bind(...buffers());
      const encoder = session.device.createCommandEncoder();
      again.encode(encoder);
      session.device.queue.submit([encoder.finish()]);
      await session.device.queue.onSubmittedWorkDone();
    });

    test("without a way to another one every call says so", async () => {
      const { device } = await openGpu();
      onTestFinished(() => device.destroy());
      const lose = losable(device);
      const session = await create({ device });
      lose();
      await device.lost;
      const message =
        how === "by destroy" ? /^GPU device: it was lost/ : /it was lost \(the driver was reset\); open a/;
      for (const call of [() => session.run({ data: batchOf(1, 1) }), () => session.plan(3)]) {
        await expect(call()).rejects.toThrow(
          expect.objectContaining({ ...lost, message: expect.stringMatching(message) as string }),
        );
      }
    });
  });

  test("a device that can't be opened fails that call alone", async () => {
    const { open, opened } = devices();
    const session = await create({ device: open });
    opened[0].destroy();
    await opened[0].lost;
    open.mockRejectedValueOnce(new Error("not now"));
    await expect(session.run({ data: batchOf(1, 1) })).rejects.toThrow("not now");
    await expectRight(session);
    expect(opened).toHaveLength(2);
  });

  test("a session that owns its devices destroys them, and one that doesn't leaves them alone", async () => {
    const { open, opened } = devices();
    const owner = await create({ device: open, ownsDevice: true });
    opened[0].destroy();
    await opened[0].lost;
    await expectRight(owner);
    const destroyed = vi.spyOn(opened[1], "destroy");
    owner.dispose();
    expect(destroyed).toHaveBeenCalledOnce();
    await opened[1].lost;

    const guest = await create({ device: open });
    const spared = vi.spyOn(opened[2], "destroy");
    guest.dispose();
    expect(spared).not.toHaveBeenCalled();

    const failing = create({ device: open, ownsDevice: true, kernels: () => Promise.reject(new Error("none")) });
    await expect(failing).rejects.toThrow(/none/);
    await opened[3].lost;

    const model = { graph: tiny, weights: new Map() };
    const unfit = Session.create(model, { device: open, ownsDevice: true, kernels: kernelsOnDisk });
    await expect(unfit).rejects.toThrow(/it is missing/);
    await opened[4].lost;
  });
});

describeBrowser("a device whose process crashes under a session in a page", () => {
  test("rejects what was under way, and the next call goes on with another device", async () => {
    const root = path.resolve(import.meta.dirname, "../..");
    const program = `
      import { Session } from "./src/webgpu/session.ts";
      import { openDevice } from "./src/webgpu/device.ts";
      import { kernels } from "./src/kernels.ts";
      import { batchOf, referenceProb, tiny, weightsFor } from "./test/webgpu/tiny.ts";
      const weights = weightsFor(tiny, 1);
      let opened = 0;
      const device = () => (opened++, openDevice());
      const session = await Session.create({ graph: tiny, weights }, { device, kernels });
      const settled = (call) => call.then(({ prob }) => prob.data, ({ name, code }) => ({ name, code }));
      globalThis.run = async (seed) => {
        const data = batchOf(2, seed);
        const result = await settled(session.run({ data }));
        if (result.code) return result;
        const { data: expected } = await referenceProb(weights, data);
        return Math.max(...result.map((value, index) => Math.abs(value - expected[index])));
      };
      // Calls one behind the other until one fails.
      globalThis.runUntilLost = async () => {
        for (let seed = 0; ; seed++) {
          const result = await globalThis.run(seed);
          if (typeof result !== "number" || result > 1e-6) return result;
        }
      };
      globalThis.opened = () => opened;`;
    const folder = mkdtempSync(path.join(tmpdir(), "googlenet loss "));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    await build({
      stdin: { contents: program, resolveDir: root, loader: "ts" },
      plugins: [kernelTexts(root)],
      outfile: path.join(folder, "program.js"),
      ...{ bundle: true, format: "esm", platform: "browser" },
    });
    const head = `<!doctype html><title>a page</title><link rel="icon" href="data:,">`;
    writeFileSync(path.join(folder, "index.html"), `${head}<script type="module" src="program.js"></script>`);
    await using site = await serveFolder(folder);
    const browser = await launchChromium("--disable-domain-blocking-for-3d-apis", "--disable-gpu-process-crash-limit");
    onTestFinished(() => browser.close());
    const page = await browser.newPage();
    await page.goto(`${site.origin}/`);
    await page.waitForFunction("globalThis.opened !== undefined");
    expect(await page.evaluate("run(1)")).toBeLessThan(1e-6);
    const failed = page.evaluate("runUntilLost()");
    const commands = await browser.newBrowserCDPSession();
    await commands.send("Browser.crashGpuProcess");
    expect(await failed).toEqual(lost);
    expect(await page.evaluate("run(2)")).toBeLessThan(1e-6);
    expect(await page.evaluate("opened()")).toBe(2);
  });
});
