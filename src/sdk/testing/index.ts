/** The SDK's test kit, exported from the package as `tracker/sdk/testing`: a tracker and a discovery in memory. */
export { demoDiscovery } from "./demo-discovery.ts";
export { MemoryDiscovery, type MemoryDiscoveryOptions, type MemoryWorkspace } from "./discovery.ts";
export type { FaultTiming, MemoryFault, MemoryMethod } from "./faults.ts";
export { MemoryRemote, type MemoryRemoteOptions } from "./remote.ts";
export { type MemoryMoment, MemoryTracker, type MemoryTrackerOptions } from "./tracker.ts";
