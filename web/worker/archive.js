/**
 * Reads zip archives whose members are stored without compression, the only kind that the build makes.
 */

const END_RECORD = 0x06054b50;
const END_SIZE = 22;
const DIRECTORY_HEADER = 46;
const LOCAL_HEADER = 30;

/**
 * The members of the archive in its order, without copying their data.
 *
 * @param {ArrayBuffer} archive
 * @returns {Generator<{ name: string, data: Uint8Array }>}
 * @throws {Error} for anything but a zip of stored members
 */
export function* members(archive) {
  const view = new DataView(archive);
  const end = archive.byteLength - END_SIZE;
  if (end < 0 || view.getUint32(end, true) !== END_RECORD) throw new Error("the archive is damaged");
  const text = new TextDecoder();
  let entry = view.getUint32(end + 16, true);
  for (let left = view.getUint16(end + 10, true); left > 0; left -= 1) {
    if (view.getUint16(entry + 10, true) !== 0) throw new Error("the archive is compressed");
    const size = view.getUint32(entry + 24, true);
    const nameSize = view.getUint16(entry + 28, true);
    const local = view.getUint32(entry + 42, true);
    const name = text.decode(new Uint8Array(archive, entry + DIRECTORY_HEADER, nameSize));
    const start = local + LOCAL_HEADER + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    yield { name, data: new Uint8Array(archive, start, size) };
    entry +=
      DIRECTORY_HEADER + nameSize + view.getUint16(entry + 30, true) + view.getUint16(entry + 32, true);
  }
}

/**
 * Whether a member is a shared library: all else in the archives is bytecode.
 *
 * @param {string} name
 */
export const isLibrary = (name) => name.endsWith(".so");

/**
 * Writes the members that are `wanted` below `folder` of Pyodide's file system, which is in memory.
 *
 * @param {{ mkdirTree(path: string): void, writeFile(path: string, data: Uint8Array): void }} files
 * @param {string} folder
 * @param {ArrayBuffer} archive
 * @param {(name: string) => boolean} wanted
 * @throws {Error} like `members`
 */
export function unpack(files, folder, archive, wanted = () => true) {
  const made = new Set();
  for (const { name, data } of members(archive)) {
    if (!wanted(name)) continue;
    const path = `${folder}/${name}`;
    const parent = path.slice(0, path.lastIndexOf("/"));
    if (!made.has(parent)) files.mkdirTree(parent);
    made.add(parent);
    files.writeFile(path, data);
  }
}
