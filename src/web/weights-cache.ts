/**
 * The weights that this browser keeps: the file that the server gave and the one that the user chose. What is found is
 * believed only where it still has the size and the checksum with which it was kept.
 */

import { sha256 } from "./digest.ts";

/** The part of the browser's Cache that is used. */
export interface FileStore {
  match(url: string): Promise<Response | undefined>;
  put(url: string, response: Response): Promise<void>;
  delete(url: string): Promise<boolean>;
}

export interface KeptFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly sha256: string;
}

/** Whose file it is. One of each is kept, so that old ones don't pile up. */
export type Origin = "server" | "user";

const HEADERS = { name: "x-weights-name", size: "x-weights-size", sha256: "x-weights-sha256" } as const;

export class WeightsCache {
  private readonly open: () => Promise<FileStore>;

  /** @param open rejects where the browser keeps nothing, as in some private windows */
  constructor(open: () => Promise<FileStore>) {
    this.open = open;
  }

  /**
   * The file that is kept for this origin; undefined where there is none, or none that is whole, or, where a checksum
   * is given, another.
   */
  async find(origin: Origin, checksum?: string): Promise<KeptFile | undefined> {
    try {
      const store = await this.open();
      const response = await store.match(urlOf(origin));
      if (!response) return undefined;
      const [name, size, kept] = [HEADERS.name, HEADERS.size, HEADERS.sha256].map((header) =>
        response.headers.get(header),
      );
      if (name === null || kept === null || (checksum !== undefined && kept !== checksum)) return undefined;
      const bytes = new Uint8Array(await response.arrayBuffer());
      if (bytes.length === Number(size) && (await sha256(bytes)) === kept) {
        return { name: decodeURIComponent(name), bytes, sha256: kept };
      }
      await store.delete(urlOf(origin));
      return undefined;
    } catch {
      // A store that cannot be read is as good as an empty one.
      return undefined;
    }
  }

  /** Keeps a whole file in place of the one before. Resolves to false where the browser has no room or keeps nothing. */
  async keep(origin: Origin, { name, bytes, sha256: checksum }: KeptFile): Promise<boolean> {
    try {
      const store = await this.open();
      const headers = {
        "content-type": "application/octet-stream",
        // Headers hold ASCII only.
        [HEADERS.name]: encodeURIComponent(name),
        [HEADERS.size]: String(bytes.length),
        [HEADERS.sha256]: checksum,
      };
      await store.put(urlOf(origin), new Response(bytes as Uint8Array<ArrayBuffer>, { headers }));
      return true;
    } catch {
      return false;
    }
  }

  async forget(origin: Origin): Promise<void> {
    try {
      await (await this.open()).delete(urlOf(origin));
    } catch {
      // Where nothing can be kept there is nothing to forget.
    }
  }
}

function urlOf(origin: Origin): string {
  return `/kept-weights/${origin}`;
}
