/** What the operating system says when it refuses, in words that people can act on. */

const PROBLEMS: Readonly<Record<string, readonly [problem: string, remedy: string]>> = {
  ENOSPC: ["the disk is full", "free some space or choose another place"],
  EDQUOT: ["the disk quota is used up", "free some space or choose another place"],
  EFBIG: ["the file would be larger than the system allows", "choose another place"],
  EACCES: ["permission is denied", "change its permissions or choose another place"],
  EPERM: ["permission is denied", "change its permissions or choose another place"],
  EROFS: ["the file system is read-only", "choose another place"],
  ENOENT: ["there is no such file or folder", "check the path"],
  ENOTDIR: ["a part of its path is not a folder", "check the path"],
  EEXIST: ["it is a file", "name a folder"],
  EISDIR: ["it is a folder", "name a file"],
  ENAMETOOLONG: ["its name is too long", "choose a shorter one"],
  ELOOP: ["its links run in a circle", "check the path"],
  EMFILE: ["too many files are open", "raise the limit (ulimit -n) or close some"],
  EIO: ["the device reports an input/output error", "check the disk"],
};

/** What is wrong and how to mend it, for an error of node:fs. */
export function describeSystemError(error: unknown): { readonly problem: string; readonly remedy: string } {
  const code = systemErrorCode(error);
  const isList = error instanceof Error && "syscall" in error && error.syscall === "scandir";
  // Whoever lists a folder has named one; of a file it is a folder on the way that is none.
  if (code === "ENOTDIR" && isList) return { problem: "it is not a folder", remedy: "name a folder" };
  const known = code === undefined ? undefined : PROBLEMS[code];
  if (known) return { problem: known[0], remedy: known[1] };
  return { problem: error instanceof Error ? error.message : String(error), remedy: "check the path and the disk" };
}

/** `ENOENT` and the like, where the error has one. */
export function systemErrorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
