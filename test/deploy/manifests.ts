/** Kubernetes manifests as the tests read them. */

import path from "node:path";
import { parseAllDocuments } from "yaml";

export const REPOSITORY = path.resolve(import.meta.dirname, "../..");

/** What the tests look at of a manifest. */
export interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly completions?: number;
    readonly template: {
      readonly spec: {
        readonly securityContext: object;
        readonly containers: readonly {
          readonly image: string;
          readonly command: readonly string[];
          readonly args: readonly string[];
          readonly env: readonly { readonly name: string; readonly value: string }[];
          readonly resources: { readonly limits: object };
          readonly volumeMounts: readonly { readonly name: string }[];
        }[];
        readonly volumes: readonly {
          readonly name: string;
          readonly persistentVolumeClaim?: { readonly claimName: string };
        }[];
      };
    };
  };
}

/**
 * The documents of a YAML file.
 * @throws where it is no YAML, or gives a key twice, or warns
 */
export function manifests(yaml: string): Manifest[] {
  return parseAllDocuments(yaml, { strict: true, uniqueKeys: true }).map((document) => {
    const [problem] = [...document.errors, ...document.warnings];
    if (problem) throw problem;
    return document.toJS() as Manifest;
  });
}
