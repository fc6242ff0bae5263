/** What needs files: the kit's AssemblyScript sources, and library operating systems compiled from a file. */
export { kitSource } from './kit-source.ts';
export { compileLibrary, diagnosticText, type CompiledSources } from './compile.ts';
