/** deploy/kubernetes: against Kubernetes' own schemas, and whether the files agree with each other. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { Job } from "kubernetes-models/batch/v1/Job";
import { PersistentVolumeClaim } from "kubernetes-models/v1/PersistentVolumeClaim";
import ts from "typescript";
import { beforeAll, describe, expect, test } from "vitest";
import { manifests, REPOSITORY } from "./manifests.ts";

const text = (name: string) => readFileSync(path.join(REPOSITORY, "deploy/kubernetes", name), "utf8");

const evaluate = text("evaluate.yaml");
const files: readonly (readonly [name: string, yaml: string])[] = [
  ["evaluate.yaml", evaluate],
  // As README.md says.
  ["evaluate.yaml with a GPU", evaluate.replaceAll("#gpu ", "")],
  ["merge.yaml", text("merge.yaml")],
  ["volumes.yaml", text("volumes.yaml")],
];

/** Kinds, and the modules of the models that check them. */
const models = { Job, PersistentVolumeClaim };
const modules = { Job: "batch/v1/Job", PersistentVolumeClaim: "v1/PersistentVolumeClaim" };
type Kind = keyof typeof models;

describe("schemas", () => {
  test.each(files)("take %s", (_, yaml) => {
    const documents = manifests(yaml);
    expect(documents.length).toBeGreaterThan(0);
    for (const each of documents) {
      const Model = models[each.kind as Kind];
      expect(() => {
        new Model(each as never).validate();
      }).not.toThrow();
    }
  });

  test("refuse a value of another type", () => {
    const [job] = manifests(evaluate.replace("completions: 8", 'completions: "eight"'));
    expect(() => {
      new Job(job as never).validate();
    }).toThrow(/completions/);
  });
});

/** The schemas let fields pass that they don't know, where the API server would drop them; types don't. */
describe("fields", () => {
  let complaints: ReadonlyMap<string, readonly string[]>;
  const misspelt: readonly (readonly [string, string])[] = [
    ["a misspelt field", evaluate.replace("backoffLimitPerIndex", "backofLimitPerIndex")],
    ["a field in another's place", evaluate.replace("\n      restartPolicy: Never", "\n      completions: 3")],
  ];
  beforeAll(() => {
    complaints = typeErrors([...files, ...misspelt]);
  });

  test.each(files)("of %s are known", (name) => {
    expect(complaints.get(name)).toEqual([]);
  });

  test.each(misspelt)("let %s be seen", (name) => {
    expect(complaints.get(name)).not.toEqual([]);
  });
});

describe("the files", () => {
  const [job] = manifests(evaluate);
  const [merge] = manifests(text("merge.yaml"));
  const claims = manifests(text("volumes.yaml")).map(({ metadata }) => metadata.name);
  const container = ({ spec }: typeof job) => spec.template.spec.containers[0];
  const variables = (each: typeof job) => new Map(container(each).env.map(({ name, value }) => [name, value]));

  test("agree on the number of shards, and on the image", () => {
    expect(variables(job).get("SHARDS")).toBe(String(job.spec.completions));
    expect(variables(merge).get("SHARDS")).toBe(String(job.spec.completions));
    expect(container(merge).image).toBe(container(job).image);
  });

  test("mount what volumes.yaml claims", () => {
    for (const each of [job, merge]) {
      const { volumes } = each.spec.template.spec;
      const named = volumes.flatMap((volume) => volume.persistentVolumeClaim?.claimName ?? []);
      expect(claims).toEqual(expect.arrayContaining(named));
      expect(
        container(each)
          .volumeMounts.map(({ name }) => name)
          .sort(),
      ).toEqual(volumes.map(({ name }) => name).sort());
    }
  });

  test("run as the image's user, who is not root", () => {
    const [, user] = /^USER (\d+):/m.exec(readFileSync(path.join(REPOSITORY, "deploy/Containerfile"), "utf8"))!;
    for (const each of [job, merge]) {
      expect(each.spec.template.spec.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: Number(user) });
    }
  });

  test("take a GPU where the line is taken in, and none otherwise", () => {
    const limits = (yaml: string) => Object.keys(container(manifests(yaml)[0]).resources.limits);
    expect(limits(evaluate)).toEqual(["memory"]);
    expect(limits(evaluate.replaceAll("#gpu ", ""))).toEqual(["memory", "nvidia.com/gpu"]);
  });
});

/** What TypeScript says of manifests that stand as literals of their kinds' types. */
function typeErrors(all: readonly (readonly [string, string])[]): Map<string, string[]> {
  const sources = new Map(
    all.map(([name, yaml], index) => [path.join(REPOSITORY, `test/deploy/manifest-${index}.ts`), { name, yaml }]),
  );
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    types: [],
  };
  const host = ts.createCompilerHost(options);
  const disk = ts.createCompilerHost(options);
  host.fileExists = (file) => sources.has(file) || disk.fileExists(file);
  host.readFile = (file) => {
    const source = sources.get(file);
    return source === undefined ? disk.readFile(file) : literals(source.yaml);
  };
  host.getSourceFile = (file, language) => ts.createSourceFile(file, host.readFile(file) ?? "", language);
  const program = ts.createProgram([...sources.keys()], options, host);
  return new Map(
    [...sources].map(([file, { name }]) => [
      name,
      ts
        .getPreEmitDiagnostics(program, program.getSourceFile(file))
        .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, " ")),
    ]),
  );
}

function literals(yaml: string): string {
  return manifests(yaml)
    .map((each, index) => {
      const module = modules[each.kind as Kind];
      const imported = `import type { I${each.kind} as Kind${index} } from "kubernetes-models/${module}";`;
      return `${imported}\nexport const manifest${index}: Kind${index} = ${JSON.stringify(each)};`;
    })
    .join("\n");
}
