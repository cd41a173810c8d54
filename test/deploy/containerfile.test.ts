/** deploy/Containerfile: what a linter says of it, and whether what it takes is there. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { validate } from "dockerfile-utils";
import { expect, test } from "vitest";
import { REPOSITORY } from "./manifests.ts";

const text = readFileSync(path.join(REPOSITORY, "deploy/Containerfile"), "utf8");
const problems = (containerfile: string) => validate(containerfile).map(({ message }) => message);

test("has nothing that a linter objects to", () => {
  expect(problems(text)).toEqual([]);
  expect(problems(text.replace("WORKDIR /tmp", "WORKDIRECTORY /tmp"))).not.toEqual([]);
});

test("takes scripts that there are, and ends as a user who is not root", () => {
  const taken = [...text.matchAll(/^COPY --chmod=755 (\S+)/gm)].map(([, file]) => file);
  expect(taken).toHaveLength(2);
  for (const file of taken) expect(existsSync(path.join(REPOSITORY, file)), file).toBe(true);
  const users = [...text.matchAll(/^USER (\S+)/gm)].map(([, user]) => user);
  expect(users).toEqual(["10001:10001"]);
  expect(text.indexOf("USER ")).toBeGreaterThan(text.lastIndexOf("RUN "));
});

test("the build is given nothing that it must not have, and all that it needs", () => {
  const ignored = readFileSync(path.join(REPOSITORY, "deploy/Containerfile.dockerignore"), "utf8").split("\n");
  expect(ignored).toEqual(expect.arrayContaining(["node_modules", ".git", "weights/*.safetensors"]));
  for (const needed of [
    "src",
    "kernels",
    "scripts",
    "assets",
    "deploy",
    "weights/manifest.json",
    "package-lock.json",
  ]) {
    expect(ignored).not.toContain(needed);
  }
});
