/** What JSON.parse does not tell: of a key that stands twice in one object it silently keeps the last. */

/**
 * The first key that an object in this text bears twice, or null.
 *
 * @param json a text that JSON.parse accepts
 */
export function findDuplicateKey(json: string): string | null {
  // The keys met in each object or array that is open (an array's stay unset).
  const open: (Set<string> | undefined)[] = [];
  let text = "";
  for (let i = 0; i < json.length; i++) {
    switch (json[i]) {
      case "{":
      case "[":
        open.push(undefined);
        break;
      case "}":
      case "]":
        open.pop();
        break;
      case '"': {
        const start = i;
        for (i++; json[i] !== '"'; i++) if (json[i] === "\\") i++;
        text = json.slice(start, i + 1);
        break;
      }
      case ":": {
        // Outside a string a colon only follows a key. Escapes are decoded: "a" and "\u0061" are one key.
        const key = JSON.parse(text) as string;
        const keys = (open[open.length - 1] ??= new Set());
        if (keys.has(key)) return key;
        keys.add(key);
        break;
      }
    }
  }
  return null;
}
