/** The compiled kernel, which the build puts into the bundle. */
declare module "takeback-kernel" {
  const code: Uint8Array<ArrayBuffer>;
  export default code;
}

/** What Emscripten makes of a library: started from code that it is handed, it never looks for a file. */
declare module "libheif-js/libheif-wasm/libheif.js" {
  const create: (ways: object) => any;
  export default create;
}
declare module "@jsquash/avif/codec/dec/avif_dec.js" {
  const create: (ways: object) => any;
  export default create;
}
declare module "@jsquash/jxl/codec/dec/jxl_dec.js" {
  const create: (ways: object) => any;
  export default create;
}
