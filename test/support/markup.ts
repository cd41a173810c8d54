/** Whether HTML is well-formed, by rules narrower than a browser's, which mends everything. */

/** Elements left open or closed without being open, and what is no tag at all. */
export function unclosed(text: string): string[] {
  const open: string[] = [];
  const wrong: string[] = [];
  const body = text.replace(/<style>[^]*?<\/style>/, "").replace("<!doctype html>", "");
  for (const [tag] of body.matchAll(/<[^>]*>?/g)) {
    const parts = /^<(\/?)([a-z\d]+)(?:\s+[\w-]+="[^"<>]*"|\s+open)*\s*(\/?)>$/i.exec(tag);
    if (!parts) wrong.push(tag);
    else if (parts[1] && open.pop() !== parts[2]) wrong.push(tag);
    else if (!parts[1] && !parts[3] && !/^(meta|link|img)$/.test(parts[2])) open.push(parts[2]);
  }
  return [...wrong, ...open];
}
