/** An Express application with multer in memory and on disk, and a tus server: the packages are the real ones. */
import { createServer } from "node:http";
import { FileStore } from "@tus/file-store";
import { Server } from "@tus/server";
import express from "express";
import multer from "multer";
import { checkFiles, onUploadFinish } from "./takeback.mjs";

const [folder, review, whenAway] = process.argv.slice(2);
const options = { review, whenAway };
const store = new FileStore({ directory: `${folder}/tus` });
const tus = new Server({ path: "/files", datastore: store, onUploadFinish: onUploadFinish(store, options) });
const app = express();
const stored = (request, response) => {
  const files = request.files ?? [request.file];
  response.status(201).json(files.map(({ takeback, size }) => ({ takeback, size })));
};
app.post("/memory", multer({ storage: multer.memoryStorage() }).single("photo"), checkFiles(options), stored);
app.post("/disk", multer({ dest: `${folder}/disk` }).array("photo"), checkFiles(options), stored);
app.all("/files{/*rest}", (request, response) => tus.handle(request, response));
const server = createServer(app).listen(0, "127.0.0.1", () => console.log(server.address().port));
