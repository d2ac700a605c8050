/** The compiled kernel, which the build puts into the bundle. */
declare module "takeback-kernel" {
  const code: Uint8Array<ArrayBuffer>;
  export default code;
}
