/**
 * Asks Dawn for its adapter and prints one line of JSON: `{"adapter": "name" | null}`, or `{"error": "…"}` where the
 * bindings cannot be loaded. A process of its own, because a driver may print warnings, hang or crash.
 */

/** @returns {Promise<string | null>} */
async function adapterName() {
  const { create, globals } = await import("webgpu");
  Object.assign(globalThis, globals);
  // The object has to outlive the adapter.
  const gpu = create([]);
  const adapter = await gpu.requestAdapter();
  if (adapter === null) return null;
  const { description, device, vendor } = adapter.info;
  return description || device || vendor || "without a name";
}

try {
  console.log(JSON.stringify({ adapter: await adapterName() }));
} catch (error) {
  console.log(JSON.stringify({ error: error instanceof Error ? error.message : String(error) }));
}
