/** The part of the WebAssembly interface that is used here; TypeScript has it in `lib.dom` only. */
declare namespace WebAssembly {
  class Memory {
    readonly buffer: ArrayBuffer;
    constructor(descriptor: { readonly initial: number });
  }
  type ModuleImports = Record<string, (...args: never[]) => number>;
  function compile(bytes: Uint8Array): Promise<Module>;
  function instantiate(
    module: Module,
    imports: Record<string, ModuleImports>,
  ): Promise<{ readonly exports: Record<string, unknown> }>;
}
