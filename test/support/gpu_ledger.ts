/** What of a device's memory is in use: every buffer and query set that was made and not destroyed. */

export interface GpuLedger {
  /** Bytes of the buffers that live. */
  readonly liveBytes: number;
  /** Buffers and query sets that live. */
  readonly live: number;
  /** How many were made ever. */
  readonly made: number;
}

/** Watches a device from now on, for as long as it lives. */
export function keepLedger(device: GPUDevice): GpuLedger {
  const bytes = new Map<object, number>();
  let made = 0;
  const watch = <Thing extends GPUBuffer | GPUQuerySet>(thing: Thing, size: number): Thing => {
    const destroy = thing.destroy.bind(thing);
    bytes.set(thing, size);
    made++;
    thing.destroy = () => {
      bytes.delete(thing);
      destroy();
      return undefined;
    };
    return thing;
  };
  const [createBuffer, createQuerySet] = [device.createBuffer.bind(device), device.createQuerySet.bind(device)];
  device.createBuffer = (descriptor) => watch(createBuffer(descriptor), descriptor.size);
  device.createQuerySet = (descriptor) => watch(createQuerySet(descriptor), 0);
  return {
    get liveBytes() {
      return [...bytes.values()].reduce((sum, size) => sum + size, 0);
    },
    get live() {
      return bytes.size;
    },
    get made() {
      return made;
    },
  };
}
