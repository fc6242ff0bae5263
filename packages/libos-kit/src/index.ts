/** What library operating systems share: address-space layout, runtime text, page tables, fibers, interfaces, images. */
export {
  BOOT_STACK,
  BOOT_STACK_TOP,
  KIT_TEXT,
  KIT_TEXT_BYTES,
  LIBOS_END,
  LIBRARY_END,
  LIBRARY_MEMORY,
  LIBRARY_STACK,
  LIBRARY_TEXT,
  PAGED_BASE,
  PAGED_END,
  PAGED_PAGES,
  PAGE_TABLE,
  PAGE_TABLE_BYTES,
  PTE,
  PTE_BYTES,
  PTE_SOFT,
  UKIT,
  UPCALLS,
  VECTOR,
  U_PAGE,
  exceptionSave,
} from './layout.ts';
export {
  FIRST_LIBOS_NATIVE,
  NATIVE_STEP,
  STEP,
  assembleRuntime,
  emitFiberEntry,
  resumeLabel,
  type Restartable,
  type ResumePoint,
  type RuntimeParts,
} from './runtime.ts';
export { runtimeListing } from './listing.ts';
export { Fibers, type Fiber, type Trap } from './fiber.ts';
export { entryCapability, loadCapability, pageCapability, presentCapability } from './capabilities.ts';
export { COMPILED_MEMORY, compiledProgram, type CompiledOptions } from './compiled.ts';
export { compiledLibrary, linkLibrary, type CompiledLibrary, type LinkedLibrary } from './library.ts';
export { compiledLibOs, type CompiledLibOs, type CompiledPlacement } from './compiled-libos.ts';
export { functionAt, placeAt, type CodeMap, type CodePlace } from './code-map.ts';
export { emitEagerAllocate } from './allocate.ts';
export { emitClock, fiberClock } from './clock.ts';
export { fiberMemory } from './memory.ts';
export { PacketRing, RING_BUFFER_BYTES, type RingFailure, type RingOptions, type RingPiece } from './packet-ring.ts';
export {
  NetworkDevice,
  type DeviceFailure,
  type FramePayload,
  type NetworkDeviceOptions,
  type PacketStack,
  type PlacedPayload,
  type SentFrame,
} from './network-device.ts';
export { DiskExtent, type DiskExtentOptions } from './disk-extent.ts';
export { EXPOSED_VIEW, loadExposed } from './exposed.ts';
export { decodeUtf8, encodeUtf8 } from './utf8.ts';
export {
  emitFaultHandler,
  emitFaultReturn,
  emitFaultSave,
  emitFillEntry,
  emitInstall,
  emitPageEntry,
  emitZeroFill,
  findLinear,
  pageEntry,
  type FaultPolicy,
  type FindEntry,
} from './paging.ts';
export {
  ENTRY_POINTS,
  type Clock,
  type Console,
  type Datagram,
  type EntryPoint,
  type FileEntry,
  type Files,
  type InterfaceName,
  type Interfaces,
  type Lrpc,
  type Memory,
  type Pipes,
  type Processes,
  type Protection,
  type SharedMemory,
  type Udp,
} from './interfaces.ts';
export {
  compose,
  machineProgram,
  program,
  type FiberProgram,
  type LibOs,
  type LinkedProgram,
  type LinkingLibOs,
  type MachineOs,
  type CompiledProgram,
  type MachineProgram,
  type NetworkStation,
  type Placement,
  type Program,
} from './program.ts';
export { emitFloatRegisters, emitFloatSave } from './float.ts';
export { emitCriticalEnter, emitCriticalLeave } from './critical.ts';
export {
  encodePredicate,
  exposedWord,
  type PredicateProduct,
  type PredicateSide,
  type PredicateTerm,
} from './predicate.ts';
export { LibosError, type LibosErrorCode } from './error.ts';
export { address, buildImage, pageTableEntry, type ImageParts } from './image.ts';
export { linkAt, linkProgram, type LinkPlace } from './link.ts';
export { readProgram, writeProgram } from './program-file.ts';
export { usedPages, wordBytes, type Pages } from './pages.ts';
